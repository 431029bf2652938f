import JobModel
import JobStore
import Launchers
import Logging
import Postgres
import ServiceLifecycle

/// Keeps a number of workers of this host running, and replaces those that end.
///
/// What counts is what beats: workers that an earlier control process left behind are adopted, not doubled.
package struct WorkerPool: Service {
  /// A worker that has not registered by then never will.
  private static let startPatience = Duration.seconds(20)

  private let store: JobStore
  private let launcher: any Launcher
  private let count: Int
  private let host: String
  private let tick: Duration
  private let logger: Logger
  private let clock = ContinuousClock()

  package init(
    store: JobStore, launcher: any Launcher, count: Int, host: String, tick: Duration = .milliseconds(300),
    logger: Logger
  ) {
    self.store = store
    self.launcher = launcher
    self.count = count
    self.host = host
    self.tick = tick
    self.logger = logger
  }

  package func run() async throws {
    let unregistered = try await cancelWhenGracefulShutdown {
      var starting: [LaunchedWorker: ContinuousClock.Instant] = [:]
      var failures = 0
      while !Task.isCancelled {
        do {
          try await keep(&starting, &failures)
        } catch is CancellationError {
          // The shutdown came in the middle of a look at the database.
          break
        } catch let error as any Failure where error.isTransient {
          logger.warning("the worker pool could not be looked after", metadata: ["error": "\(error)"])
        }
        // A worker that ends as soon as it starts is not started ten times a second.
        try? await clock.sleep(for: tick * (1 << min(failures, 7)))
      }
      return Array(starting.keys)
    }
    try await drainAll(starting: unregistered)
  }

  private func keep(
    _ starting: inout [LaunchedWorker: ContinuousClock.Instant], _ failures: inout Int
  ) async throws {
    let beating = Set(try await alive().map(\.pid))
    for (worker, startedAt) in starting {
      if beating.contains(worker.pid) {
        starting[worker] = nil
        failures = 0
      } else if !launcher.isAlive(worker) {
        starting[worker] = nil
        failures += 1
        logger.error("a worker ended before it registered", metadata: ["pid": "\(worker.pid)"])
      } else if startedAt.duration(to: clock.now) > Self.startPatience {
        starting[worker] = nil
        failures += 1
        try launcher.drain(worker)
      }
    }
    for _ in 0..<max(0, count - beating.count - starting.count) {
      let worker = try launcher.launch()
      starting[worker] = clock.now
      logger.info("worker launched", metadata: ["pid": "\(worker.pid)"])
    }
  }

  /// Workers of this host that beat and whose process exists: a killed one is replaced before its lease runs out.
  private func alive() async throws -> [LaunchedWorker] {
    try await store.workers()
      .filter { $0.host == host && !$0.draining }
      .map { LaunchedWorker(pid: Int32($0.pid)) }
      .filter(launcher.isAlive)
  }

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
