/// Starts and stops workers of one environment.
package protocol Launcher: Sendable {
  /// Starts one worker of a release (0: of none) and returns as soon as it exists; it registers itself with the queue.
  func launch(release: Int64) async throws -> WorkerHandle

  /// Asks a worker to finish its chunks and go. One that has ended already is no error.
  func drain(_ worker: WorkerHandle) async throws

  /// The workers that this launcher started and that it has not seen end.
  var launched: Set<WorkerHandle> { get }

  /// Of some workers, those that still exist and are of this installation.
  func alive(_ workers: Set<WorkerHandle>) async throws -> Set<WorkerHandle>

  /// What this launcher calls a worker that has registered; nil for one that it cannot reach.
  func handle(of worker: RegisteredWorker) -> WorkerHandle?
}

/// A worker as its launcher knows it. Only the launcher reads what is in it.
package struct WorkerHandle: Sendable, Hashable, CustomStringConvertible {
  package let description: String
  package init(_ description: String) { self.description = description }
}

/// Where a worker says that it runs.
package struct RegisteredWorker: Sendable, Equatable {
  package var host: String
  /// On its host.
  package var pid: Int32

  package init(host: String, pid: Int32) {
    self.host = host
    self.pid = pid
  }
}
