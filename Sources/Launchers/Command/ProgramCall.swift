import CSpawn
import Glibc

/// A call of a program to its end, with limits on its time and on what it writes.
///
/// Its output is read from pipes while it runs. A program that leaves another one running with its output has ended all the same.
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
    var output = try OutputPipe(limit: maxOutputBytes)
    defer { output.closeAll() }
    var errors = try OutputPipe(limit: maxOutputBytes)
    defer { errors.closeAll() }
    var process = DetachedProcess(
      executable: try executable(), arguments: Array(command.dropFirst()), environment: environment,
      directory: directory, logPath: "/dev/null")
    process.name = command[0]
    process.outputs = (output.writing, errors.writing)
    let pid: Int32
    do { pid = try process.start() } catch let error as LauncherError { throw Fault.notStarted(error.message) }
    output.closeWriting()
    errors.closeWriting()
    let status: Int32
    do {
      status = try await ending(of: pid, &output, &errors)
      // What it wrote last. What it has left running may hold the pipes, and is not waited for.
      try Self.read(&output, &errors)
    } catch {
      end(pid)
      throw error
    }
    var said = errors.bytes.suffix(Self.maxErrorBytes)
    if errors.bytes.count > Self.maxErrorBytes {
      // A part of a line may be a part of a secret, which would not be known for one.
      said = said.firstIndex(of: UInt8(ascii: "\n")).map { said[($0 + 1)...] } ?? []
    }
    return Outcome(status: status, output: output.bytes, errors: Array(said))
  }

  private func ending(of pid: Int32, _ output: inout OutputPipe, _ errors: inout OutputPipe) async throws -> Int32 {
    let deadline = clock.now + timeLimit
    while true {
      switch DetachedProcess.ending(of: pid) {
      case .ended(let status): return status
      case .notAChild: return Self.unseen
      case .running: break
      }
      try Self.read(&output, &errors)
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

  private static func read(_ output: inout OutputPipe, _ errors: inout OutputPipe) throws {
    guard output.read(), errors.read() else { throw Fault.tooMuchOutput }
  }
}

/// A pipe whose reader never waits: where it is full, the writer does. So a program that writes without end takes no memory.
private struct OutputPipe {
  private static let readBytes = 65_536

  private let limit: Int
  private let reading: Int32
  private(set) var writing: Int32
  private(set) var bytes: [UInt8] = []

  /// - Parameter limit: More bytes than that are not taken.
  init(limit: Int) throws {
    var ends: [Int32] = [-1, -1]
    guard pipe2(&ends, O_CLOEXEC) == 0 else { throw ProgramCall.Fault.notStarted("there is no pipe for its output") }
    (reading, writing) = (ends[0], ends[1])
    // Only of this end: the program's own writes wait.
    _ = fcntl(reading, F_SETFL, O_NONBLOCK)
    self.limit = limit
  }

  /// Takes what is there.
  ///
  /// - Returns: Whether it is no more than the limit.
  mutating func read() -> Bool {
    var part = [UInt8](repeating: 0, count: Self.readBytes)
    while bytes.count <= limit {
      let count = Glibc.read(reading, &part, part.count)
      guard count > 0 else { return true }
      bytes += part.prefix(count)
    }
    return false
  }

  mutating func closeWriting() {
    guard writing >= 0 else { return }
    close(writing)
    writing = -1
  }

  mutating func closeAll() {
    closeWriting()
    close(reading)
  }
}
