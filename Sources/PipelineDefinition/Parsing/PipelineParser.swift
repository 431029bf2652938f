/// Reads one pipeline file: YAML, shape, values, then what must fit together.
///
/// Does no I/O: whether a SQL file exists is asked by ``Project``.
package enum PipelineParser {
  /// Reads a definition and applies the overlay of an environment.
  ///
  /// Everything wrong is collected, in the overlays of other environments too; what is not supported yet is told for
  /// the definition as it is in this environment.
  ///
  /// - Parameters:
  ///   - text: The file's text.
  ///   - file: How the file is named in diagnostics: `pipelines/orders.yaml`.
  ///   - environment: nil is `local`; one without an overlay in this file changes nothing.
  ///   - isStored: Whether runs go on with it, maybe of an earlier engine: what only later engines refuse is no error then.
  /// - Returns: Every diagnostic, sorted by place, and the pipeline unless one of them refuses a run.
  package static func parse(
    text: String, file: String, environment: String? = nil, isStored: Bool = false
  ) -> (pipeline: Pipeline?, diagnostics: [Diagnostic]) {
    let (document, reading) = YAMLReader.read(text: text, file: file)
    guard let document else {
      let empty = Diagnostic(
        code: "empty_definition", place: Place(file: file, line: 1, column: 1), message: "the file is empty",
        suggestion: "begin with pipeline: \(Place.stem(of: file))")
      return (nil, reading.isEmpty ? [empty] : reading)
    }
    guard case .mapping = document.content else {
      let mismatch = Diagnostic(
        code: "wrong_type", place: document.place,
        message: "a definition must be a mapping; found \(document.kindName)",
        suggestion: "begin with pipeline: \(Place.stem(of: file))")
      return (nil, (reading + [mismatch]).sortedByPlace())
    }
    var parsing = DefinitionParsing(document: document, environment: environment ?? Project.defaultEnvironment)
    let pipeline = parsing.pipeline()
    let diagnostics = (reading + parsing.diagnostics).sortedByPlace().filter {
      !isStored || !Edition.exactCodes.contains($0.code)
    }
    return (diagnostics.contains(where: \.refusesRun) ? nil : pipeline, diagnostics)
  }

  /// The definition's YAML with the overlay of an environment merged in, for `explain`.
  package static func merged(text: String, file: String, environment: String? = nil) -> YAMLNode? {
    guard let document = YAMLReader.read(text: text, file: file).document else { return nil }
    let overlay = EnvironmentOverlay(of: environment ?? Project.defaultEnvironment, in: document)
    let definition = document.removing("environments")
    return overlay?.applied(to: definition) ?? definition
  }
}

/// One definition on its way from YAML to a ``Pipeline``.
private struct DefinitionParsing {
  let document: YAMLNode
  let environment: String
  private(set) var diagnostics: [Diagnostic] = []

  init(document: YAMLNode, environment: String) {
    self.document = document
    self.environment = environment
  }

  mutating func pipeline() -> Pipeline? {
    let definition = document.removing("environments")
    let (pipeline, plain) = Self.build(definition)
    diagnostics = plain.filter { $0.severity == .error }
    checkOverlays()
    var (final, told) = (pipeline, plain)
    for overlay in overlays {
      let (merged, found) = Self.build(overlay.applied(to: definition))
      add(errors: found, of: overlay)
      if overlay.name == environment { (final, told) = (merged, found) }
    }
    warnOfUnknownEnvironment()
    diagnostics += told.filter { $0.severity != .error }
    return final
  }

  /// Each makes a definition of its own, which is built and checked, so the work grows with their number.
  private static let maximumEnvironments = 100

  private var overlays: [EnvironmentOverlay] {
    (document["environments"]?.entries ?? []).prefix(Self.maximumEnvironments).compactMap {
      EnvironmentOverlay(of: $0.key, in: document)
    }
  }

  private static func build(_ definition: YAMLNode) -> (Pipeline?, [Diagnostic]) {
    let shape = ShapeValidator.validate(definition, as: .object(PipelineSchema.pipeline), named: "pipeline")
    var builder = PipelineBuilder(definition: definition)
    let pipeline = builder.pipeline()
    return (pipeline, shape + builder.diagnostics)
  }

  /// The form of every overlay; what is not supported yet counts in the environment that is asked for.
  private mutating func checkOverlays() {
    guard let node = document["environments"] else { return }
    let shape = Shape.map(names: .environmentName, .object(PipelineSchema.overlay))
    let place = document.entry("environments")?.place ?? node.place
    guard case .mapping(let entries) = node.content else {
      diagnostics += ShapeValidator.validate(node, as: shape, named: "environments", at: place)
      return
    }
    if let extra = entries.dropFirst(Self.maximumEnvironments).first {
      diagnostics.append(
        Diagnostic(
          code: "wrong_value", place: extra.place,
          message: "there are more than \(Self.maximumEnvironments) environments", suggestion: "remove some"))
    }
    for entry in entries.prefix(Self.maximumEnvironments) {
      let one = YAMLNode(.mapping([entry]), at: node.place)
      let found = ShapeValidator.validate(one, as: shape, named: "environments", at: place)
      diagnostics += found.filter { $0.severity == .error || entry.key == environment }
    }
  }

  /// Adds the errors that the definition has with the overlay and not without it.
  private mutating func add(errors found: [Diagnostic], of overlay: EnvironmentOverlay) {
    let known = Set(diagnostics)
    let places = overlay.places
    for diagnostic in found where diagnostic.severity == .error && !known.contains(diagnostic) {
      var diagnostic = diagnostic
      if !places.contains(diagnostic.place) { diagnostic.message += " in the environment \"\(overlay.name)\"" }
      diagnostics.append(diagnostic)
    }
  }

  private mutating func warnOfUnknownEnvironment() {
    let names = overlays.map(\.name)
    guard environment != Project.defaultEnvironment, !names.contains(environment),
      let entry = document.entry("environments"), let nearest = Spelling.nearest(to: environment, in: names)
    else { return }
    diagnostics.append(
      Diagnostic(
        .warning, code: "unknown_environment", place: entry.place,
        message: "there is no overlay for the environment \"\(environment)\"",
        suggestion: "did you mean \"\(nearest)\"?"))
  }
}

extension Place {
  /// `orders` of `pipelines/orders.yaml`.
  static func stem(of file: String) -> String {
    let name = file.split(separator: "/").last ?? ""
    return String(name.split(separator: ".").first ?? "")
  }
}
