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
  }

  /// What became of the workers of the release that takes the new runs.
  package enum Standing: Sendable, Equatable {
    /// One has registered.
    case working
    /// So many starts in a row have failed, the last one for this reason.
    case failing(String, times: Int)
  }

  /// A worker that has not registered by then never will.
  private static let startPatience = Duration.seconds(20)
  /// One that ends sooner after it has registered was not able to work.
  private static let proof = Duration.seconds(5)
  /// How long a staged release keeps a worker without becoming anything.
  private static let staging = Duration.seconds(120)
  /// For how long nobody has served a release before the last one of it is started: others may be about to.
  private static let loneliness = Duration.seconds(5)

  private let store: JobStore
  private let launcher: any Launcher
  private let aim: Aim
  private let host: String
  private let tick: Duration
  private let logger: Logger
  private let tell: @Sendable (Standing) -> Void
  private let leavesWorkers: @Sendable () -> Bool
  private let clock = ContinuousClock()

  /// - Parameters:
  ///   - aim: Which workers it keeps; only those are asked to stop when it ends.
  ///   - tell: Called with every look at the release that takes the new runs.
  ///   - leavesWorkers: Asked at the end: whether another pool goes on with the workers.
  package init(
    store: JobStore, launcher: any Launcher, aim: Aim, host: String, tick: Duration = .milliseconds(200),
    logger: Logger, tell: @escaping @Sendable (Standing) -> Void = { _ in },
    leavesWorkers: @escaping @Sendable () -> Bool = { false }
  ) {
    self.tell = tell
    self.leavesWorkers = leavesWorkers
    self.store = store
    self.launcher = launcher
    self.aim = aim
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
    var reasons: [Int64: String] = [:]
    /// A worker that ends as soon as it starts is not started ten times a second.
    var pausedUntil: [Int64: ContinuousClock.Instant] = [:]
    /// Since when a release has had work and no worker.
    var lonelySince: [Int64: ContinuousClock.Instant] = [:]

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
    let fleet = try await store.workers()
    let living = own(fleet)
    // Who was told to go says nothing of the release.
    for worker in living where worker.draining { starts.starting[LaunchedWorker(pid: Int32(worker.pid))] = nil }
    let workers = living.filter { !$0.draining }
    try await review(&starts, beating: Set(workers.map { Int32($0.pid) }))
    let releases = try await store.releases(in: [.staged, .canary, .current, .draining, .rejected])
    // On a host that is to be empty none is wanted, and who came late is one too many.
    let isDrained = try await store.isDrained(host: host)
    if isDrained { starts.starting = [:] }
    let needs = try await store.needs(of: releases.map(\.id))
    let demand =
      switch aim {
      case .host(let count):
        WorkerDemand(releases, needs: needs, count: isDrained ? 0 : count, staging: Self.staging)
      case .lastOnes:
        WorkerDemand(
          lastOf: isDrained ? [] : releases, needs: needs, others: others(releases, needs, fleet, living, &starts))
      }
    for worker in demand.surplus(workers) {
      let process = LaunchedWorker(pid: Int32(worker.pid))
      logger.info("worker is not needed any more", metadata: ["pid": "\(worker.pid)"])
      starts.starting[process] = nil
      try launcher.drain(process)
    }
    if case .host = aim {
      let current = releases.first { $0.state == .current }?.id ?? 0
      if workers.contains(where: { ($0.releaseID ?? 0) == current }) {
        tell(.working)
      } else if let times = starts.failures[current] {
        tell(.failing(starts.reasons[current] ?? "", times: times))
      }
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
          try await failed(
            release, &starts, because: [error.message, error.hint].compactMap { $0 }.joined(separator: "; "))
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
        try await failed(
          start.release, &starts,
          because: start.hasRegistered
            ? "a worker ended as soon as it had started" : "a worker ended before it registered")
      } else if !start.hasRegistered, beating.contains(worker.pid) {
        starts.starting[worker] = Starts.Start(release: start.release, at: clock.now, hasRegistered: true)
      } else if start.hasRegistered, age > Self.proof {
        starts.starting[worker] = nil
        starts.failures[start.release] = nil
        if start.release != 0 { try await store.noteStart(of: start.release, failed: false) }
      } else if !start.hasRegistered, age > Self.startPatience {
        starts.starting[worker] = nil
        try launcher.drain(worker)
        try await failed(
          start.release, &starts, because: "a worker did not register within \(Self.startPatience.components.seconds) s"
        )
      }
    }
  }

  private func failed(_ release: Int64, _ starts: inout Starts, because reason: String) async throws {
    starts.reasons[release] = reason
    let failures = (starts.failures[release] ?? 0) + 1
    starts.failures[release] = failures
    starts.pausedUntil[release] = clock.now + tick * (1 << min(failures, 7))
    if release != 0 { try await store.noteStart(of: release, failed: true) }
  }

  /// Of the workers that beat those that this pool keeps and whose process exists: a killed one is replaced before its lease
  /// runs out.
  private func own(_ fleet: [WorkerRecord]) -> [WorkerRecord] {
    let launched = aim == .lastOnes ? launcher.launched : nil
    return fleet.filter { worker in
      let process = LaunchedWorker(pid: Int32(worker.pid))
      return worker.host == host && !worker.servesOneRun && launched?.contains(process) != false
        && launcher.isAlive(process)
    }
  }

  /// Releases that others serve, or have served a moment ago.
  private func others(
    _ releases: [JobStore.ReleaseRecord], _ needs: [Int64: JobStore.ReleaseNeed], _ fleet: [WorkerRecord],
    _ own: [WorkerRecord], _ starts: inout Starts
  ) -> Set<Int64> {
    let mine = Set(own.map(\.id))
    let served = Set(
      fleet.filter { !$0.draining && !$0.servesOneRun && !mine.contains($0.id) }.compactMap(\.releaseID))
    let lonely = Set(releases.map(\.id).filter { needs[$0]?.isServed == true }).subtracting(served)
    starts.lonelySince = starts.lonelySince.filter { lonely.contains($0.key) }
    for release in lonely where starts.lonelySince[release] == nil { starts.lonelySince[release] = clock.now }
    let kept = Set(own.compactMap(\.releaseID))
    return served.union(
      starts.lonelySince.filter { !kept.contains($0.key) && $0.value.duration(to: clock.now) < Self.loneliness }.keys)
  }

  /// Asks every worker that it keeps to finish, and waits for a minute until they have.
  package func drainAll() async throws { try await drainAll(starting: []) }

  private func drainAll(starting: [LaunchedWorker]) async throws {
    var workers = Set(starting)
    // In a task of its own: the group is shutting down, and that must not cut the look at the database off.
    let store = self.store
    let listing = Task { try await store.workers() }
    do {
      let fleet = try await listing.value.filter { $0.host == host && aim != .lastOnes }
      workers.formUnion(fleet.map { LaunchedWorker(pid: Int32($0.pid)) })
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
