import Glibc

/// Which extensions are loaded without a check of their signature.
extension DuckDB {
  /// Whether these extensions can be trusted as the program itself is: everything from the extension directory down to their files belongs
  /// to the program's owner or to root, and no other user may write there. A user who can change such an extension can change the
  /// program too, and nothing checks the program's signature.
  ///
  /// DuckDB's own check reads the whole file and hashes it: 0.1 s of a processor for the 42 MB of `postgres_scanner`, at each start.
  /// Otherwise a start takes 0.02 s.
  func trusts(_ extensions: [String]) -> Bool {
    guard let extensionDirectory, let root = Self.realPath(extensionDirectory),
      let program = Self.realPath(executable).flatMap(Self.status),
      Self.isGuarded(root, S_IFDIR, by: program.st_uid)
    else { return false }
    // VERSION/PLATFORM/NAME.duckdb_extension; only DuckDB knows which version and platform it is.
    let folders = Self.entries(of: root).flatMap { version in
      [version] + Self.entries(of: version)
    }
    let files = folders.flatMap { folder in
      extensions.map { "\(folder)/\($0).duckdb_extension" }.filter { Self.status($0) != nil }
    }
    return !files.isEmpty
      && folders.allSatisfy { Self.isGuarded($0, S_IFDIR, by: program.st_uid) }
      && files.allSatisfy { Self.isGuarded($0, S_IFREG, by: program.st_uid) }
  }

  /// Whether this is a file of the given kind, no link, that only `owner` or root can change.
  private static func isGuarded(_ path: String, _ kind: mode_t, by owner: uid_t) -> Bool {
    guard let status = status(path), status.st_mode & S_IFMT == kind else { return false }
    return (status.st_uid == owner || status.st_uid == 0) && status.st_mode & (S_IWGRP | S_IWOTH) == 0
  }

  /// Of the file itself, or of the link.
  private static func status(_ path: String) -> stat? {
    var found = stat()
    return lstat(path, &found) == 0 ? found : nil
  }

  private static func entries(of folder: String) -> [String] {
    guard let stream = opendir(folder) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: pointer.pointee)) {
          String(cString: $0)
        }
      }
      if name != ".", name != ".." { names.append(folder + "/" + name) }
    }
    return names
  }
}
