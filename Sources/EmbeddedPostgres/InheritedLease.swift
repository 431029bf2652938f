import Glibc
import Synchronization

/// The lease of the program that this process was before, which keeps the server until the new program has a lease.
enum InheritedLease {
  /// Names the descriptor.
  static let variable = "SLUICE_POSTGRES_LEASE"

  private static let isClosed = Mutex(false)

  /// Gives up what was inherited for a server.
  static func close(in folders: ServerFolders, _ environment: [String: String]) {
    isClosed.withLock { isClosed in
      guard !isClosed, let descriptor = environment[variable].flatMap({ CInt($0) }), descriptor > 2,
        let path = realpath("/proc/self/fd/\(descriptor)", nil)
      else { return }
      defer { free(path) }
      guard String(cString: path) == folders.usersLock, fcntl(descriptor, F_GETFD) & FD_CLOEXEC == 0 else { return }
      Glibc.close(descriptor)
      isClosed = true
    }
  }
}
