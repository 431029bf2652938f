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
    let clock = ContinuousClock()
    while !DetachedProcess.reap(pid) { try await clock.sleep(for: .milliseconds(5)) }
    alive.withLock { _ = $0.remove(pid) }
  }

  func close() async throws {
    for pid in alive.withLock({ $0 }) { try await end(pid) }
  }
}
