#if canImport(Glibc)
  import Glibc
#endif

/// Folders that no source may read, known by device and inode, so that no other name or link leads into them.
struct WithheldFolders: Sendable {
  private var identities: Set<[UInt64]> = []
  private var paths: [String] = []

  init() {}

  /// A folder that does not exist is withheld by nothing.
  ///
  /// - Parameter project: Its directory. A folder that contains it is left out: everything would be withheld.
  init(_ folders: [String], project: String) {
    let project = Self.resolved(project) ?? project
    for folder in folders {
      var status = stat()
      guard stat(folder, &status) == 0, let path = Self.resolved(folder), !Self.lies(project, in: path) else {
        continue
      }
      identities.insert(Self.identity(status))
      paths.append(path)
    }
  }

  func contains(_ status: stat) -> Bool { identities.contains(Self.identity(status)) }

  /// Whether a path leads to one of the folders or below it.
  func holds(_ path: String) -> Bool {
    guard let path = Self.resolved(path) else { return false }
    return paths.contains { Self.lies(path, in: $0) }
  }

  private static func lies(_ path: String, in folder: String) -> Bool {
    (path + "/").utf8.starts(with: (folder == "/" ? "/" : folder + "/").utf8)
  }

  private static func identity(_ status: stat) -> [UInt64] { [UInt64(status.st_dev), UInt64(status.st_ino)] }

  private static func resolved(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(validatingCString: resolved)
  }
}
