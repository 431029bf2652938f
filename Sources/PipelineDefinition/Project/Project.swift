import FoundationEssentials

/// A project directory as it was at one moment: its settings, its pipelines for one environment, and what is wrong
/// with them.
///
/// Made from a ``ProjectBundle``, so that a run that keeps its definition and a worker that gets it from the release
/// store read it the same way.
package struct Project: Sendable {
  /// One file of `pipelines/`.
  package struct Definition: Sendable {
    /// Relative to the project directory: `pipelines/orders.yaml`.
    package var file: String
    /// The file's name without its suffix; it is the pipeline's name.
    package var name: String
    /// nil where a diagnostic refuses it.
    package var pipeline: Pipeline?
    /// Sorted by place.
    package var diagnostics: [Diagnostic]
  }

  /// As it was given; relative paths of the definition are relative to it.
  package let directory: String
  package let environment: String
  /// What the environment is, where `sluice env up` made it.
  package let copy: EnvironmentCopy?
  package let settings: ProjectSettings
  package let bundle: ProjectBundle
  /// Sorted by file.
  package internal(set) var definitions: [Definition]
  /// What is wrong with `sluice.yaml` and with files that belong to no pipeline.
  package let projectDiagnostics: [Diagnostic]

  package static let settingsFile = "sluice.yaml"
  package static let pipelinesFolder = "pipelines"
  package static let defaultEnvironment = "local"

  /// Those that can run.
  package var pipelines: [Pipeline] { definitions.compactMap(\.pipeline) }

  /// Everything that is wrong anywhere in the project, sorted by place.
  package var diagnostics: [Diagnostic] {
    (projectDiagnostics + definitions.flatMap(\.diagnostics)).sortedByPlace()
  }

  /// Reads a project directory.
  ///
  /// - Parameter environment: nil is `local`.
  /// - Throws: ``DefinitionError`` where the directory is no project or a file cannot be read, or the environment's name is
  ///   none. A wrong definition does not throw: it is in ``diagnostics``.
  package static func load(
    directory: String, environment: String? = nil, copy: EnvironmentCopy? = nil
  ) throws -> Project {
    if let environment { try check(environment: environment, in: directory) }
    return Project(
      bundle: try ProjectBundle(directory: directory), directory: directory, environment: environment, copy: copy)
  }

  /// An environment's name is part of paths, of databases' names and of locations.
  ///
  /// - Parameter directory: Of the project. An environment of a name that is not free has been used in it with an earlier engine, if its
  ///   state is there.
  /// - Throws: ``DefinitionError`` `environment_name`.
  package static func check(environment: String, in directory: String? = nil) throws {
    do { try NameText.dashedName(environment) } catch {
      throw DefinitionError(
        code: "environment_name", message: "the environment: \(error.message)",
        hint: error.suggestion ?? "choose it with --env NAME or SLUICE_ENV")
    }
    let isServer = environment == "postgres"
    guard isServer || environment == "storage" || environment.hasPrefix("storage-") else { return }
    if let directory, isState("\(directory)/.sluice/\(environment)") { return }
    throw DefinitionError(
      code: "environment_name",
      message: "the environment: \"\(environment)\" is not free: .sluice/\(environment) is "
        + (isServer ? "the folder of the project's own server" : "a folder of storages"),
      hint: "choose another name with --env NAME or SLUICE_ENV")
  }

  /// Whether a folder is the state of an environment, by what every verb leaves in it.
  private static func isState(_ folder: String) -> Bool {
    ["installation", "processes"].contains { FileManager.default.fileExists(atPath: "\(folder)/\($0)") }
  }

  /// The rules of the engine that runs its pipelines.
  package var edition = Edition.current

  /// The environment whose overlay its definitions have.
  package var overlay: String { copy?.model ?? environment }

  /// - Parameters:
  ///   - copy: What the environment is, where `sluice env up` made it.
  ///   - isStored: Whether it is a release's: its definitions were checked by the rules of the engine that deployed them.
  package init(
    bundle: ProjectBundle, directory: String, environment: String? = nil, copy: EnvironmentCopy? = nil,
    isStored: Bool = false
  ) {
    self.directory = directory
    self.environment = copy?.name ?? environment ?? Self.defaultEnvironment
    self.copy = copy
    self.bundle = bundle
    let (settings, settingsDiagnostics) = ProjectSettings.read(bundle: bundle)
    self.settings = copy?.scaled(settings) ?? settings
    let overlay = copy?.model ?? self.environment
    var definitions: [Definition] = []
    var strays: [Diagnostic] = []
    for file in bundle.files where file.path.hasPrefix(Self.pipelinesFolder + "/") {
      guard Self.isDefinition(file.path) else {
        strays.append(Self.stray(file.path))
        continue
      }
      definitions.append(
        Definition(file: file, bundle: bundle, environment: overlay, isStored: isStored))
    }
    self.projectDiagnostics = settingsDiagnostics + strays
    self.definitions = definitions
    refuseSharedDatasets()
    refuseWithheldSources()
    refuseWrongReferences()
    if !isStored { warnOfUnreadStreams() }
    guard let copy else { return }
    for index in self.definitions.indices {
      self.definitions[index].pipeline = self.definitions[index].pipeline.map(copy.confine)
    }
  }

  /// The environments that any pipeline has an overlay for, sorted.
  package var overlayNames: [String] {
    let names = bundle.files.filter { $0.path.hasPrefix(Self.pipelinesFolder + "/") }.flatMap { file -> [String] in
      guard let text = String(validating: file.bytes, as: UTF8.self) else { return [] }
      return YAMLReader.read(text: text, file: file.path).document?["environments"]?.entries.map(\.key) ?? []
    }
    return Set(names).sorted()
  }

  /// The project that a directory is in: the nearest one upwards that has `pipelines/` or `sluice.yaml`.
  ///
  /// - Returns: nil where there is none up to the root.
  package static func find(from directory: String) -> String? {
    var url = URL(filePath: directory, directoryHint: .isDirectory).standardizedFileURL
    while true {
      let path = url.path(percentEncoded: false)
      let isProject = [settingsFile, pipelinesFolder].contains { name in
        FileManager.default.fileExists(atPath: url.appending(path: name).path(percentEncoded: false))
      }
      if isProject { return path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path }
      let parent = url.deletingLastPathComponent().standardizedFileURL
      guard parent.path(percentEncoded: false) != path, path != "/" else { return nil }
      url = parent
    }
  }

  /// A pipeline that can run.
  ///
  /// - Throws: ``DefinitionError``: `unknown_pipeline`, or the first thing that refuses it, of the settings too.
  package func pipeline(named name: String) throws -> Pipeline {
    if let error = DefinitionError(refusing: projectDiagnostics) { throw error }
    guard let definition = definitions.first(where: { $0.name == name }) else {
      let names = definitions.map(\.name)
      let nearest = Spelling.nearest(to: name, in: names).map { "did you mean \"\($0)\"?" }
      let known =
        names.isEmpty ? "write \(Self.pipelinesFolder)/\(name).yaml" : "known are \(names.joined(separator: ", "))"
      throw DefinitionError(
        code: "unknown_pipeline", message: "there is no pipeline \"\(name)\" in \(directory)", hint: nearest ?? known)
    }
    guard let pipeline = definition.pipeline else {
      throw DefinitionError(refusing: definition.diagnostics)
        ?? DefinitionError(code: "definition", message: "\(definition.file) cannot be read")
    }
    var planned = pipeline
    planned.edition = edition
    return planned
  }

  /// The text of a file of the project, such as a dataset's SELECT.
  ///
  /// - Throws: ``DefinitionError`` `missing_file` or `not_text`.
  package func text(at path: String) throws -> String {
    guard let bytes = bundle[path: path] else {
      throw DefinitionError(code: "missing_file", message: "there is no file \(path) in the project", hint: "write it")
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw DefinitionError(code: "not_text", message: "\(path) is not UTF-8", hint: "save it as UTF-8")
    }
    return text.unicodeScalars.first == "\u{FEFF}" ? String(text.unicodeScalars.dropFirst()) : text
  }

  /// A path of the definition, made relative to the project directory unless it is absolute.
  package func path(_ path: String) -> String { path.hasPrefix("/") ? path : directory + "/" + path }

  /// Of the work: what definitions name.
  package var secretStore: SecretStore {
    SecretStore(directory: path(settings.secretsDirectory), copy: copy?.name)
  }

  /// Of the installation itself: its control database and its storage, which are the same in a copy.
  package var installationSecrets: SecretStore { SecretStore(directory: path(settings.secretsDirectory)) }
}

