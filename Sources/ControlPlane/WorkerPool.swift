import JobModel
import JobStore
import Launchers
import Logging
import Postgres
import ServiceLifecycle

/// Keeps the workers of this host running that the releases need, and replaces those that end.
///
/// What counts is what beats: workers that an earlier control process left behind are adopted, not doubled.
package struct WorkerPool: Service {
  /// A worker that has not registered by then never will.
  private static let startPatience = Duration.seconds(20)
  /// One that ends sooner after it has registered was not able to work.
  private static let proof = Duration.seconds(5)
  /// How long a staged release keeps a worker without becoming anything.
  private static let staging = Duration.seconds(120)

  private let store: JobStore
  private let launcher: any Launcher
  private let count: Int
  private let host: String
  private let tick: Duration
  private let logger: Logger
  private let leavesWorkers: @Sendable () -> Bool
  private let clock = ContinuousClock()

  /// - Parameters:
  ///   - count: Workers of the release that takes the new runs.
  ///   - leavesWorkers: Asked at the end: whether another pool goes on with the workers.
  package init(
    store: JobStore, launcher: any Launcher, count: Int, host: String, tick: Duration = .milliseconds(200),
    logger: Logger, leavesWorkers: @escaping @Sendable () -> Bool = { false }
  ) {
    self.leavesWorkers = leavesWorkers
    self.store = store
    self.launcher = launcher
    self.count = count
    self.host = host
    self.tick = tick
    self.logger = logger
  }

  /// Workers that were launched and are not proven yet, and how often that failed.
  private struct Starts {
    struct Start {
      var release: Int64
      var at: ContinuousClock.Instant
      var hasRegistered = false
    }
    var starting: [LaunchedWorker: Start] = [:]
    /// In a row.
    var failures: [Int64: Int] = [:]
    /// A worker that ends as soon as it starts is not started ten times a second.
    var pausedUntil: [Int64: ContinuousClock.Instant] = [:]

    /// Those that do not beat yet.
    func count(of release: Int64) -> Int {
      starting.values.filter { $0.release == release && !$0.hasRegistered }.count
    }
  }

  package func run() async throws {
    let unregistered = try await cancelWhenGracefulShutdown {
      var starts = Starts()
      while !Task.isCancelled {
        do {
          try await keep(&starts)
        } catch is CancellationError {
          // The shutdown came in the middle of a look at the database.
          break
        } catch let error as any Failure where error.isTransient {
          logger.warning("the worker pool could not be looked after", metadata: ["error": "\(error)"])
        }
        try? await clock.sleep(for: tick)
      }
      return Array(starts.starting.keys)
    }
    if !leavesWorkers() { try await drainAll(starting: unregistered) }
  }

  private func keep(_ starts: inout Starts) async throws {
    let living = try await alive()
    // Who was told to go says nothing of the release.
    for worker in living where worker.draining { starts.starting[LaunchedWorker(pid: Int32(worker.pid))] = nil }
    let workers = living.filter { !$0.draining }
    try await review(&starts, beating: Set(workers.map { Int32($0.pid) }))
    let releases = try await store.releases(in: [.staged, .canary, .current, .draining, .rejected])
    // On a host that is to be empty none is wanted, and who came late is one too many.
    let isDrained = try await store.isDrained(host: host)
    if isDrained { starts.starting = [:] }
    let demand = WorkerDemand(
      releases, needs: try await store.needs(of: releases.map(\.id)), count: isDrained ? 0 : count,
      staging: Self.staging)
    for worker in demand.surplus(workers) {
      let process = LaunchedWorker(pid: Int32(worker.pid))
      logger.info("worker is not needed any more", metadata: ["pid": "\(worker.pid)"])
      starts.starting[process] = nil
      try launcher.drain(process)
    }
    for (release, wanted) in demand.wanted where (starts.pausedUntil[release] ?? clock.now) <= clock.now {
      let running = workers.filter { ($0.releaseID ?? 0) == release }.count
      for _ in 0..<max(0, wanted - running - starts.count(of: release)) {
        do {
          let worker = try await launcher.launch(release: release)
          starts.starting[worker] = Starts.Start(release: release, at: clock.now)
          logger.info("worker launched", metadata: ["pid": "\(worker.pid)", "release": "\(release)"])
        } catch let error as any Failure {
          logger.error("a worker could not be launched", metadata: ["release": "\(release)", "error": "\(error)"])
          try await failed(release, &starts)
          break
        }
      }
    }
  }

  /// Looks what became of the workers that were launched.
  private func review(_ starts: inout Starts, beating: Set<Int32>) async throws {
    for (worker, start) in starts.starting {
      let age = start.at.duration(to: clock.now)
      if !launcher.isAlive(worker) {
        starts.starting[worker] = nil
        logger.error(
          start.hasRegistered ? "a worker ended as soon as it had started" : "a worker ended before it registered",
          metadata: ["pid": "\(worker.pid)", "release": "\(start.release)"])
        try await failed(start.release, &starts)
      } else if !start.hasRegistered, beating.contains(worker.pid) {
        starts.starting[worker] = Starts.Start(release: start.release, at: clock.now, hasRegistered: true)
      } else if start.hasRegistered, age > Self.proof {
        starts.starting[worker] = nil
        starts.failures[start.release] = nil
        if start.release != 0 { try await store.noteStart(of: start.release, failed: false) }
      } else if !start.hasRegistered, age > Self.startPatience {
        starts.starting[worker] = nil
        try launcher.drain(worker)
        try await failed(start.release, &starts)
      }
    }
  }

  private func failed(_ release: Int64, _ starts: inout Starts) async throws {
    let failures = (starts.failures[release] ?? 0) + 1
    starts.failures[release] = failures
    starts.pausedUntil[release] = clock.now + tick * (1 << min(failures, 7))
    if release != 0 { try await store.noteStart(of: release, failed: true) }
  }

  /// Workers of this host that beat and whose process exists: a killed one is replaced before its lease runs out.
  private func alive() async throws -> [WorkerRecord] {
    try await store.workers().filter {
      $0.host == host && !$0.servesOneRun && launcher.isAlive(LaunchedWorker(pid: Int32($0.pid)))
    }
  }

  /// Asks every worker of this host to finish, and waits for a minute until they have.
  package func drainAll() async throws { try await drainAll(starting: []) }

  private func drainAll(starting: [LaunchedWorker]) async throws {
    var workers = Set(starting)
    // In a task of its own: the group is shutting down, and that must not cut the look at the database off.
    let store = self.store
    let listing = Task { try await store.workers() }
    do {
      workers.formUnion(try await listing.value.filter { $0.host == host }.map { LaunchedWorker(pid: Int32($0.pid)) })
    } catch {
      logger.warning(
        "the workers could not be listed; only those just launched are stopped", metadata: ["error": "\(error)"])
    }
    workers.formUnion(launcher.launched)
    for worker in workers where launcher.isAlive(worker) { try launcher.drain(worker) }
    let deadline = clock.now + .seconds(60)
    while workers.contains(where: launcher.isAlive), clock.now < deadline {
      try await clock.sleep(for: .milliseconds(50))
    }
  }
}
