import JobModel
import ObjectStore

#if canImport(Glibc)
  import Glibc
#endif

/// The directory of a source. Every function blocks.
///
/// Follows no link below the root: a writer of the inbox must not choose which other files of this machine are read. Each
/// part of a path is opened relative to the part before it, so that a link that appears between two looks is not followed
/// either.
struct SourceDirectory: Sendable {
  /// More is a mistake of the author, such as `at: "file:/"`.
  static let maximumEntries = 2_000_000
  static let maximumDepth = 100

  /// Absolute, or relative to the working directory. It may itself be a link: the definition's author chose it.
  let root: String
  /// Folders that are never read, even where they lie below the root: those of secrets and of the installation's state.
  var withheld = WithheldFolders()

  /// What the directory's state at one moment could not be read for; `errno`.
  struct Unreadable: Error { let path: String, number: Int32 }
  /// More entries than a source may have.
  struct TooLarge: Error { let path: String, limit: String }

  /// What is in a directory.
  struct Listing: Sendable {
    var files: [SourceFile] = []
    /// Paths of entries that are never read: links, pipes, devices, and names that are not UTF-8.
    var leftOut: [String] = []
    /// Folders that are not entered because they are withheld.
    var withheld: [String] = []
    /// Folders that lie deeper than ``maximumDepth``. The writer of an inbox must not stop a stream with them.
    var tooDeep: [String] = []
  }

  /// Every regular file below the root, sorted by the bytes of its path.
  ///
  /// - Throws: ``Unreadable``, also where the root is absent; ``TooLarge``.
  func listing() throws -> Listing {
    var listing = Listing()
    var pending = [(path: "", depth: 0)]
    var entries = 0
    while let (folder, depth) = pending.popLast() {
      guard depth <= Self.maximumDepth else {
        listing.tooDeep.append(folder)
        continue
      }
      guard let directory = try opened(folder) else { continue }
      defer { _ = closedir(directory) }
      while let entry = readdir(directory) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { (String(validatingCString: $0), String(cString: $0)) }
        }
        if name.1 == "." || name.1 == ".." { continue }
        entries += 1
        guard entries <= Self.maximumEntries else {
          throw TooLarge(path: root, limit: "\(Self.maximumEntries) entries")
        }
        let relative = folder.isEmpty ? name.1 : folder + "/" + name.1
        var status = stat()
        guard name.0 != nil else {
          listing.leftOut.append(relative)
          continue
        }
        guard fstatat(dirfd(directory), name.1, &status, AT_SYMLINK_NOFOLLOW) == 0 else { continue }
        if status.st_mode & S_IFMT == S_IFDIR, withheld.contains(status) {
          listing.withheld.append(relative)
        } else if status.st_mode & S_IFMT == S_IFDIR {
          pending.append((relative, depth + 1))
        } else if let file = SourceFile(path: relative, status: status) {
          listing.files.append(file)
        } else {
          listing.leftOut.append(relative)
        }
      }
    }
    listing.files.sort { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
    return listing
  }

  /// A file as it is now; nil where there is no regular file of that path.
  func look(at path: String) -> SourceFile? {
    guard let (folder, name) = try? parent(of: path) else { return nil }
    defer { _ = close(folder) }
    var status = stat()
    guard fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { return nil }
    return SourceFile(path: path, status: status)
  }

  /// Opens a regular file for reading.
  ///
  /// - Returns: A descriptor that the caller closes.
  /// - Throws: `FileReader.Missing` where there is none any more, be it that a link or a pipe is in its place.
  func open(_ path: String) throws -> Int32 {
    let (folder, name) = try parent(of: path)
    defer { _ = close(folder) }
    // Without O_NONBLOCK a pipe would wait for its writer.
    let descriptor = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else { throw Self.failure(errno, path) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      _ = close(descriptor)
      throw FileReader.Missing(path: path)
    }
    return descriptor
  }

  /// nil where a folder below the root is gone or is no folder any more.
  private func opened(_ folder: String) throws -> OpaquePointer? {
    do {
      let descriptor = try descend(folder.isEmpty ? [] : folder.pathParts)
      guard let directory = fdopendir(descriptor) else {
        let number = errno
        _ = close(descriptor)
        throw Unreadable(path: path(folder), number: number)
      }
      return directory
    } catch is FileReader.Missing where !folder.isEmpty { return nil }
  }

  private func parent(of path: String) throws -> (folder: Int32, name: String) {
    var parts = path.pathParts
    guard !parts.contains(where: { $0.isExactly("..") }), let name = parts.popLast() else {
      throw FileReader.Missing(path: path)
    }
    return (try descend(parts), name)
  }

  /// Opens the folder at the end of the parts, each without following a link.
  private func descend(_ parts: [String]) throws -> Int32 {
    var descriptor = Glibc.open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Unreadable(path: root, number: errno) }
    for part in parts {
      let next = openat(descriptor, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
      let number = errno
      _ = close(descriptor)
      guard next >= 0 else {
        if [ENOENT, ENOTDIR, ELOOP].contains(number) { throw FileReader.Missing(path: part) }
        throw Unreadable(path: path(parts.joined(separator: "/")), number: number)
      }
      descriptor = next
      var status = stat()
      guard fstat(descriptor, &status) == 0, !withheld.contains(status) else {
        _ = close(descriptor)
        throw FileReader.Missing(path: part)
      }
    }
    return descriptor
  }

  private func path(_ folder: String) -> String { folder.isEmpty ? root : root + "/" + folder }

  /// A link in the place of a file is told as a missing file: it came after the look.
  private static func failure(_ number: Int32, _ path: String) -> any Error {
    [ENOENT, ENOTDIR, ELOOP, ENXIO].contains(number)
      ? FileReader.Missing(path: path) : Unreadable(path: path, number: number)
  }
}
