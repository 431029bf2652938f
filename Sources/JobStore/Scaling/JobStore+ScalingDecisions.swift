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

  /// The process that decides now; nil: none does.
  ///
  /// - Source: `scaling_holder.sql`.
  package func scalingHolder() async throws -> String? {
    try await database.query(Statement.scalingHolder, []).first?.string("holder")
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

  /// The last decisions that were stored, the oldest first.
  ///
  /// - Source: `scaling_recent.sql`.
  package func scalingDecisions(last limit: Int) async throws -> [ScalingDecisionRecord] {
    try await database.query(Statement.scalingRecent, [.int(Int64(limit))]).map(ScalingDecisionRecord.init(row:))
  }

  /// Decisions of a time, the oldest first: of each of `parts` equal parts of it the one that the work asked most for.
  ///
  /// - Parameter range: Seconds since 1970; the last one is not part of it.
  /// - Source: `scaling_chart.sql`.
  package func scalingDecisions(
    within range: ClosedRange<Double>, parts: Int
  ) async throws -> [ScalingDecisionRecord] {
    try await database.query(
      Statement.scalingChart, [.double(range.lowerBound), .double(range.upperBound), .int(Int64(max(1, parts)))]
    ).map(ScalingDecisionRecord.init(row:))
  }

  /// How many runs missed a deadline within a time, by parts of it: the seconds of a part's beginning, and runs.
  ///
  /// - Parameter range: Seconds since 1970; the last one is not part of it.
  /// - Source: `scaling_missed.sql`.
  package func missedDeadlines(
    within range: ClosedRange<Double>, parts: Int
  ) async throws -> [(at: Double, runs: Int)] {
    try await database.query(
      Statement.scalingMissed, [.double(range.lowerBound), .double(range.upperBound), .int(Int64(max(1, parts)))]
    ).map { (try $0.double("seconds"), Int(try $0.int("runs"))) }
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

  /// What this month has cost in worker-hours, those since it was counted last among them, and the seconds until the next month.
  ///
  /// - Parameter limit: Where it was not counted for longer, the rest is left out.
  /// - Source: `scaling_spend.sql`.
  package func countWorkerHours(atMost limit: Duration) async throws -> (used: Double, renewsInSeconds: Double) {
    let row = try await database.query(Statement.scalingSpend, [.double(limit.inSeconds)]).only
    return (try row.double("hours"), try row.double("renews_seconds"))
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
