import Autoscaling
import JobModel
import JobStore
import Logging
import Postgres
import ServiceLifecycle

/// Decides every second how many workers of each release there are to be.
///
/// Any number of these services may run; one decides, by a lease with an epoch that each decision carries. The others take from the
/// stored decision which of their workers may go, and start none. While the database does not answer, nothing changes.
package struct ScalingService: Service {
  /// Without being renewed the lease ends after this: another process then decides.
  private static let lease = Duration.seconds(10)
  /// Attempts that ended of which one look learns. More of them say nothing more.
  private static let maxFinished = 2000
  /// Runs with a deadline that a decision looks at: the earliest.
  private static let mostDue = 50
  /// Worker-hours are counted with each look that follows one with workers, and so often without.
  private static let countEvery = Duration.seconds(30)
  /// For longer no process has decided: what workers did then is no cost of scaling.
  private static let mostUncounted = Duration.seconds(600)
  private static let expireEvery = Duration.seconds(600)
  /// How long decisions and predictions are kept, and how many go at once.
  private static let retention = Duration.seconds(14 * 86_400)
  private static let expireRows = 5000
  /// Where there is nothing to do, looks are so much rarer: the first job rings.
  private static let quietTicks = 3
  /// The least time between two looks, however often it rings.
  private static let shortestPause = Duration.milliseconds(100)

  private let store: JobStore
  private let limits: ScalingLimits
  private let settings: ScalingSettings
  private let stages: Set<String>
  private let board: ScalingBoard
  private let holder: String
  private let memory: @Sendable () -> HostMemory
  private let tick: Duration
  private let logger: Logger
  private let clock = ContinuousClock()
  private let histories = HistoryCache()

  /// - Parameters:
  ///   - limits: What the definition allows.
  ///   - stages: Those that the workers serve.
  ///   - holder: A name that no other process ever has.
  ///   - tick: Between two looks while there is work.
  ///   - memory: What this machine has and uses.
  package init(
    store: JobStore, limits: ScalingLimits, settings: ScalingSettings = ScalingSettings(), stages: Set<String>,
    board: ScalingBoard, holder: String,
    tick: Duration = .seconds(1), logger: Logger, memory: @escaping @Sendable () -> HostMemory = { .now() }
  ) {
    self.store = store
    self.limits = limits
    self.settings = settings
    self.stages = stages
    self.board = board
    self.holder = holder
    self.memory = memory
    self.tick = tick
    self.logger = logger
  }

  package func run() async throws {
    let listener = store.bell?.listen { [board] in board.ring($0) }
    defer { if let listener { store.bell?.remove(listener) } }
    // A graceful shutdown ends the waiting by cancellation; that is no failure of the service.
    do { try await cancelWhenGracefulShutdown { try await keepDeciding() } } catch is CancellationError {}
    // In a task of its own: the group is shutting down, and that must not cut the farewell off.
    let leaving = Task { [store, holder] in try await store.leaveScaling(as: holder) }
    do { try await leaving.value } catch {
      logger.info("the lease of scaling runs out by itself", metadata: ["error": "\(error)"])
    }
  }

  private func keepDeciding() async throws {
    var turn: Turn?
    while !Task.isCancelled {
      do { try await decide(&turn) } catch let error as any Failure where error.isTransient {
        logger.warning("the number of workers was not decided; it stays", metadata: ["error": "\(error)"])
      } catch {
        if error is CancellationError { throw error }
        // Workers, schedules and the API do not depend on it.
        logger.error("the number of workers could not be decided; it stays", metadata: ["error": "\(error)"])
      }
      try await pause(turn?.isQuiet == true ? tick * Self.quietTicks : tick)
    }
  }

  /// What this process has in hand while it decides.
  package struct Turn: Sendable {
    var epoch: Int64
    var state: ScalingState
    var lanes = LaneMemory()
    /// Of the look before: the number of the newest job, and until when history was read.
    var newestJob: Int64?
    var settled: String?
    /// Nothing was queued and nothing ran.
    var isQuiet = false
    /// What was logged last.
    var counts: [Int64: Int]?
    /// What workers were asked last; nil: not known.
    var rule: JobStore.PressureRule?
    var hasWorkers = true
    var countedAt: ContinuousClock.Instant?
    var expiredAt: ContinuousClock.Instant?
  }

  /// One look, and what follows from it.
  ///
  /// - Parameter turn: Nil while this process does not decide.
  package func decide(_ turn: inout Turn?) async throws {
    let begun = clock.now
    guard let lead = try await store.leadScaling(as: holder, lease: Self.lease) else {
      if turn != nil { logger.info("another process decides the number of workers") }
      turn = nil
      return try await follow()
    }
    if turn?.epoch != lead.epoch {
      logger.info("this process decides the number of workers", metadata: ["epoch": "\(lead.epoch)"])
      let settled = try await store.settledPredictions(
        perKind: PredictionWidths.maxPairs, maxKinds: PredictionWidths.maxKinds)
      var state = ScalingState(
        limits: limits, stages: stages, settings: settings, history: lead.history, settled: settled)
      state.remember(try await store.needEstimates(limit: EstimateBook.maxRead))
      turn = Turn(epoch: lead.epoch, state: state)
    }
    guard var own = turn else { return }
    try await lookAfter(&own)
    let look = try await measure(&own)
    let outcome = try own.state.decide(look)
    if let record = outcome.record {
      guard try await store.keep(record, as: holder, epoch: own.epoch) != nil else {
        turn = nil
        return
      }
      if own.counts != record.counts { log(record, epoch: own.epoch) }
      own.counts = record.counts
    }
    own.isQuiet = outcome.isQuiet
    turn = own
    board.post(
      ScalingBoard.Allotment(
        epoch: own.epoch, counts: outcome.counts, stops: Set(outcome.decision.stops),
        drains: Set(outcome.decision.drains), launchesUntil: begun + Self.lease))
    board.note(isQuiet: outcome.isQuiet)
    try await store.settle(outcome.settled)
    try await tellWorkers(outcome, &turn)
  }

  /// Workers read with their own looks what they are asked under memory pressure, and what jobs are expected to need.
  private func tellWorkers(_ outcome: ScalingState.Outcome, _ turn: inout Turn?) async throws {
    guard let epoch = turn?.epoch else { return }
    if turn?.rule != outcome.rule {
      guard try await store.keep(outcome.rule, as: holder, epoch: epoch) else { return }
      turn?.rule = outcome.rule
    }
    guard !outcome.estimates.isEmpty else { return }
    do {
      try await store.keep(outcome.estimates, as: holder, epoch: epoch, retention: EstimateBook.retention)
    } catch {
      turn?.state.forgetStored()
      throw error
    }
  }

  private func log(_ decision: JobStore.NewScalingDecision, epoch: Int64) {
    logger.info(
      "the number of workers was decided",
      metadata: [
        "workers": "\(decision.total)", "demanded": "\(decision.demanded)", "epoch": "\(epoch)",
        "reason": "\(decision.reasons.first ?? "")", "limited_by": "\(decision.limitedBy ?? "")",
      ])
  }

  /// Another process decides: what it allows to go may go, and it starts what is missing.
  private func follow() async throws {
    board.note(isQuiet: false)
    guard let last = try await store.scalingDecision() else { return }
    board.post(
      ScalingBoard.Allotment(
        epoch: last.epoch, counts: last.counts, stops: Set(last.stops), drains: Set(last.drains)))
  }

  private func measure(_ turn: inout Turn) async throws -> ScalingMeasurement {
    let begun = clock.now
    let moment = try await store.scalingMoment()
    var look = ScalingMeasurement(moment: moment)
    if let before = turn.newestJob { look.arrivals = try await store.arrivals(above: before, upTo: moment.newestJob) }
    look.running = try await store.runningAttempts()
    look.due = try await store.openRuns(limit: Self.mostDue)
    look.histories = try await histories.histories(of: Set(look.due.map(\.pipeline)), store: store)
    look.finished = try await store.finishedAttempts(
      after: turn.settled, until: moment.settled, limit: Self.maxFinished)
    turn.lanes.note(changed: look.arrivals.map(\.lane.lane) + look.running.map(\.lane))
    turn.lanes.note(changed: look.finished.compactMap(\.lane))
    turn.lanes.note(changed: board.takeRungLanes())
    let part = turn.lanes.next
    turn.lanes.take(try await store.laneDepths(part), of: part)
    look.lanes = turn.lanes.lanes
    look.isFinishedWhole = turn.settled != nil && look.finished.count < Self.maxFinished
    look.workers = try await store.workers()
    turn.hasWorkers = !look.workers.isEmpty
    look.releases = try await store.releases(in: [.staged, .canary, .current, .draining, .rejected])
    look.override = try await store.scalingOverride()
    look.coming = board.coming.map { ($0.release, max(0, $0.since.duration(to: clock.now).inSeconds)) }
    look.startSeconds = board.startSeconds
    look.troubles = board.troubles
    look.memory = memory()
    look.ageSeconds = begun.duration(to: clock.now).inSeconds
    turn.newestJob = moment.newestJob
    turn.settled = moment.settled
    return look
  }

  /// What is not for every look: what the month has cost, and what is too old to keep.
  private func lookAfter(_ turn: inout Turn) async throws {
    let now = clock.now
    if turn.hasWorkers || turn.countedAt.map({ $0.duration(to: now) >= Self.countEvery }) ?? true {
      let month = try await store.countWorkerHours(atMost: Self.mostUncounted)
      turn.state.limits.usedHours = month.used
      turn.state.limits.budgetRenewsInSeconds = month.renewsInSeconds
      turn.countedAt = now
    }
    if turn.expiredAt.map({ $0.duration(to: now) >= Self.expireEvery }) ?? true {
      _ = try await store.expireScaling(after: Self.retention, limit: Self.expireRows)
      turn.expiredAt = now
    }
  }

  /// Until the next look is due, or jobs became ready where there was nothing to do.
  private func pause(_ length: Duration) async throws {
    try await clock.sleep(for: Self.shortestPause)
    let left = length - Self.shortestPause
    await withTaskGroup(of: Void.self) { group in
      group.addTask { [clock] in try? await clock.sleep(for: left) }
      group.addTask { [board] in await board.rung.wait() }
      await group.next()
      group.cancelAll()
    }
    try Task.checkCancellation()
  }
}
