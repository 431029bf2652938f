import Glibc

/// What happens when this process writes to a reader that has gone.
package enum BrokenPipe {
  /// Reading this once makes it an error of the write (`EPIPE`), not the end of this process by SIGPIPE, for as long as the
  /// process lives. Everything that writes to a program it started reads it first.
  package static let isAnError: Void = { _ = signal(SIGPIPE, SIG_IGN) }()
}
