import JobModel
import JobStore
import Logging
import Postgres
import ServiceLifecycle

/// Starts the runs whose time has come.
///
/// Any number may run; one leads, by an advisory lock of the transaction that decides a pipeline's times. Were there two
/// all the same, a time is decided once by the key of its row. What a pipeline's times lead to, ``ScheduleDecision`` says.
package struct Scheduler: Service {
  /// The jobs of a run and the release that it begins with; a ``Failure`` says why there can be none.
  ///
  /// - Parameter release: The one whose definition brought the schedule.
  package typealias Planning =
    @Sendable (
      _ pipeline: String, _ release: Int64
    ) async throws -> (plan: RunPlan, assignment: RunAssignment)

  private let store: JobStore
  private let tick: Duration
  private let logger: Logger
  private let plan: Planning
  private let clock = ContinuousClock()

  package init(store: JobStore, tick: Duration = .seconds(1), logger: Logger, plan: @escaping Planning) {
    self.store = store
    self.tick = tick
    self.logger = logger
    self.plan = plan
  }

  package func run() async throws {
    // A graceful shutdown ends the waiting by cancellation; that is no failure of the service.
    do { try await cancelWhenGracefulShutdown { try await keepScheduling() } } catch is CancellationError {}
  }

  private func keepScheduling() async throws {
    while !Task.isCancelled {
      do { try await decideDue() } catch let error as PostgresError where error.isTransient {
        logger.warning("the scheduler lost its connection; trying again", metadata: ["error": "\(error)"])
      }
      try await clock.sleep(for: tick)
    }
  }

  /// Decides every time that has come, a transaction for each pipeline.
  ///
  /// - Parameter now: nil: the database's clock.
  package func decideDue(now: String? = nil) async throws {
    for pipeline in try await store.dueSchedules(now: now) {
      do { try await decide(pipeline, now: now) } catch let moved as ReleaseMoved {
        logger.debug("a run is started by the next look", metadata: ["pipeline": "\(pipeline)", "reason": "\(moved)"])
      } catch {
        if error is CancellationError || (error as? PostgresError)?.isTransient == true { throw error }
        // One pipeline that cannot be decided keeps no other from its runs.
        logger.error(
          "a schedule could not be decided", metadata: ["pipeline": "\(pipeline)", "error": "\(error)"])
      }
    }
  }

  private func decide(_ pipeline: String, now: String?) async throws {
    try await store.database.transaction { transaction in
      guard try await store.leadsSchedules(in: transaction),
        let schedule = try await store.takeSchedule(pipeline, now: now, in: transaction)
      else { return }
      if schedule.isAhead { return try await recover(schedule, now, transaction) }
      var (due, earlier): ([ScheduleDecision.Due], Int) = ([], 0)
      if schedule.isDue { (due, earlier) = try await store.dueTimes(of: schedule, now: now, in: transaction) }
      let steps = schedule.decision.steps(for: due)
      for step in steps { try await take(step, schedule, now, transaction) }
      try await tell(missed: steps, earlier: earlier, of: schedule, transaction)
      guard schedule.isDue else { return }
      let next = try await store.nextTimes(
        of: try CronSchedule(schedule.cron), timeZone: schedule.timeZone, after: now, in: transaction
      ).first
      try await store.advanceSchedule(pipeline, next: next, now: now, in: transaction)
    }
  }

  /// The clock was ahead and was set back: the schedule begins now, and its next time is found by the next look.
  private func recover(
    _ schedule: JobStore.TakenSchedule, _ now: String?, _ transaction: PostgresTransaction
  ) async throws {
    guard let until = try await store.recoverSchedule(schedule.pipeline, now: now, in: transaction) else { return }
    let message = "the database's clock was ahead, up to \(until), and was set back: the schedule continues from now"
    logger.warning(
      "a schedule was decided by a clock that was ahead; it continues from now",
      metadata: ["pipeline": "\(schedule.pipeline)", "until": "\(until)"])
    try await note("schedule_recovered", message, schedule, transaction)
  }

  private func take(
    _ step: ScheduleDecision.Step, _ schedule: JobStore.TakenSchedule, _ now: String?,
    _ transaction: PostgresTransaction
  ) async throws {
    let pipeline = schedule.pipeline
    switch step {
    case .start(let time): try await start(time, schedule, now, transaction)
    case .wait(let time):
      _ = try await store.decide(time, of: pipeline, as: .waiting, now: now, in: transaction)
    case .skip(let time, let reason):
      guard try await store.decide(time, of: pipeline, as: .skipped(reason), now: now, in: transaction) else { break }
      // Of a pause there is nothing more to tell, however many times it lasts.
      guard !schedule.decision.isPaused else { break }
      try await note("schedule_skipped", "no run for \(time): \(reason)", schedule, transaction)
    case .miss(let time, let reason):
      _ = try await store.decide(time, of: pipeline, as: .missed(reason), now: now, in: transaction)
    }
  }

  private func start(
    _ time: String, _ schedule: JobStore.TakenSchedule, _ now: String?, _ transaction: PostgresTransaction
  ) async throws {
    let pipeline = schedule.pipeline
    do {
      let (plan, assignment) = try await plan(pipeline, schedule.release)
      guard
        let run = try await store.startScheduled(
          plan, at: time, with: assignment, now: now, in: transaction)
      else { return }
      logger.info("scheduled run started", metadata: ["pipeline": "\(pipeline)", "run_id": "\(run.runID)"])
    } catch let failure as any Failure where !(failure is PostgresError || failure is ReleaseMoved) {
      let isOpen = try await store.decide(time, of: pipeline, as: .failed(failure.message), now: now, in: transaction)
      guard isOpen else { return }
      logger.error("a scheduled run could not start", metadata: ["pipeline": "\(pipeline)", "error": "\(failure)"])
      try await note("schedule_failed", "no run for \(time): \(failure.message)", schedule, transaction)
      let body =
        "{\"event\":\"failed\",\"pipeline\":\(jsonString(pipeline)),\"scheduled_at\":\(jsonString(time)),"
        + "\"error\":\(failure.json)}"
      try await store.tell("failed", pipeline: pipeline, run: nil, body: body, in: transaction)
    }
  }

  /// One event for all that an outage took.
  private func tell(
    missed steps: [ScheduleDecision.Step], earlier: Int, of schedule: JobStore.TakenSchedule,
    _ transaction: PostgresTransaction
  ) async throws {
    let missed = steps.filter { if case .miss = $0 { true } else { false } }.count
    guard missed + earlier > 0 else { return }
    let count = earlier > 0 ? "about \(missed + earlier)" : "\(missed)"
    let message = "\(count) time(s) since \(schedule.consideredAt) started no run: nobody was there to start them"
    try await note("schedule_missed", message, schedule, transaction)
  }

  private func note(
    _ event: String, _ message: String, _ schedule: JobStore.TakenSchedule, _ transaction: PostgresTransaction
  ) async throws {
    try await store.note(
      event: event, pipeline: schedule.pipeline, run: nil, job: nil, message: message, in: transaction)
  }
}
