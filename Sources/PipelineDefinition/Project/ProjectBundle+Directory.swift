import FoundationEssentials

extension ProjectBundle {
  /// The folders that belong to a definition; `sluice.yaml` comes along.
  static let folders = [Project.pipelinesFolder, "sql", "tests"]

  /// Reads the files of a project directory that belong to its definition; names that begin with a dot are left out.
  ///
  /// - Throws: ``DefinitionError``: `no_project`, `unreadable_file`, `bundle_too_large`.
  package init(directory: String) throws {
    var paths: [String] = []
    for folder in Self.folders { try Self.collect(folder, in: directory, into: &paths) }
    if FileManager.default.fileExists(atPath: directory + "/" + Project.settingsFile) {
      paths.append(Project.settingsFile)
    }
    guard FileManager.default.fileExists(atPath: directory + "/" + Project.pipelinesFolder) || !paths.isEmpty else {
      throw DefinitionError(
        code: "no_project",
        message: "\(directory) is no project: it has neither \(Project.pipelinesFolder)/ nor \(Project.settingsFile)",
        hint: "run `sluice init` there, or go to the project's directory")
    }
    var files: [File] = []
    var total = 0
    for path in paths {
      guard let data = FileManager.default.contents(atPath: directory + "/" + path) else {
        throw DefinitionError(code: "unreadable_file", message: "\(path) cannot be read", hint: "check its permissions")
      }
      total += data.count
      guard total <= Self.maximumBytes else {
        throw DefinitionError(
          code: "bundle_too_large",
          message: "the files of the definition have more than \(Self.maximumBytes / 1_000_000) MB",
          hint: "keep data out of \(Self.folders.joined(separator: ", ")): \(path) was one file too many")
      }
      files.append(File(path: path, bytes: Array(data)))
    }
    self.init(files: files)
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

  private static func collect(_ path: String, in directory: String, into paths: inout [String]) throws {
    let full = directory + "/" + path
    var isDirectory = false
    guard FileManager.default.fileExists(atPath: full, isDirectory: &isDirectory) else { return }
    guard isDirectory else { return paths.append(path) }
    do {
      for name in try FileManager.default.contentsOfDirectory(atPath: full) where !name.hasPrefix(".") {
        try collect(path + "/" + name, in: directory, into: &paths)
      }
    } catch let error as DefinitionError {
      throw error
    } catch {
      throw DefinitionError(
        code: "unreadable_file", message: "\(path)/ cannot be listed", hint: "check its permissions")
    }
  }
}
