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
