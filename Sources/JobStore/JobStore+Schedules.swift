import JobModel
import Postgres

extension JobStore {
  /// Later than this a scheduled time counts as lost in an outage, not as a little late.
  private static let lateSeconds = 300.0
  /// Of the times that went by in an outage, those that are looked at one by one.
  package static let mostCaughtUp = 1000
  /// How much a clock can be put back at once, in minutes: local times this far away may be the same instant.
  private static let longestFold = 180

  /// Puts a pipeline's schedule in force.
  ///
  /// What was considered before stays, unless the times are others now.
  /// - Throws: ``ScheduleRefused`` where the database knows no time zone of this name.
  /// - Source: `schedule_zone.sql`, `schedule_register.sql`.
  package func registerSchedule(
    _ rule: ScheduleRule, pipeline: String, release: Int64, now: String? = nil, in session: (any PostgresSession)? = nil
  ) async throws {
    try await requireTimeZone(of: rule, pipeline: pipeline, in: session)
    try await (session ?? database).query(
      Statement.scheduleRegister,
      [
        .text(pipeline), .int(release), .text(rule.cron.text), .text(rule.timeZone), .text(rule.overlap.rawValue),
        .text(rule.catchUp.rawValue), .optional(now),
      ])
  }

  /// - Throws: ``ScheduleRefused`` where the database knows no time zone of this name.
  /// - Source: `schedule_zone.sql`.
  package func requireTimeZone(
    of rule: ScheduleRule, pipeline: String, in session: (any PostgresSession)? = nil
  ) async throws {
    guard try await knowsTimeZone(rule.timeZone, in: session) else {
      throw ScheduleRefused(pipeline: pipeline, timeZone: rule.timeZone)
    }
  }

  /// - Source: `schedule_zone.sql`.
  func knowsTimeZone(_ name: String, in session: (any PostgresSession)?) async throws -> Bool {
    try await (session ?? database).query(Statement.scheduleZone, [.text(name)]).only.bool("is_known")
  }

  /// Ends the schedules of all other pipelines. Returns whose ended.
  ///
  /// - Source: `schedule_retain.sql`.
  package func retainSchedules(
    of pipelines: [String], in session: (any PostgresSession)? = nil
  ) async throws -> [String] {
    try await (session ?? database).query(Statement.scheduleRetain, [.texts(pipelines)]).map {
      try $0.string("pipeline")
    }
  }

  /// The pipelines whose schedules have something to decide.
  ///
  /// - Source: `schedule_due.sql`.
  package func dueSchedules(now: String? = nil) async throws -> [String] {
    try await database.query(Statement.scheduleDue, [.optional(now)]).map { try $0.string("pipeline") }
  }

  /// Whether this transaction leads the schedulers of all controls, to its end.
  package func leadsSchedules(in transaction: PostgresTransaction) async throws -> Bool {
    // One constant for every version of the engine.
    let lockKey: Int64 = 7_351_904_231
    return try await transaction.query(Statement.scheduleLead, [.int(lockKey)]).only.bool("leads")
  }

  /// One schedule as the transaction that decides it finds it.
  package struct TakenSchedule: Sendable, Equatable {
    package var pipeline: String
    package var release: Int64
    package var cron: String
    package var timeZone: String
    package var consideredAt: String
    package var decision: ScheduleDecision
    /// Whether a time has come, or the next one is to be found.
    package var isDue: Bool
    /// It was considered at a time that is still to come: the clock was ahead, and was set back.
    package var isAhead: Bool
    fileprivate var consideredLocal: String
    fileprivate var localNow: String
  }

  /// Locks a schedule and says what stands in a run's way; nil where it is gone.
  ///
  /// - Source: `schedule_take.sql`.
  package func takeSchedule(
    _ pipeline: String, now: String? = nil, in transaction: PostgresTransaction
  ) async throws -> TakenSchedule? {
    guard let row = try await transaction.query(Statement.scheduleTake, [.text(pipeline), .optional(now)]).first else {
      return nil
    }
    let waiting = try row.optionalString("waiting")?.split(separator: ",").map(String.init) ?? []
    return TakenSchedule(
      pipeline: pipeline, release: try row.int("release_id"), cron: try row.string("cron"),
      timeZone: try row.string("timezone"), consideredAt: try row.string("considered_at"),
      decision: ScheduleDecision(
        overlap: ScheduleRule.Overlap(rawValue: try row.string("overlap")) ?? .skip,
        catchUp: ScheduleRule.CatchUp(rawValue: try row.string("catch_up")) ?? .latest,
        isPaused: try row.bool("is_paused"), busy: try row.optionalInt("busy").map { RunID($0) }, waiting: waiting),
      isDue: try row.bool("is_due"), isAhead: try row.bool("is_ahead"),
      consideredLocal: try row.string("considered_local"),
      localNow: try row.string("local_now"))
  }

  /// Lets a schedule begin now that was considered while the clock was ahead.
  ///
  /// - Returns: The time up to which it was considered; nil where that is not ahead.
  /// - Source: `schedule_recover.sql`.
  package func recoverSchedule(
    _ pipeline: String, now: String? = nil, in session: some PostgresSession
  ) async throws -> String? {
    try await session.query(Statement.scheduleRecover, [.text(pipeline), .optional(now)]).first?.string("considered_at")
  }

