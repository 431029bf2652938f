import JobModel
import JobStore
import Launchers
import Logging
import Postgres
import ServiceLifecycle

/// Keeps workers running that the releases need, and replaces those that end.
///
/// What counts is what beats: workers that an earlier control process left behind are adopted, not doubled.
package struct WorkerPool: Service {
  /// Which workers a pool keeps.
  package enum Aim: Sendable, Equatable {
    /// All of this host: so many of the release that takes the new runs, and one of every other that has work.
    case host(Int)
    /// One of each release that has work and no worker anywhere: others start the rest.
    case lastOnes
    /// As many of each release as are decided all the time.
    case scaled
  }

  /// What became of the workers of the release that takes the new runs.
  package enum Standing: Sendable, Equatable {
    /// One has registered.
    case working
    /// None is wanted now, or not of this process.
    case notNeeded
    /// So many starts in a row have failed, the last one for this reason.
    case failing(String, times: Int)
  }

  /// Looks of a pool that follows a decision are so much rarer while there is neither a worker nor work.
  private static let quietTicks = 5
  /// Between two lists of the launcher's workers, and where something depends on them.
  private static let list = Duration.seconds(10)
  private static let doubtfulList = Duration.seconds(2)

  private let store: JobStore
  private let launcher: any Launcher
  private let aim: Aim
  private let host: String
  private let tick: Duration
  private let logger: Logger
  private let tell: @Sendable (Standing) -> Void
  private let leavesWorkers: @Sendable () -> Bool
  private let newLaunch: @Sendable (_ release: Int64) -> Launch
  private let board: ScalingBoard?
  private let clock = ContinuousClock()

  /// - Parameters:
  ///   - aim: Which workers it keeps; only those are asked to stop when it ends.
  ///   - newLaunch: Names a start as no other one was ever named.
  ///   - tell: Called with every look at the release that takes the new runs.
  ///   - board: Where it finds what was decided, and says what becomes of it: with ``Aim/scaled``.
  ///   - leavesWorkers: Asked at the end: whether another pool takes over the workers.
  package init(
    store: JobStore, launcher: any Launcher, aim: Aim, host: String, tick: Duration = .milliseconds(200),
    logger: Logger, board: ScalingBoard? = nil, newLaunch: @escaping @Sendable (_ release: Int64) -> Launch,
    tell: @escaping @Sendable (Standing) -> Void = { _ in },
    leavesWorkers: @escaping @Sendable () -> Bool = { false }
  ) {
    self.tell = tell
    self.leavesWorkers = leavesWorkers
    self.newLaunch = newLaunch
    precondition((aim == .scaled) == (board != nil), "a pool that is scaled finds its count on a board")
    self.board = board
    self.store = store
    self.launcher = launcher
    self.aim = aim
    self.host = host
    self.tick = tick
    self.logger = logger
  }

  package func run() async throws {
    let desk = LauncherDesk(launcher)
    let starting = try await withThrowingTaskGroup(of: Set<WorkerHandle>.self) { group in
      group.addTask {
        // Starts that are under way at the end are waited for: what they bring is to be stopped too.
        await desk.run()
        return []
      }
      group.addTask {
        defer { desk.close() }
        return try await cancelWhenGracefulShutdown { try await keepLooking(desk) }
      }
      return try await group.reduce(into: Set<WorkerHandle>()) { $0.formUnion($1) }
    }
    let last = desk.take().compactMap { answer in if case .started(_, let worker) = answer { worker } else { nil } }
    if !leavesWorkers() { try await drainAll(starting: starting.union(last)) }
  }

  /// Returns the workers that are not proven yet.
  private func keepLooking(_ desk: LauncherDesk) async throws -> Set<WorkerHandle> {
    var state = PoolState(aim: aim, tick: tick, patience: launcher.patience, isShared: launcher.isShared)
    var lists = ListTurns()
    while !Task.isCancelled {
      do {
        try await keep(&state, &lists, desk)
      } catch is CancellationError {
        // The shutdown came in the middle of a look at the database.
        break
      } catch let error as any Failure where error.isTransient {
        logger.warning("the worker pool could not be looked after", metadata: ["error": "\(error)"])
      }
      await pause(state.isQuiet ? tick * Self.quietTicks : tick)
    }
    return state.starting
  }

  /// When the launcher was asked for a list, and what it said.
  private struct ListTurns {
    var askedAt: ContinuousClock.Instant?
    var isUnderWay = false
    var last: PoolState.Listing?
    /// Since when this process has decided.
    var leadsSince: ContinuousClock.Instant?
  }

  /// Until the next look is due, or something was decided.
  private func pause(_ length: Duration) async {
    guard let board else {
      try? await clock.sleep(for: length)
      return
    }
    await withTaskGroup(of: Void.self) { group in
      group.addTask { [clock] in try? await clock.sleep(for: length) }
      group.addTask { await board.changed.wait() }
      await group.next()
      group.cancelAll()
    }
  }

  private func keep(_ state: inout PoolState, _ lists: inout ListTurns, _ desk: LauncherDesk) async throws {
    // One that cannot be written down loses none of the others: the launcher gives each answer once.
    var problem: (any Error)?
    for answer in desk.take() {
      do { try await note(answer, &state, &lists) } catch { problem = problem ?? error }
    }
    if let problem { throw problem }
    if let last = lists.last, last.registered == nil {
      // Before the look: a worker that registers between them is found by the look alone.
      let launches = last.workers.compactMap { $0.launch?.id }
      lists.last?.registered = launches.isEmpty ? [] : try await store.launched(launches)
    }
    var look = try await look(state, lists.last)
    if launcher.isShared { follow(&look, &lists) }
    for step in state.steps(after: look) {
      do { try await take(step, &state, desk) } catch { problem = problem ?? error }
    }
    if let problem { throw problem }
    if mayList(look), !lists.isUnderWay,
      lists.askedAt.map({
        $0.duration(to: look.now) >= (state.isInDoubt || look.awaitsListSince != nil ? Self.doubtfulList : Self.list)
      }) ?? true
    {
      (lists.askedAt, lists.isUnderWay) = (look.now, true)
      desk.ask(.list)
    }
    board?.note(coming: state.coming)
    board?.note(troubles: state.troubles(wanted: look.allotment?.counts))
  }

  /// Only a pool that follows a decision adopts and stops what it finds; of several that reach the same workers the one that decides.
  private func mayList(_ look: PoolState.Look) -> Bool {
    aim == .scaled && (!launcher.isShared || look.allotment?.launchesUntil.map { $0 > look.now } ?? false)
  }

  /// Of a launcher that other processes use too, a list counts only if it was asked for since this one decides.
  private func follow(_ look: inout PoolState.Look, _ lists: inout ListTurns) {
    if !mayList(look) {
      (lists.leadsSince, lists.askedAt) = (nil, nil)
    } else if lists.leadsSince == nil {
      lists.leadsSince = look.now
    }
    if let last = lists.last, lists.leadsSince.map({ last.begunAt < $0 }) ?? true { lists.last = nil }
    look.listing = lists.last
    look.awaitsListSince = lists.last == nil ? lists.leadsSince : nil
  }

  private func note(_ answer: LauncherDesk.Answer, _ state: inout PoolState, _ lists: inout ListTurns) async throws {
    switch answer {
    case .started(let launch, let worker):
      logger.info(
        "worker launched",
        metadata: ["worker": "\(worker)", "release": "\(launch.release)", "launch": "\(launch.id)"])
      state.launched(worker, of: launch.release, at: clock.now, as: launch)
    case .notStarted(let launch, let error):
      logger.error(
        "a worker could not be launched", metadata: ["release": "\(launch.release)", "error": "\(error)"])
      let reason = Self.reason(error)
      let doubt = (error as? LauncherError)?.doubt ?? .none
      for step in state.launchFailed(launch, because: reason, doubt: doubt, at: clock.now) {
        try await note(step)
      }
    case .stopped: state.stopped()
    case .notStopped(let worker, let error):
      logger.warning("a worker could not be stopped", metadata: ["worker": "\(worker)", "error": "\(error)"])
      state.notStopped(worker, because: Self.reason(error), at: clock.now)
    case .listed(let listing):
      lists.isUnderWay = false
      lists.last = listing
      state.listed(trouble: nil)
    case .notListed(let error):
      lists.isUnderWay = false
      logger.warning("the workers could not be listed", metadata: ["error": "\(error)"])
      state.listed(trouble: Self.reason(error))
    }
  }

  private static func reason(_ error: any Failure) -> String {
    [error.message, error.hint].compactMap { $0 }.joined(separator: "; ")
  }

  private func look(_ state: PoolState, _ listing: PoolState.Listing?) async throws -> PoolState.Look {
    let fleet = try await store.workers()
    let releases = try await store.releases(in: [.staged, .canary, .current, .draining, .rejected])
    let handles = try await handles(of: fleet)
    return PoolState.Look(
      now: clock.now, fleet: fleet, handles: handles, living: launcher.existing(state.starting),
      releases: releases, needs: try await store.needs(of: releases.map(\.id) + (aim == .scaled ? [0] : [])),
      // Workers of a shared launcher are not on this host.
      isDrained: launcher.isShared ? false : try await store.isDrained(host: host), allotment: board?.allotment,
      elsewhere: Set(fleet.filter { handle(of: $0) == nil }.map(\.id)), listing: listing)
  }

  private func handle(of worker: WorkerRecord) -> WorkerHandle? {
    launcher.handle(of: RegisteredWorker(host: worker.host, pid: Int32(worker.pid), launch: worker.launch))
  }

  /// Of the workers that beat those that this pool keeps and that exist: a killed one is replaced before its lease runs out.
  private func handles(of fleet: [WorkerRecord]) async throws -> [Int64: WorkerHandle] {
    let launched = aim == .lastOnes ? launcher.launched : nil
    var handles: [Int64: WorkerHandle] = [:]
    for worker in fleet where !worker.servesOneRun {
      guard let handle = handle(of: worker), launched?.contains(handle) != false
      else { continue }
      handles[worker.id] = handle
    }
    let alive = launcher.existing(Set(handles.values))
    return handles.filter { alive.contains($0.value) }
  }

  private func take(_ step: PoolState.Step, _ state: inout PoolState, _ desk: LauncherDesk) async throws {
    switch step {
    case .launch(let release):
      let launch = newLaunch(release)
      state.ask(launch, at: clock.now)
      desk.ask(.start(launch))
    case .drain(let worker): desk.ask(.stop(worker))
    case .askToDrain(let number, let worker):
      do { _ = try await store.askToDrain(worker: number) } catch {
        state.notStopped(worker, because: "a worker could not be asked to end", at: clock.now)
        throw error
      }
    case .noteStart, .tell, .ring, .measured, .log: try await note(step)
    }
  }

  /// Says what has become of something.
  private func note(_ step: PoolState.Step) async throws {
    switch step {
    case .launch, .drain, .askToDrain: break
    case .noteStart(let release, let failed):
      if release != 0 { try await store.noteStart(of: release, failed: failed) }
    case .tell(let standing): tell(standing)
    case .ring: board?.ring()
    case .measured(let start): board?.note(start: start)
    case .log(let text, let worker, let release, let isError):
      logger.log(
        level: isError ? .error : .info, "\(text)", metadata: ["worker": "\(worker)", "release": "\(release)"])
    }
  }

  /// Asks every worker that it keeps to finish, and waits for a minute until they have.
  package func drainAll() async throws { try await drainAll(starting: []) }

  private func drainAll(starting: Set<WorkerHandle>) async throws {
    let farewell = PoolFarewell(store: store, launcher: launcher, logger: logger)
    guard launcher.isShared else {
      return try await farewell.drain(launcher.launched.union(starting), andRegistered: aim != .lastOnes)
    }
    // Another process decides, and keeps them.
    guard board?.allotment?.launchesUntil != nil else { return }
    try await farewell.drainShared(starting)
  }
}