extension Project {
  private static func isDefinition(_ path: String) -> Bool {
    path.hasSuffix(".yaml") && path.split(separator: "/").count == 2
  }

  private static func stray(_ path: String) -> Diagnostic {
    let isYAML = path.hasSuffix(".yml") || path.hasSuffix(".yaml")
    return Diagnostic(
      isYAML ? .error : .warning, code: "stray_file", place: Place(file: path, line: 1, column: 1),
      message: "this file is no pipeline: a pipeline is \(pipelinesFolder)/NAME.yaml",
      suggestion: isYAML ? "rename it to \(pipelinesFolder)/\(Place.stem(of: path)).yaml" : "move it elsewhere")
  }

  /// A run pulls no stream that would only lie in raw while others are made into datasets.
  private mutating func warnOfUnreadStreams() {
    for index in definitions.indices {
      guard let pipeline = definitions[index].pipeline else { continue }
      let warnings = pipeline.unreadStreams.map { reference, stream in
        Diagnostic(
          .warning, code: "unread_stream", place: stream.place,
          message: "no dataset is made from the stream \(reference): runs do not read it",
          suggestion: "name it in \"from\" of a dataset, or remove it")
      }
      guard !warnings.isEmpty else { continue }
      definitions[index].diagnostics = (definitions[index].diagnostics + warnings).sortedByPlace()
    }
  }

