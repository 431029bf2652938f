import Glibc
import Synchronization

/// A lock by which this process is known in a ``ProcessTable``. The kernel ends it with the process.
package final class ProcessLock: Sendable {
  typealias Held = Set<FileNumber>

  /// Names the descriptor to the program that this process becomes.
  package static let variable = "SLUICE_PROCESS_LOCK"

  /// The files that this process holds, and the one lock under which any such file is opened or closed. Begins with the file
  /// that the program before this one handed on.
  static let held = Mutex<Held>(Set([inherited].compactMap { $0.flatMap(FileNumber.init(descriptor:)) }))

  /// From the program before this one.
  private static let inherited: Int32? = {
    guard let text = getenv(variable), let descriptor = Int32(String(cString: text)), descriptor > 2,
      fcntl(descriptor, F_GETFD) >= 0
    else { return nil }
    return descriptor
  }()

  private let path: String
  private let descriptor: Int32

  init(_ path: String, _ descriptor: Int32, _ held: inout Held) {
    self.path = path
    self.descriptor = descriptor
    // Programs that this one starts do not get it.
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    if let file = FileNumber(descriptor: descriptor) { held.insert(file) }
  }

  /// Gives the name up, and removes its file.
  package func release() {
    Self.held.withLock { held in
      guard let file = FileNumber(descriptor: descriptor), held.remove(file) != nil else { return }
      // While the lock is held: another process that opens the file now finds out that it is gone.
      if FileNumber(path: path) == file { unlink(path) }
      close(descriptor)
    }
  }

  /// Lets the program that this process becomes keep the lock. Returns what to add to its environment.
  package func handOn() -> [String: String] {
    _ = fcntl(descriptor, F_SETFD, 0)
    return [Self.variable: "\(descriptor)"]
  }

  /// The lock that the program before this one handed on, if it is one of the folder and of the role.
  static func inherited(in folder: String, role: Substring, _ held: inout Held) -> ProcessLock? {
    guard let descriptor = inherited, let path = realpath("/proc/self/fd/\(descriptor)", nil) else { return nil }
    defer { free(path) }
    let name = String(cString: path).split(separator: "/").last ?? ""
    let here = folder + "/" + name
    guard name.prefix(while: { $0 != "-" }) == role, FileNumber(path: here) == FileNumber(descriptor: descriptor),
      take(descriptor)
    else { return nil }
    return ProcessLock(here, descriptor, &held)
  }

  /// Locks the whole file for this process. False where another one holds it, with `errno`.
  static func take(_ descriptor: Int32) -> Bool {
    var lock = flock()
    lock.l_type = Int16(F_WRLCK)
    return fcntl(descriptor, F_SETLK, &lock) == 0
  }

  /// The process that holds the file's lock: 0 where it is out of sight of this one; nil where none does.
  static func holder(_ descriptor: Int32) -> Int32? {
    var lock = flock()
    lock.l_type = Int16(F_WRLCK)
    guard fcntl(descriptor, F_GETLK, &lock) == 0, lock.l_type != Int16(F_UNLCK) else { return nil }
    return max(0, lock.l_pid)
  }
}

/// Which file it is, whatever its path.
struct FileNumber: Hashable {
  private var device: UInt
  private var inode: UInt

  init?(path: String) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return nil }
    self.init(status)
  }

  init?(descriptor: Int32) {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return nil }
    self.init(status)
  }

  /// How many names an open file has.
  static func links(_ descriptor: Int32) -> Int {
    var status = stat()
    return fstat(descriptor, &status) == 0 ? Int(status.st_nlink) : 0
  }

  init(_ status: stat) {
    device = UInt(status.st_dev)
    inode = UInt(status.st_ino)
  }
}
