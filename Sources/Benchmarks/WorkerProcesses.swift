import FoundationEssentials
import Glibc
import JobModel
import Launchers
import Synchronization

/// Real worker processes of this program, to be killed. Each is ended by its own number, and none outlives `close()`.
final class WorkerProcesses: Sendable {
  private let command: DetachedProcess
  private let alive = Mutex<Set<Int32>>([])

  init(executable: String, databaseURL: String, lease: Duration, folder: String) {
    command = DetachedProcess(
      executable: executable,
      arguments: ["bench", "worker-process", "--database-url", databaseURL, "--lease", "\(lease.seconds)"],
      environment: ProcessInfo.processInfo.environment, directory: folder, logPath: folder + "/workers.log")
  }

  func start() throws {
    let pid = try command.start()
    alive.withLock { _ = $0.insert(pid) }
  }

  var count: Int { alive.withLock { $0.count } }

  func signal(_ pid: Int32, _ signal: Int32) throws {
    guard alive.withLock({ $0.contains(pid) }), kill(pid, signal) == 0 else {
      throw BenchError("no_worker", "\(pid) is no worker process of this run")
    }
  }

  /// Ends a process and collects it.
  func end(_ pid: Int32) async throws {
    try signal(pid, SIGKILL)
    await collect(pid)
  }

  /// Ends what is left, also in a task that was cancelled.
  func close() async {
    let left = alive.withLock { $0 }
    for pid in left { kill(pid, SIGKILL) }
    await Task { for pid in left { await collect(pid) } }.value
  }

  /// Waits for a process that was killed: it is gone within moments.
  private func collect(_ pid: Int32) async {
    while !DetachedProcess.reap(pid) { await Task.yield() }
    alive.withLock { _ = $0.remove(pid) }
  }
}