  /// `query` and checks know a dataset by its name alone, so a name belongs to one pipeline.
  private mutating func refuseSharedDatasets() {
    var first: [String: Place] = [:]
    for index in definitions.indices {
      for step in definitions[index].pipeline?.curate ?? [] {
        guard let place = first[step.name] else {
          first[step.name] = step.place
          continue
        }
        definitions[index].diagnostics.append(
          Diagnostic(
            code: "duplicate_name", place: step.place,
            message: "the dataset \"\(step.name)\" is made at \(place) already",
            suggestion: "give one of the two another name"))
        definitions[index].pipeline = nil
      }
    }
  }
}

extension Project.Definition {
  fileprivate init(file: ProjectBundle.File, bundle: ProjectBundle, environment: String, isStored: Bool) {
    self.file = file.path
    self.name = Place.stem(of: file.path)
    guard let text = String(validating: file.bytes, as: UTF8.self) else {
      let place = Place(file: file.path, line: 1, column: 1)
      self.diagnostics = [
        Diagnostic(code: "not_text", place: place, message: "the file is not UTF-8", suggestion: "save it as UTF-8")
      ]
      return
    }
    let (pipeline, diagnostics) = PipelineParser.parse(
      text: text, file: file.path, environment: environment, isStored: isStored)
    let missing = Self.missingFiles(of: text, file: file.path, environment: environment, bundle: bundle)
    self.diagnostics = (diagnostics + missing).sortedByPlace()
    self.pipeline = missing.isEmpty ? pipeline : nil
  }

  /// The SQL files that the definition names and the project does not have; told even where it has other errors.
  private static func missingFiles(
    of text: String, file: String, environment: String, bundle: ProjectBundle
  ) -> [Diagnostic] {
    let merged = PipelineParser.merged(text: text, file: file, environment: environment)
    let names = bundle.files.map(\.path).filter { $0.hasSuffix(".sql") }
    return (merged?["curate"]?.entries ?? []).compactMap { dataset -> Diagnostic? in
      guard let sql = dataset.value["sql"], let path = sql.text, (try? PathText.projectPath(path)) != nil else {
        return nil
      }
      guard let bytes = bundle[path: path] else {
        let nearest = Spelling.nearest(to: path, in: names).map { "did you mean \"\($0)\"?" }
        return Diagnostic(
          code: "missing_file", place: sql.place, message: "there is no file \(path) in the project",
          suggestion: nearest ?? "write it: one SELECT")
      }
      let isBlank = bytes.allSatisfy { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\t") }
      guard isBlank else { return nil }
      return Diagnostic(
        code: "missing_file", place: sql.place, message: "the file \(path) is empty", suggestion: "write one SELECT")
    }
  }
}
