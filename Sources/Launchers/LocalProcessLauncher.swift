import Glibc
import Synchronization

/// Workers as processes of this machine. A handle is a process's number.
package final class LocalProcessLauncher: Launcher {
  /// What one worker of a release is started with.
  package typealias Command = @Sendable (_ release: Int64) async throws -> DetachedProcess

  private let processes: ProcessTable
  private let host: String
  private let command: Command
  /// The ones that this process started and has to collect.
  private let children = Mutex<Set<Int32>>([])

  /// - Parameters:
  ///   - processes: Where workers that an earlier control started are found.
  ///   - host: What workers of this machine call it.
  package init(processes: ProcessTable, host: String, command: @escaping Command) {
    self.processes = processes
    self.host = host
    self.command = command
  }

  package func launch(release: Int64) async throws -> WorkerHandle {
    let pid = try await command(release).start()
    children.withLock { _ = $0.insert(pid) }
    return Self.handle(pid)
  }

  package var launched: Set<WorkerHandle> { Set(children.withLock { $0 }.map(Self.handle)) }

  package func handle(of worker: RegisteredWorker) -> WorkerHandle? {
    worker.host == host ? Self.handle(worker.pid) : nil
  }

  package func drain(_ worker: WorkerHandle) async throws {
    guard let pid = Self.pid(worker) else { return }
    switch ending(pid) {
    // Its number is not given to another process before it is collected.
    case .running:
      guard kill(pid, SIGTERM) == 0 || errno == ESRCH else {
        throw LauncherError(
          code: "not_stopped", message: "worker process \(pid) could not be told to stop",
          hint: "check that it belongs to the user who runs this")
      }
    case .notAChild: processes.send(SIGTERM, toProcess: pid)
    case .ended: break
    }
  }

  package func alive(_ workers: Set<WorkerHandle>) async throws -> Set<WorkerHandle> {
    workers.filter { worker in
      guard let pid = Self.pid(worker) else { return false }
      return switch ending(pid) {
      case .running: true
      case .notAChild: processes.contains(pid)
      case .ended: false
      }
    }
  }

  private static func handle(_ pid: Int32) -> WorkerHandle { WorkerHandle(String(pid)) }
  private static func pid(_ worker: WorkerHandle) -> Int32? { Int32(worker.description) }

  /// Also of one that this process started before it became another program.
  private func ending(_ pid: Int32) -> DetachedProcess.Ending {
    let ending = DetachedProcess.ending(of: pid)
    if case .ended = ending { children.withLock { _ = $0.remove(pid) } }
    return ending
  }
}
