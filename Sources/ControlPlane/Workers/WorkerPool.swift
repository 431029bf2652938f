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

  private let store: JobStore
  private let launcher: any Launcher
  private let aim: Aim
  private let host: String
  private let tick: Duration
  private let logger: Logger
  private let tell: @Sendable (Standing) -> Void
  private let leavesWorkers: @Sendable () -> Bool
  private let board: ScalingBoard?
  private let clock = ContinuousClock()

  /// - Parameters:
  ///   - aim: Which workers it keeps; only those are asked to stop when it ends.
  ///   - tell: Called with every look at the release that takes the new runs.
  ///   - board: Where it finds what was decided, and says what becomes of it: with ``Aim/scaled``.
  ///   - leavesWorkers: Asked at the end: whether another pool takes over the workers.
  package init(
    store: JobStore, launcher: any Launcher, aim: Aim, host: String, tick: Duration = .milliseconds(200),
    logger: Logger, board: ScalingBoard? = nil, tell: @escaping @Sendable (Standing) -> Void = { _ in },
    leavesWorkers: @escaping @Sendable () -> Bool = { false }
  ) {
    self.tell = tell
    self.leavesWorkers = leavesWorkers
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
    let unregistered = try await cancelWhenGracefulShutdown {
      var state = PoolState(aim: aim, tick: tick)
      while !Task.isCancelled {
        do {
          try await keep(&state)
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
    if !leavesWorkers() { try await drainAll(starting: unregistered) }
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

  private func keep(_ state: inout PoolState) async throws {
    let look = try await look(state)
    var failed: Set<Int64> = []
    for step in state.steps(after: look) {
      if case .launch(let release) = step, failed.contains(release) { continue }
      do {
        try await take(step, &state)
      } catch let error as any Failure {
        guard case .launch(let release) = step else { throw error }
        failed.insert(release)
        logger.error("a worker could not be launched", metadata: ["release": "\(release)", "error": "\(error)"])
        let reason = [error.message, error.hint].compactMap { $0 }.joined(separator: "; ")
        for step in state.launchFailed(of: release, because: reason, at: clock.now) { try await take(step, &state) }
      }
    }
    board?.note(coming: state.coming)
    board?.note(troubles: state.troubles)
  }

  private func look(_ state: PoolState) async throws -> PoolState.Look {
    let fleet = try await store.workers()
    let releases = try await store.releases(in: [.staged, .canary, .current, .draining, .rejected])
    let handles = try await handles(of: fleet)
    return PoolState.Look(
      now: clock.now, fleet: fleet, handles: handles, living: try await launcher.alive(state.starting),
      releases: releases, needs: try await store.needs(of: releases.map(\.id) + (aim == .scaled ? [0] : [])),
      isDrained: try await store.isDrained(host: host), allotment: board?.allotment,
      elsewhere: Set(fleet.filter { handle(of: $0) == nil }.map(\.id)))
  }

  private func handle(of worker: WorkerRecord) -> WorkerHandle? {
    launcher.handle(of: RegisteredWorker(host: worker.host, pid: Int32(worker.pid)))
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
    let alive = try await launcher.alive(Set(handles.values))
    return handles.filter { alive.contains($0.value) }
  }

  private func take(_ step: PoolState.Step, _ state: inout PoolState) async throws {
    switch step {
    case .launch(let release):
      let worker = try await launcher.launch(release: release)
      state.launched(worker, of: release, at: clock.now)
      logger.info("worker launched", metadata: ["worker": "\(worker)", "release": "\(release)"])
    case .drain(let worker): try await launcher.drain(worker)
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
    var workers = starting.union(launcher.launched)
    // In a task of its own: the group is shutting down, and that must not cut the look at the database off.
    let store = self.store
    let listing = Task { try await store.workers() }
    do {
      let fleet = try await listing.value
      if aim != .lastOnes {
        workers.formUnion(fleet.compactMap { handle(of: $0) })
      }
    } catch {
      logger.warning(
        "the workers could not be listed; only those just launched are stopped", metadata: ["error": "\(error)"])
    }
    for worker in try await launcher.alive(workers) { try await launcher.drain(worker) }
    let deadline = clock.now + .seconds(60)
    while clock.now < deadline, try await !launcher.alive(workers).isEmpty {
      try await clock.sleep(for: .milliseconds(50))
    }
  }
}
