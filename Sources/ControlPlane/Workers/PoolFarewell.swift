import JobModel
import JobStore
import Launchers
import Logging

/// The end of a pool: its workers finish what they do and go, unless another pool keeps them.
struct PoolFarewell: Sendable {
  /// How long workers are waited for.
  private static let patience = Duration.seconds(60)
  private static let poll = Duration.milliseconds(50)
  /// Within this time another process that is there begins to decide.
  private static let succession = Duration.seconds(3)

  let store: JobStore
  let launcher: any Launcher
  let logger: Logger
  private let clock = ContinuousClock()

  init(store: JobStore, launcher: any Launcher, logger: Logger) {
    self.store = store
    self.launcher = launcher
    self.logger = logger
  }

  /// Stops workers of this host.
  ///
  /// - Parameter andRegistered: Also all others that are registered and can be reached.
  func drain(_ own: Set<WorkerHandle>, andRegistered: Bool) async throws {
    var workers = own
    do {
      let registered = try await registered()
      if andRegistered { workers.formUnion(registered.map(\.handle)) }
    } catch {
      logger.warning(
        "the workers could not be listed; only those just launched are stopped", metadata: ["error": "\(error)"])
    }
    for worker in launcher.existing(workers) { try await launcher.stop(worker) }
    let deadline = clock.now + Self.patience
    while clock.now < deadline, !launcher.existing(workers).isEmpty {
      try await clock.sleep(for: Self.poll)
    }
  }

  /// Stops the workers of a launcher that other processes use too, where none of these decides now.
  ///
  /// Those that work are asked through the database, so that the launcher ends none of them; then it removes what is left.
  func drainShared(_ starting: Set<WorkerHandle>) async throws {
    // In a task of its own: the group is shutting down, and that must not cut it off.
    let work = Task { try await stopShared(starting) }
    do { try await work.value } catch let error as any Failure {
      logger.warning(
        "not all workers could be stopped; they continue to work: sluice status lists them",
        metadata: ["error": "\(error)"])
    }
  }

  private func stopShared(_ starting: Set<WorkerHandle>) async throws {
    let succeeded = clock.now + Self.succession
    while clock.now < succeeded {
      if try await store.scalingHolder() != nil { return }
      try await clock.sleep(for: Self.poll)
    }
    for worker in try await registered() { _ = try await store.askToDrain(worker: worker.id) }
    let deadline = clock.now + Self.patience
    while clock.now < deadline, try await !registered().isEmpty { try await clock.sleep(for: Self.poll) }
    let working = Set(try await registered().map(\.handle))
    let left = starting.union(try await launcher.list().map(\.handle)).subtracting(working)
    for worker in left { try await launcher.stop(worker) }
  }

  private func registered() async throws -> [(id: Int64, handle: WorkerHandle)] {
    // In a task of its own: the group is shutting down, and that must not cut the look at the database off.
    let store = self.store
    return try await Task { try await store.workers() }.value.compactMap { worker in
      let place = RegisteredWorker(host: worker.host, pid: Int32(worker.pid), launch: worker.launch)
      return launcher.handle(of: place).map { (worker.id, $0) }
    }
  }
}
