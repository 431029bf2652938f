/// Starts and stops workers of one environment.
package protocol Launcher: Sendable {
  /// Starts one worker of a release (0: of none) and returns as soon as it exists; it registers itself with the queue.
  func launch(release: Int64) async throws -> LaunchedWorker

  /// Asks a worker to finish its chunks and go.
  func drain(_ worker: LaunchedWorker) throws

  /// The workers that this launcher started and that it has not seen end.
  var launched: Set<LaunchedWorker> { get }

  /// Whether the worker's process still exists and is a worker of this installation.
  func isAlive(_ worker: LaunchedWorker) -> Bool
}

/// A worker as its launcher knows it.
package struct LaunchedWorker: Sendable, Hashable {
  package var pid: Int32
  package init(pid: Int32) { self.pid = pid }
}
