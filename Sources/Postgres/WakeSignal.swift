import Glibc

/// Something that another thread makes readable, to end a wait in `poll` early: a pipe, of which nobody reads the bytes.
final class WakeSignal: Sendable {
  /// The end to wait on.
  let descriptor: CInt
  private let writer: CInt

  init() {
    var ends: [CInt] = [-1, -1]
    let status = pipe(&ends)
    precondition(status == 0, "the system gives no file descriptor for a database connection (error \(errno))")
    for end in ends {
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
    }
    (descriptor, writer) = (ends[0], ends[1])
  }

  deinit {
    close(writer)
    close(descriptor)
  }

  func wake() {
    // A full pipe is readable already.
    _ = write(writer, [1], 1)
  }

  func reset() {
    var bytes = [UInt8](repeating: 0, count: 64)
    while read(descriptor, &bytes, bytes.count) == bytes.count {}
  }
}
