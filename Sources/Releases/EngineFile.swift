import JobModel
import ObjectStore

#if canImport(Glibc)
  import Glibc
#endif

/// A binary of this machine, open and compared with its hash.
///
/// It is started through the open descriptor (``executable``). So what was verified is what runs, whatever happens to the path
/// between the two.
package final class EngineFile: Sendable {
  /// Why a file is not run.
  enum Fault: Error {
    case missing
    /// Its bytes are not what the hash says.
    case different
    /// Another user owns it, or may write it; or it is no file that this user can run.
    case shared
  }

  private static let pieceBytes = 1 << 20

  /// Where it lies. For messages, and the name under which the process runs.
  package let path: String
  private let descriptor: Int32

  /// What to execute. Valid as long as this object lives, also for children of this process, whose descriptors are closed.
  package var executable: String { "/proc/\(getpid())/fd/\(descriptor)" }

  private init(path: String, descriptor: Int32) {
    self.path = path
    self.descriptor = descriptor
  }

  /// Opens the file and reads all of it. Blocks: call it through ``BlockingIO``.
  ///
  /// - Throws: ``Fault``, or `StageFailure` `no_cache`.
  static func open(_ path: String, sha256 hash: String) throws -> EngineFile {
    let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard descriptor >= 0 else {
      switch errno {
      case ENOENT, ENOTDIR: throw Fault.missing
      case ELOOP, EACCES: throw Fault.shared
      default: throw failure("cannot be read", path)
      }
    }
    let file = EngineFile(path: path, descriptor: descriptor)
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw failure("cannot be looked at", path) }
    guard status.st_mode & S_IFMT == S_IFREG, status.st_uid == geteuid(), status.st_mode & 0o122 == 0o100
    else {
      throw Fault.shared
    }
    guard try file.hashOfContent() == hash else { throw Fault.different }
    // The sweep of the cache goes by when an engine was last started.
    _ = futimens(descriptor, nil)
    return file
  }

  deinit { _ = close(descriptor) }

  private func hashOfContent() throws -> String {
    var hasher = SHA256Hasher()
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.pieceBytes, alignment: 16)
    defer { buffer.deallocate() }
    while true {
      let count = read(descriptor, buffer.baseAddress, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw Self.failure("cannot be read", path) }
      guard count > 0 else { return hasher.finalizeHex() }
      hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    }
  }

  /// Of the system call that has just failed.
  static func failure(_ what: String, _ path: String) -> StageFailure {
    StageFailure(
      code: "no_cache", message: "\(path) \(what): \(String(cString: strerror(errno)))",
      hint: "run as the user who owns the folder, or remove it: it is fetched again", isTransient: true)
  }
}
