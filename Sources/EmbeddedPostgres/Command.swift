import CSpawn
import Glibc

/// A program to run: found by its path, with an environment of its own.
struct Command: Sendable {
  var arguments: [String]
  var environment: [String]

  /// - Parameter arguments: The program's absolute path first.
  init(_ arguments: [String]) {
    self.arguments = arguments
    // Nothing of the caller's: PGDATA, PGPORT and the like would lead the server astray, and so would its locale.
    environment = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC"]
  }

  struct Outcome {
    /// As a shell would tell it; 128 + the signal for a killed one.
    var status: CInt
    /// What it wrote to both outputs, at most the last 64 KiB.
    var output: String
    /// Its last line that is not empty.
    var lastLine: String {
      output.split(separator: "\n").last { !$0.allSatisfy(\.isWhitespace) }.map(String.init) ?? ""
    }
  }

  /// Runs it to its end; blocks.
  func run() throws -> Outcome {
    var ends: [CInt] = [-1, -1]
    // Sockets, because these are closed in other children from their first moment on.
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
      throw EmbeddedPostgresError.system("cannot run", arguments[0])
    }
    defer { close(ends[0]) }
    let pid: pid_t
    do {
      defer { close(ends[1]) }
      pid = try start(output: ends[1], kept: nil)
    }
    let output = Self.readAll(ends[0])
    return Outcome(status: Self.wait(pid), output: output)
  }

  /// Starts it in a session of its own, so that a Ctrl-C for this process does not reach it.
  ///
  /// - Parameters:
  ///   - output: Where both its outputs go.
  ///   - kept: A descriptor that it keeps open; every other but the three standard ones is closed.
  func start(output: CInt, kept: CInt?) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, output, 1)
    posix_spawn_file_actions_adddup2(&actions, output, 2)
    if let kept { posix_spawn_file_actions_adddup2(&actions, kept, 3) }
    posix_spawn_file_actions_addclosefrom_np(&actions, kept == nil ? 3 : 4)
    posix_spawn_file_actions_addchdir_np(&actions, "/")

    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    var all = sigset_t()
    sigfillset(&all)
    posix_spawnattr_setsigdefault(&attributes, &all)
    let flags = Int32(SLUICE_SPAWN_SETSID) | Int32(POSIX_SPAWN_SETSIGMASK) | Int32(POSIX_SPAWN_SETSIGDEF)
    posix_spawnattr_setflags(&attributes, Int16(flags))

    var argv = arguments.map { strdup($0) } + [nil]
    var envp = environment.map { strdup($0) } + [nil]
    defer { for text in argv + envp { free(text) } }
    var pid: pid_t = 0
    let status = posix_spawn(&pid, arguments[0], &actions, &attributes, &argv, &envp)
    guard status == 0 else {
      throw EmbeddedPostgresError(.startFailed, "cannot run \(arguments[0]): \(systemError(status))")
    }
    return pid
  }

  /// The exit status of a child that has ended, nil while it runs.
  static func ended(_ pid: pid_t) -> CInt? {
    var status: CInt = 0
    return waitpid(pid, &status, WNOHANG) == pid ? code(status) : nil
  }

  private static func wait(_ pid: pid_t) -> CInt {
    var status: CInt = 0
    while waitpid(pid, &status, 0) < 0 {
      guard errno == EINTR else { return -1 }
    }
    return code(status)
  }

  private static func code(_ status: CInt) -> CInt {
    let signal = status & 0x7f
    return signal == 0 ? (status >> 8) & 0xff : 128 + signal
  }

  private static func readAll(_ descriptor: CInt) -> String {
    let most = 64 * 1024
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { break }
      bytes += buffer[..<count]
      if bytes.count > 2 * most { bytes.removeFirst(bytes.count - most) }
    }
    return String(decoding: bytes.suffix(most), as: UTF8.self)
  }
}
