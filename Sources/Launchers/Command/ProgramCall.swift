import CSpawn
import Glibc

/// A call of a program to its end, with limits on its time and on what it writes.
///
/// Its output goes into memory files and not into pipes: a program that leaves another one running with its output has ended all the same.
struct ProgramCall: Sendable {
  /// What came of a call.
  struct Outcome: Sendable, Equatable {
    /// As a shell tells it: 128 + the signal for a killed one.
    var status: Int32
    var output: [UInt8]
    /// The last of what it wrote there.
    var errors: [UInt8]
  }

  enum Fault: Error, Equatable {
    case notStarted(String)
    case timeOver
    case tooMuchOutput
  }

  private static let poll = Duration.milliseconds(20)
  private static let maxErrorBytes = 4096
  /// `MFD_CLOEXEC`.
  private static let closeOnExec: UInt32 = 1
  /// The status of a program whose end another part of this process has collected.
  private static let unseen: Int32 = 255

  var command: [String]
  var environment: [String: String]
  /// A path with a slash is relative to this.
  var directory: String
  var timeLimit: Duration
  var maxOutputBytes: Int
  private let clock = ContinuousClock()

  init(
    command: [String], environment: [String: String], directory: String, timeLimit: Duration, maxOutputBytes: Int
  ) {
    precondition(!command.isEmpty, "a command has at least its name")
    self.command = command
    self.environment = environment
    self.directory = directory
    self.timeLimit = timeLimit
    self.maxOutputBytes = maxOutputBytes
  }

  /// - Throws: ``Fault``, or `CancellationError`; what was started is killed then, with all of its process group.
  func run() async throws -> Outcome {
    let output = try Self.memoryFile()
    defer { close(output) }
    let errors = try Self.memoryFile()
    defer { close(errors) }
    var process = DetachedProcess(
      executable: try executable(), arguments: Array(command.dropFirst()), environment: environment,
      directory: directory, logPath: "/dev/null")
    process.name = command[0]
    process.outputs = (output, errors)
    let pid: Int32
    do { pid = try process.start() } catch let error as LauncherError { throw Fault.notStarted(error.message) }
    let status: Int32
    do { status = try await ending(of: pid, output: output, errors: errors) } catch {
      end(pid)
      throw error
    }
    guard max(Self.size(output), Self.size(errors)) <= maxOutputBytes else { throw Fault.tooMuchOutput }
    var said = Self.contents(errors, last: Self.maxErrorBytes)
    if Self.size(errors) > Self.maxErrorBytes {
      // A part of a line may be a part of a secret, which would not be known for one.
      said = said.firstIndex(of: UInt8(ascii: "\n")).map { Array(said[($0 + 1)...]) } ?? []
    }
    return Outcome(status: status, output: Self.contents(output, last: maxOutputBytes), errors: said)
  }

  private func ending(of pid: Int32, output: Int32, errors: Int32) async throws -> Int32 {
    let deadline = clock.now + timeLimit
    while true {
      switch DetachedProcess.ending(of: pid) {
      case .ended(let status): return status
      case .notAChild: return Self.unseen
      case .running: break
      }
      guard max(Self.size(output), Self.size(errors)) <= maxOutputBytes else { throw Fault.tooMuchOutput }
      guard clock.now < deadline else { throw Fault.timeOver }
      try await clock.sleep(for: Self.poll)
    }
  }

  /// Kills a program that still runs, with its process group, which it leads.
  private func end(_ pid: Int32) {
    kill(-pid, SIGKILL)
    kill(pid, SIGKILL)
    for _ in 0..<1000 {
      if DetachedProcess.ending(of: pid) != .running { return }
      usleep(1000)
    }
  }

  /// As a shell finds it, along PATH.
  private func executable() throws -> String {
    let program = command[0]
    if program.contains("/") { return program.hasPrefix("/") ? program : directory + "/" + program }
    let folders = (environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":")
    let paths = folders.map { folder -> String in "\(folder)/\(program)" }
    guard let found = paths.first(where: { path in access(path, X_OK) == 0 }) else {
      throw Fault.notStarted("\(program) is not on PATH")
    }
    return found
  }

  private static func memoryFile() throws -> Int32 {
    let descriptor = memfd_create("output", Self.closeOnExec)
    guard descriptor >= 0 else { throw Fault.notStarted("there is no memory for its output") }
    return descriptor
  }

  private static func size(_ descriptor: Int32) -> Int {
    var status = stat()
    return fstat(descriptor, &status) == 0 ? Int(status.st_size) : 0
  }

  private static func contents(_ descriptor: Int32, last limit: Int) -> [UInt8] {
    let size = size(descriptor)
    var bytes = [UInt8](repeating: 0, count: min(size, limit))
    let count = pread(descriptor, &bytes, bytes.count, off_t(size - bytes.count))
    return count > 0 ? Array(bytes.prefix(count)) : []
  }
}
