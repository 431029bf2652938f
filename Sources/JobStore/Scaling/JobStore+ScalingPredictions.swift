import Postgres

/// Predictions next to what came.
extension JobStore {
  /// An amount that was predicted, and the one that came; nil: not measured.
  package struct PredictedAmount: Sendable, Equatable {
    package var mean: Double
    package var deviation: Double
    package var high: Double
    package var actual: Double?
    /// ``deviation`` was multiplied by it, because of earlier predictions.
    package var width: Double

    package init(mean: Double, deviation: Double, high: Double, actual: Double?, width: Double = 1) {
      self.mean = mean
      self.deviation = deviation
      self.high = high
      self.actual = actual
      self.width = width
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
    /// Attempts.
    package var standsFor: Double

    package init(
      job: Int64, kind: String, release: Int64, basis: String, seconds: PredictedAmount, bytes: PredictedAmount,
      standsFor: Double = 1
    ) {
      self.job = job
      self.kind = kind
      self.release = release
      self.basis = basis
      self.seconds = seconds
      self.bytes = bytes
      self.standsFor = standsFor
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
        column { $0.standsFor }, column { $0.seconds.width }, column { $0.bytes.width },
      ])
  }

  /// The last settled predictions of each kind, the oldest first.
  ///
  /// - Parameter maxKinds: So many kinds, in the order of their names.
  /// - Source: `scaling_predictions.sql`.
  package func settledPredictions(perKind limit: Int, maxKinds: Int) async throws -> [SettledPrediction] {
    try await database.query(Statement.scalingPredictions, [.int(Int64(limit)), .int(Int64(maxKinds))]).map { row in
      SettledPrediction(
        job: try row.int("job_id"), kind: try row.string("kind"), release: try row.int("release_id"),
        basis: try row.string("basis"),
        seconds: PredictedAmount(
          mean: try row.double("seconds_mean"), deviation: try row.double("seconds_deviation"),
          high: try row.double("seconds_high"), actual: try row.double("seconds_actual"),
          width: try row.double("seconds_width")),
        bytes: PredictedAmount(
          mean: try row.double("bytes_mean"), deviation: try row.double("bytes_deviation"),
          high: try row.double("bytes_high"), actual: try row.optionalDouble("bytes_actual"),
          width: try row.double("bytes_width")),
        standsFor: try row.double("stands_for"))
    }
  }

  /// A run with a deadline that has ended, and what was said of it before.
  package struct EndedRun: Sendable, Equatable {
    package var pipeline: String
    /// Seconds until its end, from when that was predicted. Nil: it was not.
    package var early: Double?
    package var mean: Double?
    package var late: Double?
    /// Nil: it failed.
    package var actual: Double?
    /// Before its deadline it was told that the run would miss it.
    package var announced: Bool
    package var missed: Bool

    package init(
      pipeline: String, early: Double? = nil, mean: Double? = nil, late: Double? = nil, actual: Double? = nil,
      announced: Bool = false, missed: Bool = false
    ) {
      self.pipeline = pipeline
      self.early = early
      self.mean = mean
      self.late = late
      self.actual = actual
      self.announced = announced
      self.missed = missed
    }
  }

  /// The last runs with a deadline that have ended, the newest first.
  ///
  /// - Source: `scaling_finishes.sql`.
  package func endedRuns(last limit: Int) async throws -> [EndedRun] {
    try await database.query(Statement.scalingFinishes, [.int(Int64(limit))]).map { row in
      EndedRun(
        pipeline: try row.string("pipeline"), early: try row.optionalDouble("early"),
        mean: try row.optionalDouble("mean"), late: try row.optionalDouble("late"),
        actual: try row.optionalDouble("actual"), announced: try row.bool("announced"), missed: try row.bool("missed"))
    }
  }
}
