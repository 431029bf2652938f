import CSpawn
import Glibc

/// A process of its own session, so that neither Ctrl-C on a terminal nor the end of its parent ends it, with its
/// output in a log file.
package struct DetachedProcess: Sendable {
  package var executable: String
  /// What the process finds as its own name.
  package var name: String
  /// Something without which the executable cannot be reached; it lives until the process has started.
  package var holding: (any AnyObject & Sendable)?
  package var arguments: [String]
  package var environment: [String: String]
  package var directory: String
  package var logPath: String
  /// Open files for its output and its errors, in place of the log.
  var outputs: (output: Int32, errors: Int32)?

  package init(
    executable: String, arguments: [String], environment: [String: String], directory: String, logPath: String
  ) {
    self.executable = executable
    name = executable
    self.arguments = arguments
    self.environment = environment
    self.directory = directory
    self.logPath = logPath
  }

  /// Starts the process and returns its number. The caller reaps it with ``reap(_:)``.
  ///
  /// - Throws: ``LauncherError`` `not_started`, with the cause.
  package func start() throws -> Int32 {
    var actions = posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawnattr_init(&attributes)
    defer {
      posix_spawn_file_actions_destroy(&actions)
      posix_spawnattr_destroy(&attributes)
    }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    if let outputs {
      posix_spawn_file_actions_adddup2(&actions, outputs.output, STDOUT_FILENO)
      posix_spawn_file_actions_adddup2(&actions, outputs.errors, STDERR_FILENO)
    } else {
      posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, logPath, O_WRONLY | O_CREAT | O_APPEND, 0o600)
      posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)
    }
    posix_spawn_file_actions_addchdir_np(&actions, directory)
    // Descriptors of the parent, such as its locks, stay with the parent.
    posix_spawn_file_actions_addclosefrom_np(&actions, 3)
    posix_spawnattr_setflags(&attributes, Int16(SLUICE_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))
    var defaults = sigset_t()
    sigfillset(&defaults)
    posix_spawnattr_setsigdefault(&attributes, &defaults)
    var mask = sigset_t()
    sigemptyset(&mask)
    posix_spawnattr_setsigmask(&attributes, &mask)

    var pid: pid_t = 0
    var status: Int32 = 0
    // A program that has just been written may be open still in a process that another thread has forked.
    for _ in 0..<50 {
      status = spawn(&pid, &actions, &attributes)
      guard status == ETXTBSY else { break }
      usleep(20_000)
    }
    guard status == 0 else {
      throw LauncherError(
        code: "not_started", message: "\(executable) could not be started: \(String(cString: strerror(status)))",
        hint: "check that \(directory) and \(logPath) can be written")
    }
    return pid
  }

  private func spawn(
    _ pid: inout pid_t, _ actions: inout posix_spawn_file_actions_t, _ attributes: inout posix_spawnattr_t
  ) -> Int32 {
    withCStrings([name] + arguments) { argv in
      withCStrings(environment.map { "\($0.key)=\($0.value)" }) { envp in
        posix_spawn(&pid, executable, &actions, &attributes, argv, envp)
      }
    }
  }

  /// What became of a process.
  package enum Ending: Sendable, Equatable {
    case running
    /// As a shell tells it: 128 + the signal for a killed one.
    case ended(status: Int32)
    case notAChild
  }

  /// What became of a child of this process; collects it when it has ended.
  package static func ending(of pid: Int32) -> Ending {
    var status: Int32 = 0
    switch waitpid(pid, &status, WNOHANG) {
    case 0: return .running
    case pid: return .ended(status: status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f))
    default: return .notAChild
    }
  }

  /// Whether a child of this process has ended; collects it when it has.
  package static func reap(_ pid: Int32) -> Bool {
    if case .ended = ending(of: pid) { true } else { false }
  }

  private func withCStrings<T>(_ texts: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> T) -> T {
    let pointers: [UnsafeMutablePointer<CChar>?] = texts.map { strdup($0) } + [nil]
    defer { for pointer in pointers { free(pointer) } }
    return body(pointers)
  }
}
