#if canImport(Glibc)
  import Glibc
#endif

/// A file of a source, as it was when it was looked at.
struct SourceFile: Sendable, Hashable {
  /// As the filesystem tells it. Only compared, for the seconds may be any number.
  struct Modification: Sendable, Hashable {
    var seconds: Int64
    var nanoseconds: Int64
  }

  /// Relative to the source's directory.
  var path: String
  var bytes: Int64
  var modified: Modification
  var inode: UInt64

  /// nil where it is no regular file.
  init?(path: String, status: stat) {
    guard status.st_mode & S_IFMT == S_IFREG else { return nil }
    self.path = path
    bytes = Int64(status.st_size)
    modified = Modification(seconds: Int64(status.st_mtim.tv_sec), nanoseconds: Int64(status.st_mtim.tv_nsec))
    inode = UInt64(status.st_ino)
  }
}
