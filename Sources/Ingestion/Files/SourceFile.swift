#if canImport(Glibc)
  import Glibc
#endif

/// A file of a source, as it was when it was looked at.
struct SourceFile: Sendable, Hashable {
  /// Relative to the source's directory.
  var path: String
  var bytes: Int64
  var modifiedNanoseconds: Int64
  var inode: UInt64
}

/// The directory of a source. Every function blocks.
struct SourceDirectory: Sendable {
  /// Absolute, or relative to the working directory.
  let root: String

  /// What the directory's state at one moment could not be read for; `errno`.
  struct Unreadable: Error { let path: String, number: Int32 }

  /// Every regular file below the root, sorted by the bytes of its path. Does not follow links to directories.
  ///
  /// - Throws: ``Unreadable``, also where the root is absent.
  func files() throws -> [SourceFile] {
    var found: [SourceFile] = []
    var pending = [""]
    while let next = pending.popLast() {
      let path = next.isEmpty ? root : root + "/" + next
      guard let directory = opendir(path) else {
        if !next.isEmpty, errno == ENOENT { continue }
        throw Unreadable(path: path, number: errno)
      }
      defer { _ = closedir(directory) }
      while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name == "." || name == ".." { continue }
        let relative = next.isEmpty ? name : next + "/" + name
        var status = stat()
        guard lstat(root + "/" + relative, &status) == 0 else { continue }
        if status.st_mode & S_IFMT == S_IFDIR {
          pending.append(relative)
        } else if let file = look(at: relative) {
          found.append(file)
        }
      }
    }
    return found.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
  }

  /// A file as it is now; nil where there is no regular file of that path.
  func look(at path: String) -> SourceFile? {
    var status = stat()
    guard stat(root + "/" + path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    return SourceFile(
      path: path, bytes: Int64(status.st_size),
      modifiedNanoseconds: Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec),
      inode: UInt64(status.st_ino))
  }
}
