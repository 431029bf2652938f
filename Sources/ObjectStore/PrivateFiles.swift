#if canImport(Glibc)
  import Glibc
#endif

/// The one place that decides who may read what Sluice keeps: only the user that it runs as.
///
/// Folders have the mode 0700 and files 0600, whatever the umask. Two walls: the process creates nothing that others can
/// read (``restrictProcess()``), and what an older version left readable is tightened when a process starts
/// (``tighten(_:)``). Every function blocks.
package enum PrivateFiles {
  package static let folderMode: mode_t = 0o700
  package static let fileMode: mode_t = 0o600
  /// Of engines.
  package static let programMode: mode_t = 0o700
  /// The rights of the group and of all others.
  private static let othersMask: mode_t = 0o077

  /// The folders that objects and engines go into, and the store's own.
  private static let storageFolders: Set<String> = ["raw", "curated", "releases", ".tmp"]

  /// Makes everything private that this process and its children create from now on.
  ///
  /// - Returns: The umask before, for files that belong to the user and not to Sluice.
  package static func restrictProcess() -> mode_t { umask(othersMask) }

  /// Creates a folder with its parents; one that exists stays as it is.
  package static func createFolder(_ path: String) throws {
    var status = stat()
    if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { return }
    let parent = parent(of: path)
    if parent != path, !parent.isEmpty { try createFolder(parent) }
    guard mkdir(path, folderMode) == 0 || errno == EEXIST else {
      throw ObjectStoreError.system(errno, "create", path: path, directory: parent)
    }
  }

  /// Writes a small file at once: a reader sees the old content or the new one. Its folder is created where it is missing.
  package static func write(_ bytes: [UInt8], to path: String) throws {
    let folder = parent(of: path)
    try createFolder(folder)
    let temporary = "\(path).\(getpid()).new"
    _ = unlink(temporary)
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, fileMode)
    guard descriptor >= 0 else { throw ObjectStoreError.system(errno, "create", path: temporary, directory: folder) }
    let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    let reason = count < 0 ? errno : ENOSPC
    _ = close(descriptor)
    guard count == bytes.count, rename(temporary, path) == 0 else {
      let number = count == bytes.count ? errno : reason
      _ = unlink(temporary)
      throw ObjectStoreError.system(number, "write", path: path, directory: folder)
    }
  }

  /// Takes the rights of others from a file or a folder and from everything in it. Links are neither followed nor changed.
  ///
  /// - Parameter except: Folders that are left out, with their content.
  /// - Returns: What others can still reach, because it belongs to another user.
  @discardableResult
  package static func tighten(_ path: String, except: Set<String> = []) -> [String] {
    var open: [String] = []
    walk(path, except: except) { path, status in
      guard status.st_mode & othersMask != 0 else { return }
      // From the top down: once a folder is private, no other user can exchange what is in it.
      let mode = status.st_mode & 0o7777 & ~othersMask
      if fchmodat(AT_FDCWD, path, mode, AT_SYMLINK_NOFOLLOW) != 0 { open.append(path) }
    }
    return open
  }

  /// What of a storage has to be private: its root, or, where that holds other things too, the folders in it that are Sluice's.
  package static func folders(ofStorage root: String) -> [String] {
    guard let entries = entries(of: root) else { return [] }
    if Set(entries).isSubset(of: storageFolders) { return [root] }
    return entries.filter(storageFolders.contains).sorted().map { root + "/" + $0 }
  }

  /// Whether others have any right on it: on a private folder, nothing in it can be reached.
  package static func isOpen(_ path: String) -> Bool {
    var status = stat()
    guard lstat(path, &status) == 0, status.st_mode & S_IFMT != S_IFLNK else { return false }
    return status.st_mode & othersMask != 0
  }

  private static func walk(_ root: String, except: Set<String>, _ visit: (String, stat) -> Void) {
    var pending = [root]
    while let path = pending.popLast() {
      var status = stat()
      guard !except.contains(path), lstat(path, &status) == 0, status.st_mode & S_IFMT != S_IFLNK else { continue }
      visit(path, status)
      if status.st_mode & S_IFMT == S_IFDIR { pending += (entries(of: path) ?? []).map { path + "/" + $0 } }
    }
  }

  /// nil where there is no such folder, or none that can be read.
  private static func entries(of folder: String) -> [String]? {
    guard let directory = opendir(folder) else { return nil }
    defer { _ = closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }

  private static func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}
