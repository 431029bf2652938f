import Glibc
import Synchronization

/// Workers as processes of this machine.
package final class LocalProcessLauncher: Launcher {
  /// What one worker of a release is started with.
  package typealias Command = @Sendable (_ release: Int64) async throws -> DetachedProcess

  private let processes: ProcessTable
  private let command: Command
  /// The ones that this process started and has to collect.
  private let children = Mutex<Set<Int32>>([])

  /// - Parameter processes: Where workers that an earlier control started are found.
  package init(processes: ProcessTable, command: @escaping Command) {
    self.processes = processes
    self.command = command
  }

  package func launch(release: Int64) async throws -> LaunchedWorker {
    let pid = try await command(release).start()
    children.withLock { _ = $0.insert(pid) }
    return LaunchedWorker(pid: pid)
  }

  package var launched: Set<LaunchedWorker> { Set(children.withLock { $0 }.map { LaunchedWorker(pid: $0) }) }

  package func drain(_ worker: LaunchedWorker) throws {
    switch ending(worker) {
    // Its number is not given to another process before it is collected.
    case .running:
      guard kill(worker.pid, SIGTERM) == 0 || errno == ESRCH else {
        throw LauncherError(
          code: "not_stopped", message: "worker process \(worker.pid) could not be told to stop",
          hint: "check that it belongs to the user who runs this")
      }
    case .notAChild: processes.send(SIGTERM, toProcess: worker.pid)
    case .ended: break
    }
  }

  package func isAlive(_ worker: LaunchedWorker) -> Bool {
    switch ending(worker) {
    case .running: true
    case .notAChild: processes.contains(worker.pid)
    case .ended: false
    }
  }

  /// Also of one that this process started before it became another program.
  private func ending(_ worker: LaunchedWorker) -> DetachedProcess.Ending {
    let ending = DetachedProcess.ending(of: worker.pid)
    if case .ended = ending { children.withLock { _ = $0.remove(worker.pid) } }
    return ending
  }
}
