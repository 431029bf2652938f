import FoundationEssentials
import Glibc
import Launchers
import Synchronization
import TestSupport

/// A worker in a process of its own, which a test may stop and kill.
final class WorkerProcess: Sendable {
  let name: String
  let pid: Int32
  private let logPath: String
  private let status = Mutex<Int32?>(nil)

  /// Beside the tests, where the package manager puts it.
  private static let program: String = {
    let folder = CommandLine.arguments[0].split(separator: "/").dropLast().joined(separator: "/")
    let beside = "/" + folder + "/FaultWorker"
    if FileManager.default.isExecutableFile(atPath: beside) { return beside }
    return FileManager.default.currentDirectoryPath + "/.build/debug/FaultWorker"
  }()

  init(_ name: String, _ variables: [String: String], in project: TestProject) throws {
    self.name = name
    logPath = project.path("\(name).log")
    let environment = ProcessInfo.processInfo.environment.merging(variables) { _, new in new }
    pid = try DetachedProcess(
      executable: Self.program, arguments: [], environment: environment, directory: project.directory,
      logPath: logPath
    ).start()
  }

  func send(_ signal: Int32) {
    status.withLock { if $0 == nil { kill(pid, signal) } }
  }

  /// What it said.
  var log: String {
    // It may not have said anything yet.
    (try? Data(contentsOf: URL(filePath: logPath))).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }

  /// How it ended: its exit status, or minus its signal; nil while it runs.
  var ending: Int32? {
    status.withLock { status in
      if let status { return status }
      var raw: Int32 = 0
      guard waitpid(pid, &raw, WNOHANG) == pid else { return nil }
      status = raw & 0x7f == 0 ? (raw >> 8) & 0xff : -(raw & 0x7f)
      return status
    }
  }

  /// Waits for its end.
  @discardableResult
  func ended(within limit: Duration = .seconds(30)) async throws -> Int32 {
    try await eventually(within: limit, "\(name) ends; it said: \(log.suffix(2000))") { ending != nil }
    return ending ?? 0
  }
}
