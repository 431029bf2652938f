import FoundationEssentials
import Postgres

/// Which process decides how many workers there are, and what it has decided.
extension JobStore {
  /// The right to decide, as long as it is renewed.
  package struct ScalingLead: Sendable, Equatable {
    /// Every decision carries it.
    package var epoch: Int64
    /// JSON that the decision before left; nil: there was none.
    package var history: String?
  }

  /// A decision to be stored.
  package struct NewScalingDecision: Sendable, Equatable {
    package var total: Int
    /// What the work asked for, before limits.
    package var demanded: Int
    /// Workers by release; 0: of none.
    package var counts: [Int64: Int]
    package var stops: [Int64]
    package var drains: [Int64]
    package var reasons: [String]
    package var limitedBy: String?
    /// JSON: a summary of the measurements.
    package var inputs: String
    /// JSON for the next decision.
    package var history: String

    package init(
      total: Int, demanded: Int, counts: [Int64: Int], stops: [Int64] = [], drains: [Int64] = [], reasons: [String],
      limitedBy: String? = nil, inputs: String = "{}", history: String = "{}"
    ) {
      self.total = total
      self.demanded = demanded
      self.counts = counts
      self.stops = stops
      self.drains = drains
      self.reasons = reasons
      self.limitedBy = limitedBy
      self.inputs = inputs
      self.history = history
    }
  }

  package struct ScalingDecisionRecord: Sendable, Equatable {
    package var id: Int64
    package var epoch: Int64
    package var decidedAt: String
    package var ageSeconds: Double
    package var total: Int
    package var demanded: Int
    package var counts: [Int64: Int]
    package var stops: [Int64]
    package var drains: [Int64]
    package var reasons: [String]
    package var limitedBy: String?
    /// JSON.
    package var inputs: String
  }

  /// Takes or renews the lease of the process that decides; nil: another one has it.
  ///
  /// - Parameter holder: A name that no other process ever has.
  /// - Source: `scaling_lead.sql`.
  package func leadScaling(as holder: String, lease: Duration, now: String? = nil) async throws -> ScalingLead? {
    try await database.query(
      Statement.scalingLead, [.text(holder), .double(lease.inSeconds), .optional(now)]
    ).first.map { ScalingLead(epoch: try $0.int("epoch"), history: try $0.optionalString("history")) }
  }

  /// Ends the lease, so that another process decides at once.
  ///
  /// - Source: `scaling_leave.sql`.
  package func leaveScaling(as holder: String) async throws {
    try await database.query(Statement.scalingLeave, [.text(holder)])
  }

  /// Stores a decision. Returns its number; nil where the process does not decide any more: nothing was stored.
  ///
  /// - Source: `scaling_decide.sql`.
  package func keep(
    _ decision: NewScalingDecision, as holder: String, epoch: Int64
  ) async throws -> Int64? {
    let counts = decision.counts.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\($0.value)" }
    return try await database.query(
      Statement.scalingDecide,
      [
        .text(holder), .int(epoch), .int(Int64(decision.total)), .int(Int64(decision.demanded)),
        .json("{" + counts.joined(separator: ",") + "}"), .ints(decision.stops), .ints(decision.drains),
        .texts(decision.reasons), .optional(decision.limitedBy), .json(decision.inputs), .json(decision.history),
      ]
    ).first?.int("decision_id")
  }

  /// The last decision that was stored.
  ///
  /// - Parameter at: By that time; nil: now.
  /// - Source: `scaling_last.sql`.
  package func scalingDecision(at: String? = nil) async throws -> ScalingDecisionRecord? {
    try await database.query(Statement.scalingLast, [.optional(at)]).first.map(ScalingDecisionRecord.init(row:))
  }

  /// Deletes what is older than `retention`, at most `limit` rows of each table. Returns how many.
  ///
  /// - Source: `scaling_expire.sql`.
  package func expireScaling(after retention: Duration, limit: Int, now: String? = nil) async throws -> Int {
    Int(
      try await database.query(
        Statement.scalingExpire, [.double(retention.inSeconds), .int(Int64(limit)), .optional(now)]
      ).only.int("rows"))
  }

  /// What this month has cost in worker-hours, with `hours` more, and the seconds until the next month.
  ///
  /// - Source: `scaling_spend.sql`.
  package func spend(workerHours hours: Double) async throws -> (used: Double, renewsInSeconds: Double) {
    let row = try await database.query(Statement.scalingSpend, [.double(hours)]).only
    return (try row.double("hours"), try row.double("renews_seconds"))
  }
}

/// Predictions next to what came.
extension JobStore {
  /// An amount that was predicted, and the one that came; nil: not measured.
  package struct PredictedAmount: Sendable, Equatable {
    package var mean: Double
    package var deviation: Double
    package var high: Double
    package var actual: Double?

    package init(mean: Double, deviation: Double, high: Double, actual: Double?) {
      self.mean = mean
      self.deviation = deviation
      self.high = high
      self.actual = actual
    }
  }

  package struct SettledPrediction: Sendable, Equatable {
    package var job: Int64
    package var kind: String
    package var release: Int64
    /// What it was based on.
    package var basis: String
    package var seconds: PredictedAmount
    package var bytes: PredictedAmount

    package init(
      job: Int64, kind: String, release: Int64, basis: String, seconds: PredictedAmount, bytes: PredictedAmount
    ) {
      self.job = job
      self.kind = kind
      self.release = release
      self.basis = basis
      self.seconds = seconds
      self.bytes = bytes
    }
  }

  /// - Source: `scaling_settle.sql`.
  package func settle(_ predictions: [SettledPrediction]) async throws {
    guard !predictions.isEmpty else { return }
    func column(_ value: (SettledPrediction) -> Double?) -> PostgresValue {
      .optionalTexts(predictions.map { value($0).map { "\($0)" } })
    }
    try await database.query(
      Statement.scalingSettle,
      [
        .ints(predictions.map(\.job)), .texts(predictions.map(\.kind)), .ints(predictions.map(\.release)),
        .texts(predictions.map(\.basis)),
        column { $0.seconds.mean }, column { $0.seconds.deviation }, column { $0.seconds.high },
        column { $0.seconds.actual ?? 0 },
        column { $0.bytes.mean }, column { $0.bytes.deviation }, column { $0.bytes.high }, column { $0.bytes.actual },
      ])
  }
}

extension JobStore.ScalingDecisionRecord {
  fileprivate init(row: PostgresRow) throws {
    self.init(
      id: try row.int("decision_id"), epoch: try row.int("epoch"), decidedAt: try row.string("decided_at"),
      ageSeconds: try row.double("age_seconds"), total: Int(try row.int("total")),
      demanded: Int(try row.int("demanded")), counts: try Self.counts(try row.string("counts")),
      stops: Self.numbers(try row.string("stops")), drains: Self.numbers(try row.string("drains")),
      reasons: try Self.decoded([String].self, try row.string("reasons")),
      limitedBy: try row.optionalString("limited_by"),
      inputs: try row.string("inputs"))
  }

  /// `{"3": 2}`, as this store writes it.
  private static func counts(_ json: String) throws -> [Int64: Int] {
    try decoded([String: Int].self, json).reduce(into: [:]) { counts, each in
      if let release = Int64(each.key) { counts[release] = each.value }
    }
  }

  /// `{1,2}`.
  private static func numbers(_ array: String) -> [Int64] {
    array.dropFirst().dropLast().split(separator: ",").compactMap { Int64($0) }
  }

  private static func decoded<Value: Decodable>(_ type: Value.Type, _ json: String) throws -> Value {
    try JSONDecoder().decode(type, from: Data(json.utf8))
  }
}
