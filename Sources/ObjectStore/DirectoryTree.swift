#if canImport(Glibc)
  import Glibc
#endif

/// Directories of a local store. Every function blocks.
enum DirectoryTree {
  struct File {
    /// Relative to the root.
    var path: String
    var bytes: Int64
    /// Seconds since 1970.
    var modifiedAt: Int64
  }

  /// What tells a folder from every other.
  private struct Identity: Hashable {
    var device: UInt64
    var inode: UInt64
    init(_ status: stat) { (device, inode) = (UInt64(status.st_dev), UInt64(status.st_ino)) }
  }

  /// Creates a directory with its parents and makes each new entry durable; one that is there costs one call.
  static func create(_ path: String) throws {
    var status = stat()
    if stat(path, &status) == 0 { return }
    let parent = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    if !parent.isEmpty, parent != path { try create(parent) }
    if mkdir(path, PrivateFiles.folderMode) != 0, errno != EEXIST {
      throw ObjectStoreError.system(errno, "create", path: path, directory: parent)
    }
    try sync(parent.isEmpty ? "/" : parent)
  }

  /// Makes the entries of a directory durable.
  static func sync(_ path: String) throws {
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw ObjectStoreError.system(errno, "open", path: path, directory: path) }
    defer { _ = close(descriptor) }
    // Some network filesystems cannot sync a directory and say so; they make entries durable on their own.
    guard fsync(descriptor) == 0 || errno == EINVAL else {
      throw ObjectStoreError.system(errno, "write to", path: path, directory: path)
    }
  }

  /// Every regular file below `folder` of `root`, without the store's own (names that begin with a dot). None where the
  /// folder is absent.
  ///
  /// Links are followed, for an operator may have put a folder on another disk.
  ///
  /// - Throws: ``ObjectStoreError`` where a link leads to a folder that is listed already, which would never end.
  static func files(under root: String, in folder: String) throws -> [File] {
    var found: [File] = []
    var pending = [folder]
    var seen: Set<Identity> = []
    while let next = pending.popLast() {
      let path = next.isEmpty ? root : root + "/" + next
      guard let directory = opendir(path) else {
        if errno == ENOENT || errno == ENOTDIR { continue }
        throw ObjectStoreError.system(errno, "list", path: path, directory: path)
      }
      defer { _ = closedir(directory) }
      var opened = stat()
      guard fstat(dirfd(directory), &opened) == 0, seen.insert(Identity(opened)).inserted else {
        throw ObjectStoreError(
          .storageFailed, "the storage has the folder \(path) twice: a link leads to a folder that is in it",
          hint: "remove the link; find it: find \(root) -type l")
      }
      while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name.hasPrefix(".") { continue }
        let relative = next.isEmpty ? name : next + "/" + name
        var status = stat()
        // A file that was deleted since the directory was read is simply not there.
        guard stat(root + "/" + relative, &status) == 0 else { continue }
        if status.st_mode & S_IFMT == S_IFDIR {
          pending.append(relative)
        } else if status.st_mode & S_IFMT == S_IFREG {
          found.append(
            File(path: relative, bytes: Int64(status.st_size), modifiedAt: Int64(status.st_mtim.tv_sec)))
        }
      }
    }
    return found
  }
}