  /// The times of a schedule that have come since it was last considered, ascending: the latest
  /// ``mostCaughtUp``, and about how many more there are before these.
  ///
  /// - Source: `schedule_times.sql`.
  package func dueTimes(
    of schedule: TakenSchedule, now: String? = nil, in transaction: PostgresTransaction
  ) async throws -> (due: [ScheduleDecision.Due], earlier: Int) {
    let cron = try CronSchedule(schedule.cron)
    guard let from = CivilTime(schedule.consideredLocal), let through = CivilTime(schedule.localNow) else {
      preconditionFailure("the statement writes local times in the form that CivilTime reads")
    }
    let local = cron.times(
      after: from + -Self.longestFold, through: through + Self.longestFold,
      latest: Self.mostCaughtUp + 2 * Self.longestFold
    ).times
    let earlier = cron.times(after: from, through: through, latest: Self.mostCaughtUp).earlier
    let due = try await instants(
      of: local, cron, zone: schedule.timeZone, after: schedule.consideredAt, upToNow: true, now: now, in: transaction)
    let rest = max(0, due.count - Self.mostCaughtUp)
    return (Array(due.dropFirst(rest)), max(earlier, rest))
  }

  /// The next times of a schedule after an instant (nil: now).
  ///
  /// - Source: `schedule_local.sql`, `schedule_times.sql`.
  package func nextTimes(
    of cron: CronSchedule, timeZone: String, after now: String? = nil, limit: Int = 1, in session: some PostgresSession
  ) async throws -> [String] {
    let clock = try await session.query(Statement.scheduleLocal, [.text(timeZone), .optional(now)]).only
    guard let local = CivilTime(try clock.string("local")) else {
      preconditionFailure("the statement writes local times in the form that CivilTime reads")
    }
    // What is further away than a fold is after now; a few more, for those that fall together at the end of a gap.
    let near = cron.times(
      after: local + -Self.longestFold, through: local + Self.longestFold, latest: 2 * Self.longestFold)
    let times = near.times + cron.times(after: local + Self.longestFold, limit: 4 * limit)
    return try await instants(
      of: times, cron, zone: timeZone, after: now, upToNow: false, now: now, limit: limit, in: session
    ).map(\.at)
  }

  /// - Parameter start: nil: now.
  private func instants(
    of local: [CivilTime], _ cron: CronSchedule, zone: String, after start: String?, upToNow: Bool, now: String?,
    limit: Int = Int(Int32.max), in session: some PostgresSession
  ) async throws -> [ScheduleDecision.Due] {
    try await session.query(
      Statement.scheduleTimes,
      [
        .texts(local.map(\.text)), .text(zone), .bool(cron.meansEveryMoment), .optional(start), .bool(upToNow),
        .int(Int64(limit)), .optional(now), .double(Self.lateSeconds),
      ]
    ).map { ScheduleDecision.Due(at: try $0.string("at"), isLate: try $0.bool("is_late")) }
  }

  /// What became of one scheduled time.
  package enum TickOutcome: Sendable, Equatable {
    case started(RunID)
    case waiting
    case skipped(String)
    case missed(String)
    case failed(String)
  }

  /// Decides a scheduled time. Returns false where it was decided before: then nothing is to be started for it.
  ///
  /// - Source: `schedule_tick_write.sql`.
  package func decide(
    _ time: String, of pipeline: String, as outcome: TickOutcome, now: String? = nil, in session: some PostgresSession
  ) async throws -> Bool {
    let (name, run, reason): (String, Int64?, String?) =
      switch outcome {
      case .started(let run): ("started", run.rawValue, nil)
      case .waiting: ("waiting", nil, nil)
      case .skipped(let reason): ("skipped", nil, reason)
      case .missed(let reason): ("missed", nil, reason)
      case .failed(let reason): ("failed", nil, reason)
      }
    let rows = try await session.query(
      Statement.scheduleTickWrite,
      [
        .text(pipeline), .text(time), .text(name), .optional(run), .optional(reason.map { storable($0) }),
        .optional(now),
      ])
    return rows.count == 1
  }

  /// Starts the run of a scheduled time, whose `_run_at` is that time, in the transaction that decides it.
  ///
  /// - Returns: The run; nil where the time was decided before.
  /// - Source: `run_insert.sql`, `schedule_run_time.sql`, `schedule_tick_write.sql`.
  package func startScheduled(
    _ plan: RunPlan, at time: String, with assignment: RunAssignment, now: String? = nil,
    in transaction: PostgresTransaction
  ) async throws -> EnqueuedRun? {
    let isOpen = try await decide(time, of: plan.pipeline, as: .waiting, now: now, in: transaction)
    guard isOpen else { return nil }
    let run = try await enqueue(plan, with: assignment, in: transaction, now: now, scheduledAt: time)
    try await transaction.query(
      Statement.scheduleRunTime, [.ints(([run.runID] + run.loads).map(\.rawValue)), .text(time)])
    _ = try await decide(time, of: plan.pipeline, as: .started(run.runID), now: now, in: transaction)
    return run
  }

  /// Notes that every time up to now is decided, and when the next one is.
  ///
  /// - Source: `schedule_advance.sql`.
  package func advanceSchedule(
    _ pipeline: String, next: String?, now: String? = nil, in session: some PostgresSession
  ) async throws {
    try await session.query(Statement.scheduleAdvance, [.text(pipeline), .optional(now), .optional(next)])
  }
}

/// The database has no time zone of this name.
package struct ScheduleRefused: Failure, Equatable {
  package var pipeline: String
  package var timeZone: String
  /// What of the pipeline names it: its `schedule` or its `deadline`.
  package var part: String
  package init(pipeline: String, timeZone: String, part: String = "schedule") {
    self.pipeline = pipeline
    self.timeZone = timeZone
    self.part = part
  }
  package var code: String { "unknown_time_zone" }
  package var message: String { "the \(part) of \(pipeline): there is no time zone \"\(timeZone)\"" }
  package var hint: String? { "write a name of the IANA list, such as Europe/Zurich" }
  package var isTransient: Bool { false }
}
