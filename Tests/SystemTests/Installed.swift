import FoundationEssentials
import Glibc
import Launchers
import Subprocess
import Synchronization
import SystemPackage
import TestSupport

/// The built program in a project of a test's own: verbs to their end, and processes in the background.
struct Installed: Sendable {
  let project: TestProject
  let environment: [String: String]
  /// Another binary, or words before it.
  var command = [Self.program]
  private let started = Started()

  static let program = path(of: "sluice")

  /// Where control of the environment `local` on this host writes its address or its token.
  static func controlFile(_ ending: String) -> String {
    let host = ProcessInfo.processInfo.hostName.map { $0.isLetter || $0.isNumber || "-_".contains($0) ? $0 : "_" }
    return ".sluice/local/control-\(String(host)).\(ending)"
  }

  /// Where the package manager puts a program: beside the tests.
  static func path(of program: String) -> String {
    let folder = CommandLine.arguments[0].split(separator: "/").dropLast().joined(separator: "/")
    let beside = "/" + folder + "/" + program
    if FileManager.default.isExecutableFile(atPath: beside) { return beside }
    return FileManager.default.currentDirectoryPath + "/.build/debug/" + program
  }

  init(_ project: TestProject, _ more: [String: String] = [:]) {
    self.project = project
    // A short lease, so that the reaper's own session is soon old enough to revoke anyone.
    let base = ["SLUICE_LEASE": "1.2"].merging(more) { _, new in new }
    environment = ProcessInfo.processInfo.environment.merging(base) { _, new in new }
  }

  struct Outcome: Sendable {
    var status: Int
    var output: String
    var errors: String

    /// A value of the JSON on standard output, by its path.
    func json(_ path: String...) throws -> JSONNode {
      var node = try JSONDecoder().decode(JSONNode.self, from: Data(output.utf8))
      for key in path { node = node[key] }
      return node
    }
  }

  /// Runs a verb to its end.
  func callAsFunction(_ arguments: String..., adding more: [String: String] = [:]) async throws -> Outcome {
    try await call(arguments, adding: more)
  }

  func call(_ arguments: [String], adding more: [String: String] = [:]) async throws -> Outcome {
    let variables = environment.merging(more) { _, new in new }
    let result = try await run(
      .path(FilePath(command[0])), arguments: Arguments(command.dropFirst() + arguments),
      environment: .custom(
        Dictionary(uniqueKeysWithValues: variables.map { (Environment.Key(stringLiteral: $0.key), $0.value) })),
      workingDirectory: FilePath(project.directory), output: .string(limit: 16 << 20), error: .string(limit: 1 << 20))
    let status =
      switch result.terminationStatus {
      case .exited(let code): Int(code)
      case .signaled(let signal): 128 + Int(signal)
      }
    return Outcome(
      status: status, output: result.standardOutput, errors: result.standardError)
  }

  /// Starts a verb in the background; its output goes to `NAME.log` of the project.
  func start(
    program: String = Self.program, _ arguments: String..., name: String, adding more: [String: String] = [:]
  ) throws -> Int32 {
    let pid = try DetachedProcess(
      executable: program, arguments: arguments, environment: environment.merging(more) { _, new in new },
      directory: project.directory, logPath: project.path("\(name).log")
    ).start()
    started.pids.withLock { $0.append(pid) }
    return pid
  }

  /// Ends what a test that failed half-way has left running.
  func killAll() {
    for pid in started.pids.withLock({ $0 }) where !DetachedProcess.reap(pid) { kill(pid, SIGKILL) }
  }

  private final class Started: Sendable {
    let pids = Mutex<[Int32]>([])
  }

  /// Waits for a process that this test started to end.
  static func ended(_ pid: Int32, within limit: Duration = .seconds(60)) async throws {
    try await eventually(within: limit, "process \(pid) ends") { DetachedProcess.reap(pid) }
  }

  static func stop(_ pid: Int32) async throws {
    kill(pid, SIGTERM)
    try await ended(pid)
  }
}

/// JSON of any shape, for looking into what a verb printed.
enum JSONNode: Decodable, Sendable, Equatable {
  case null
  case bool(Bool)
  case number(Double)
  case text(String)
  case list([JSONNode])
  case object([String: JSONNode])

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode(String.self) {
      self = .text(value)
    } else if let value = try? container.decode([JSONNode].self) {
      self = .list(value)
    } else {
      self = .object(try container.decode([String: JSONNode].self))
    }
  }

  subscript(key: String) -> JSONNode { if case .object(let fields) = self { fields[key] ?? .null } else { .null } }
  var text: String? { if case .text(let value) = self { value } else { nil } }
  var int: Int? { if case .number(let value) = self { Int(value) } else { nil } }
  var list: [JSONNode] { if case .list(let values) = self { values } else { [] } }
}
