import Glibc

/// A lock of the kernel on an open file. It ends with the last descriptor of this opening, whatever ends the processes.
struct FileLock: ~Copyable {
  enum Mode { case shared, exclusive }

  let path: String
  let descriptor: CInt

  /// Opens the file, and creates it where there is none; takes no lock yet.
  init(_ path: String) throws {
    self.path = path
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else {
      throw EmbeddedPostgresError.system(
        "cannot open", path, hint: "run as the user who created the project's .sluice folder")
    }
  }

  deinit { close(descriptor) }

  /// Waits for the lock. A lock of another mode that is held through this opening is given up first.
  func take(_ mode: Mode) throws {
    while flock(descriptor, mode == .shared ? LOCK_SH : LOCK_EX) != 0 {
      guard errno == EINTR else { throw EmbeddedPostgresError.system("cannot lock", path) }
    }
  }

  /// Takes the lock if nobody else's stands against it. When not, what was held through this opening is lost as well.
  func tryTake(_ mode: Mode) -> Bool {
    flock(descriptor, (mode == .shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0
  }
}
