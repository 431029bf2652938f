import FoundationEssentials
import JobModel

#if canImport(Glibc)
  import Glibc
#endif

extension ProjectBundle {
  /// The folders that belong to a definition; `sluice.yaml` comes along.
  static let folders = [Project.pipelinesFolder, "sql", "tests"]

  /// Reads the files of a project directory that belong to its definition; names that begin with a dot are left out.
  ///
  /// Links are followed to files of the definition only: a bundle is stored, shown and sent on, and must hold neither a file
  /// from elsewhere on this machine nor a secret or a file of the installation from this project.
  ///
  /// - Throws: ``DefinitionError``: `no_project`, `unreadable_file`, `link_outside`, `link_loop`, `bundle_too_large`.
  package init(directory: String) throws {
    var reader = BundleReader(directory)
    self.init(files: try reader.gathered())
  }

  /// Writes the files into a directory, which is made where it is absent. Files that are there are replaced.
  ///
  /// - Throws: ``DefinitionError`` `unwritable_file`, also for a path that leads out of the directory.
  package func unpack(into directory: String) throws {
    for file in files {
      do {
        try PathText.projectPath(file.path)
        let url = URL(filePath: directory, directoryHint: .isDirectory).appending(path: file.path)
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(file.bytes).write(to: url, options: .atomic)
      } catch {
        throw DefinitionError(
          code: "unwritable_file", message: "\(file.path) cannot be written into \(directory)",
          hint: "check its permissions")
      }
    }
  }
}

/// Collects the files of one bundle.
private struct BundleReader {
  /// More files are data. It also bounds the walk.
  static let maximumFiles = 10_000

  private let directory: String
  private var files: [ProjectBundle.File] = []
  private var total = 0
  /// Folders by device and inode: one that comes again is reached by a link.
  private var seen: Set<[UInt64]> = []
  /// The project directory with its own links resolved.
  private let root: String

  init(_ directory: String) {
    self.directory = directory
    root = Self.resolved(directory) ?? directory
  }

  mutating func gathered() throws -> [ProjectBundle.File] {
    var hasPipelines = false
    for folder in ProjectBundle.folders where exists(folder) {
      hasPipelines = hasPipelines || folder == Project.pipelinesFolder
      try collect(folder)
    }
    if exists(Project.settingsFile) { try collect(Project.settingsFile) }
    guard hasPipelines || !files.isEmpty else {
      throw DefinitionError(
        code: "no_project",
        message: "\(directory) is no project: it has neither \(Project.pipelinesFolder)/ nor \(Project.settingsFile)",
        hint: "run `sluice init` there, or go to the project's directory")
    }
    return files
  }

  private func exists(_ path: String) -> Bool {
    var status = stat()
    return lstat(directory + "/" + path, &status) == 0
  }

  private mutating func collect(_ path: String) throws {
    let place = try place(of: path)
    let descriptor = open(place, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else { throw Self.unreadable(path) }
    defer { _ = close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw Self.unreadable(path) }
    switch status.st_mode & S_IFMT {
    case S_IFDIR:
      guard seen.insert([UInt64(status.st_dev), UInt64(status.st_ino)]).inserted else {
        throw DefinitionError(
          code: "link_loop", message: "\(path) is a link to a folder that belongs to the definition already",
          hint: "remove the link")
      }
      for name in try names(in: place, path) { try collect(path + "/" + name) }
    case S_IFREG:
      let bytes = try read(descriptor, path)
      files.append(ProjectBundle.File(path: path, bytes: bytes))
      guard files.count <= Self.maximumFiles else {
        throw tooLarge("more than \(Self.maximumFiles) files", path)
      }
    default:
      throw DefinitionError(
        code: "unreadable_file", message: "\(path) is neither a file nor a folder", hint: "remove it")
    }
  }

  /// The path with every link resolved.
  private func place(of path: String) throws -> String {
    guard let place = Self.resolved(directory + "/" + path) else {
      guard errno == ELOOP else { throw Self.unreadable(path) }
      throw DefinitionError(code: "link_loop", message: "\(path) is a link that leads to itself", hint: "remove it")
    }
    guard isOfDefinition(place) else {
      throw DefinitionError(
        code: "link_outside", message: "\(path) is a link that leads out of the files of the definition",
        hint: "copy what it leads to into \(ProjectBundle.folders.map { $0 + "/" }.joined(separator: ", "))")
    }
    return place
  }

  private func isOfDefinition(_ place: String) -> Bool {
    let base = root == "/" ? root : root + "/"
    guard place.utf8.starts(with: base.utf8) else { return false }
    let parts = String(decoding: place.utf8.dropFirst(base.utf8.count), as: UTF8.self).pathParts
    guard !parts.contains(where: { $0.utf8.first == UInt8(ascii: ".") }) else { return false }
    if parts.count == 1, parts[0].isExactly(Project.settingsFile) { return true }
    return parts.first.map { first in ProjectBundle.folders.contains { $0.isExactly(first) } } ?? false
  }

  private static func resolved(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(validatingCString: resolved)
  }

  private func names(in place: String, _ path: String) throws -> [String] {
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: place) else {
      throw DefinitionError(
        code: "unreadable_file", message: "\(path)/ cannot be listed", hint: "check its permissions")
    }
    return names.filter { $0.utf8.first != UInt8(ascii: ".") }
  }

  private mutating func read(_ descriptor: Int32, _ path: String) throws -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 * 1024)
    while true {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw Self.unreadable(path) }
      if count == 0 { return bytes }
      bytes += buffer[..<count]
      total += count
      guard total <= ProjectBundle.maximumBytes else {
        throw tooLarge("more than \(ProjectBundle.maximumBytes / 1_000_000) MB", path)
      }
    }
  }

  private func tooLarge(_ limit: String, _ path: String) -> DefinitionError {
    DefinitionError(
      code: "bundle_too_large", message: "the files of the definition have \(limit)",
      hint: "keep data out of \(ProjectBundle.folders.joined(separator: ", ")): \(path) was one file too many")
  }

  private static func unreadable(_ path: String) -> DefinitionError {
    DefinitionError(code: "unreadable_file", message: "\(path) cannot be read", hint: "check its permissions")
  }
}
