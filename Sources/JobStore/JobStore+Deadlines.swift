import JobModel
import Postgres

/// By when runs must be done.
extension JobStore {
  /// Says when new runs are due: at the first time of the rule after an instant.
  ///
  /// - Parameter after: Nil: the database's now.
  /// - Throws: ``ScheduleRefused`` where the database knows no time zone of this name.
  /// - Source: `schedule_zone.sql`, `schedule_local.sql`, `schedule_times.sql`, `run_deadline.sql`.
  func setDeadline(
    _ rule: DeadlineRule, of runs: [RunID], pipeline: String, after: String?, in transaction: PostgresTransaction
  ) async throws {
    guard let due = try await nextDeadline(of: rule, pipeline: pipeline, after: after, in: transaction) else { return }
    try await transaction.query(Statement.runDeadline, [.ints(runs.map(\.rawValue)), .text(due)])
  }

  /// The first time of the rule after an instant.
  ///
  /// - Parameter after: Nil: the database's now.
  /// - Throws: ``ScheduleRefused`` where the database knows no time zone of this name.
  package func nextDeadline(
    of rule: DeadlineRule, pipeline: String, after: String? = nil, in session: some PostgresSession
  ) async throws -> String? {
    guard try await knowsTimeZone(rule.timeZone, in: session) else {
      throw ScheduleRefused(pipeline: pipeline, timeZone: rule.timeZone, part: "deadline")
    }
    return try await nextTimes(of: rule.cron, timeZone: rule.timeZone, after: after, in: session).first
  }
}

/// What is told of runs that miss their deadline, and what was predicted of their end.
extension JobStore {
  /// What was told last of a run.
  package struct LateWarningRecord: Sendable, Equatable {
    /// As predicted then; zero: it was in time again.
    package var lateSeconds: Double
    /// Its deadline had passed.
    package var missed: Bool

    package init(lateSeconds: Double, missed: Bool) {
      self.lateSeconds = lateSeconds
      self.missed = missed
    }
  }

  /// Instants in seconds since 1970.
  package struct FinishForecast: Sendable, Equatable {
    package var run: Int64
    package var early: Double
    package var mean: Double
    package var late: Double

    package init(run: Int64, early: Double, mean: Double, late: Double) {
      self.run = run
      self.early = early
      self.mean = mean
      self.late = late
    }
  }

  /// Whether this transaction tells of late runs, to its end; any number of controls may ask.
  ///
  /// - Source: `schedule_lead.sql`.
  package func leadsDeadlines(in transaction: PostgresTransaction) async throws -> Bool {
    // One constant for every version of the engine.
    let lockKey: Int64 = 7_351_904_239
    return try await transaction.query(Statement.scheduleLead, [.int(lockKey)]).only.bool("leads")
  }

  /// - Source: `late_warning_list.sql`.
  package func lateWarnings(
    of runs: [Int64], in session: some PostgresSession
  ) async throws -> [Int64: LateWarningRecord] {
    let rows = try await session.query(Statement.lateWarningList, [.ints(runs)])
    return Dictionary(
      uniqueKeysWithValues: try rows.map {
        (
          try $0.int("run_id"),
          LateWarningRecord(lateSeconds: try $0.double("late_seconds"), missed: try $0.bool("missed"))
        )
      })
  }

  /// Remembers what was told of a run, in the transaction that tells it.
  ///
  /// - Source: `late_warning_write.sql`.
  package func keep(
    _ warning: LateWarningRecord, of run: Int64, in session: some PostgresSession, now: String? = nil
  ) async throws {
    try await session.query(
      Statement.lateWarningWrite,
      [.int(run), .double(warning.lateSeconds), .bool(warning.missed), .optional(now)])
  }

  /// Keeps the first forecast of each run.
  ///
  /// - Source: `forecast_write.sql`.
  package func keep(
    _ forecasts: [FinishForecast], in session: some PostgresSession, now: String? = nil
  ) async throws {
    guard !forecasts.isEmpty else { return }
    func column(_ value: (FinishForecast) -> Double) -> PostgresValue { .texts(forecasts.map { "\(value($0))" }) }
    try await session.query(
      Statement.forecastWrite,
      [.ints(forecasts.map(\.run)), column(\.early), column(\.mean), column(\.late), .optional(now)])
  }
}
