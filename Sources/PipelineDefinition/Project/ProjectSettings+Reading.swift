extension ProjectSettings {
  /// Reads `sluice.yaml` of a bundle; without the file, or in place of what is wrong in it, the defaults.
  static func read(bundle: ProjectBundle) -> (settings: ProjectSettings, diagnostics: [Diagnostic]) {
    guard let bytes = bundle[path: Project.settingsFile] else { return (ProjectSettings(), []) }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      let place = Place(file: Project.settingsFile, line: 1, column: 1)
      let problem = Diagnostic(
        code: "not_text", place: place, message: "the file is not UTF-8", suggestion: "save it as UTF-8")
      return (ProjectSettings(), [problem])
    }
    return parse(text: text, file: Project.settingsFile)
  }

  /// - Parameter file: How the file is named in diagnostics.
  package static func parse(text: String, file: String) -> (settings: ProjectSettings, diagnostics: [Diagnostic]) {
    let (document, reading) = YAMLReader.read(text: text, file: file)
    guard let document else { return (ProjectSettings(), reading) }
    let diagnostics = reading + ShapeValidator.validate(document, as: .object(ProjectSchema.settings), named: file)
    return (ProjectSettings(document: document), diagnostics.sortedByPlace())
  }

  private init(document: YAMLNode) {
    self.init()
    installation = document.text("installation") ?? installation
    databaseURL = document.template("database", in: .none)
    storage = document.location("storage") ?? storage
    secretsDirectory = document["secrets"]?.text("directory") ?? secretsDirectory
    guard let limits = document["limits"] else { return }
    self.limits = Limits(
      memoryBytes: limits.byteCount("memory") ?? self.limits.memoryBytes,
      threads: limits.integer("threads"), slots: limits.integer("slots") ?? self.limits.slots,
      temporaryBytes: limits.byteCount("temp"), expansion: limits.integer("expansion") ?? self.limits.expansion,
      releases: limits.integer("releases") ?? self.limits.releases)
  }
}
