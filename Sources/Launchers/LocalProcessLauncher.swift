import Glibc
import Synchronization

/// Workers as processes of this machine.
package final class LocalProcessLauncher: Launcher {
  /// What one worker of a release is started with.
  package typealias Command = @Sendable (_ release: Int64) async throws -> DetachedProcess

  private let program: String
  private let command: Command
  /// The ones that this process started and has to collect.
  private let children = Mutex<Set<Int32>>([])

  /// - Parameter program: The name that the binary of every release has.
  package init(program: String, command: @escaping Command) {
    self.program = program
    self.command = command
  }

  package func launch(release: Int64) async throws -> LaunchedWorker {
    let pid = try await command(release).start()
    children.withLock { _ = $0.insert(pid) }
    return LaunchedWorker(pid: pid)
  }

  package var launched: Set<LaunchedWorker> { Set(children.withLock { $0 }.map { LaunchedWorker(pid: $0) }) }

  package func drain(_ worker: LaunchedWorker) throws {
    guard isAlive(worker) else { return }
    guard kill(worker.pid, SIGTERM) == 0 || errno == ESRCH else {
      throw LauncherError(
        code: "not_stopped", message: "worker process \(worker.pid) could not be told to stop",
        hint: "check that it belongs to the user who runs this")
    }
  }

  package func isAlive(_ worker: LaunchedWorker) -> Bool {
    // Also one that this process started before it became another program.
    if DetachedProcess.reap(worker.pid) {
      children.withLock { _ = $0.remove(worker.pid) }
      return false
    }
    return kill(worker.pid, 0) == 0 && isOurProgram(worker.pid)
  }

  /// A process's number can be another's by now: its program must have the name of ours.
  private func isOurProgram(_ pid: Int32) -> Bool {
    var path = [CChar](repeating: 0, count: 4096)
    guard readlink("/proc/\(pid)/exe", &path, path.count - 1) > 0 else { return false }
    let found = String(decoding: path.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    // A running program whose file was replaced is shown with a remark behind its path.
    return found.split(separator: "/").last?.split(separator: " ").first == program[...]
  }
}
