import JobModel
import Postgres

/// Decides whether a job whose claim fails may be set aside: only where the job is the likely cause.
///
/// - An error that a trigger, a function or a damaged page raises tells nothing of the job.
/// - Where another job failed with the same words within a ``period``, and none was claimed since, the cause is likely not a job's.
/// - At most ``most`` in a ``period``, so that a wrong guess costs few.
///
/// Pure: the caller tells what happened and when.
package struct SetAsideRule: Sendable {
  package static let most = 10
  package static let period = Duration.seconds(60)

  private var times: [ContinuousClock.Instant] = []
  private var last: (job: JobID, state: String?, message: String, at: ContinuousClock.Instant)?

  package init() {}

  package func allows(_ job: JobID, _ error: PostgresError, at now: ContinuousClock.Instant) -> Bool {
    guard error.isOfOneJob else { return false }
    if let last, last.job != job, last.state == error.sqlState, last.message == error.message,
      last.at.duration(to: now) < Self.period
    {
      return false
    }
    return times.filter { $0.duration(to: now) < Self.period }.count < Self.most
  }

  /// A job was claimed.
  package mutating func claimed() { last = nil }

  package mutating func setAside(_ job: JobID, _ error: PostgresError, at now: ContinuousClock.Instant) {
    times = times.filter { $0.duration(to: now) < Self.period } + [now]
    last = (job, error.sqlState, error.message, now)
  }
}

extension PostgresError {
  /// Whether the values of one row may be the cause, and not the statement, the schema, the role or the server.
  ///
  /// 22 data exception (but a sequence at its end) · 23 constraint · 54 program limit · P0 and 38 a trigger's own · XX damaged rows.
  package var mayBeOfOneRow: Bool { isOfClass(["22", "23", "38", "54", "P0", "XX"]) }

  /// Whether these values are the likely cause: nothing that another's code or the storage says.
  fileprivate var isOfOneJob: Bool { isOfClass(["22", "23", "54"]) }

  private func isOfClass(_ classes: Set<String>) -> Bool {
    guard kind == .statement, let sqlState, sqlState != "2200H" else { return false }
    return classes.contains(String(sqlState.prefix(2)))
  }
}
