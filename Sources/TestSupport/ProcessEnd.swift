import Glibc

/// Runs a shell script when this process ends, also when it is killed.
///
/// A shell in a session of its own reads from a socket whose other end only this process holds; the kernel closes it with
/// the process, and the shell goes on.
final class ProcessEnd: Sendable {
  /// `POSIX_SPAWN_SETSID` of glibc's `spawn.h`, which shows it to GNU sources only.
  private static let setSession: Int16 = 0x80

  private let writeEnd: Int32

  /// - Parameter arguments: What the script finds in `$1` and after.
  init(script: String, arguments: [String]) throws {
    var ends: [Int32] = [-1, -1]
    // A pair of sockets, because these are closed in children from their first moment on; Swift sees no `pipe2`.
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
      throw TestSupportError("no sockets: \(String(cString: strerror(errno)))")
    }
    defer { close(ends[0]) }
    writeEnd = ends[1]
    var actions = posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawnattr_init(&attributes)
    defer {
      posix_spawn_file_actions_destroy(&actions)
      posix_spawnattr_destroy(&attributes)
    }
    posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO)
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
    posix_spawnattr_setflags(&attributes, Self.setSession)
    let words = ["/bin/sh", "-c", "read -r _\n" + script, "sh"] + arguments
    let pointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    defer { for pointer in pointers { free(pointer) } }
    var pid: pid_t = 0
    let status = posix_spawn(&pid, "/bin/sh", &actions, &attributes, pointers, environ)
    guard status == 0 else {
      close(ends[1])
      throw TestSupportError("no watching shell: \(String(cString: strerror(status)))")
    }
  }

  deinit { close(writeEnd) }
}
