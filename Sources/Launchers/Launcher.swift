/// Starts and stops workers of one environment.
///
/// A call may be slow, be refused or lose its answer; the pool makes each apart from its looks. ``handle(of:)`` and ``existing(_:)`` alone
/// are asked at each look, and answer at once.
package protocol Launcher: Sendable {
  /// Whether control processes of several hosts reach the same workers through it. Then only the one that decides uses it.
  var isShared: Bool { get }

  /// How long a worker may take from its start until it registers.
  var patience: Duration { get }

  /// Starts one worker, and returns once it exists or is sure to come; it registers itself with the queue. The same launch twice starts
  /// one worker.
  ///
  /// - Throws: ``LauncherError``; its ``LauncherError/doubt`` says whether a worker may have been started all the same.
  func start(_ launch: Launch) async throws -> WorkerHandle

  /// Asks a worker to finish its chunks and go, and removes what is left of one that has ended. One that is gone is no error.
  func stop(_ worker: WorkerHandle) async throws

  /// All workers of this installation that exist and that the launcher can stop, also those that another process has started.
  ///
  /// - Throws: ``LauncherError`` where it does not know all of them.
  func list() async throws -> [ListedWorker]

  /// The workers that this launcher started and that it has not seen end.
  var launched: Set<WorkerHandle> { get }

  /// Of some workers, those that still exist as far as it is known at this moment.
  func existing(_ workers: Set<WorkerHandle>) -> Set<WorkerHandle>

  /// What this launcher calls a worker that has registered; nil for one that it cannot reach.
  func handle(of worker: RegisteredWorker) -> WorkerHandle?
}

/// A worker as its launcher knows it. Only the launcher reads what is in it.
package struct WorkerHandle: Sendable, Hashable, CustomStringConvertible {
  package let description: String
  package init(_ description: String) { self.description = description }
}

/// A worker that a launcher has listed.
package struct ListedWorker: Sendable, Hashable {
  package var handle: WorkerHandle
  /// Nil: the launcher does not know under which name it was started.
  package var launch: Launch?

  package init(_ handle: WorkerHandle, launch: Launch? = nil) {
    self.handle = handle
    self.launch = launch
  }
}

/// What a worker says of itself.
package struct RegisteredWorker: Sendable, Equatable {
  package var host: String
  /// On its host.
  package var pid: Int32
  /// The name that it was launched under; nil: none.
  package var launch: String?

  package init(host: String, pid: Int32, launch: String? = nil) {
    self.host = host
    self.pid = pid
    self.launch = launch
  }
}
