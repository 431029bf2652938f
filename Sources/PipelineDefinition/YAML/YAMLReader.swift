import Yams

/// Reads the subset of YAML 1.2 that definitions use, with the place of every key and value.
///
/// Refused, each with its place: a second document, duplicate keys, anchors, aliases, merge keys, explicit tags,
/// keys that are not text, and the words that YAML 1.1 reads differently (``YAMLTrap``).
package struct YAMLReader {
  /// More would be a machine's output, not a definition; it bounds the work of naming duplicate keys.
  static let maximumDuplicateKeys = 50

  private let file: String
  private var source: MarkedText
  private var diagnostics: [Diagnostic] = []

  /// - Returns: The document, nil where it cannot be read or is empty, and what is wrong with it.
  package static func read(text: String, file: String) -> (document: YAMLNode?, diagnostics: [Diagnostic]) {
    var reader = YAMLReader(text: text, file: file)
    let document = reader.document()
    return (document, reader.diagnostics)
  }

  private init(text: String, file: String) {
    self.file = file
    self.source = MarkedText(text)
  }

  private mutating func document() -> YAMLNode? {
    for _ in 0...Self.maximumDuplicateKeys {
      do {
        // Yams holds anchors weakly through the parser, so it must live until the tree is converted.
        let parser = try Parser(yaml: source.text, resolver: .basic, encoding: .utf8)
        guard let root = try parser.singleRoot() else { return nil }
        let document = withExtendedLifetime(parser) { node(root) }
        return document.isNull ? nil : document
      } catch YamlError.duplicatedKeysInMapping(_, let context) {
        // Yams stops at a duplicate and names only the first of the two. The first is made different, without moving
        // anything, and the text is read again; both places are then known.
        guard source.alterKey(at: context.mark) else {
          add("duplicate_key", at: place(context.mark), "this key occurs twice in its mapping", "remove one of the two")
          return nil
        }
      } catch {
        add(syntaxError: error)
        return nil
      }
    }
    return nil
  }

  private mutating func node(_ node: Node) -> YAMLNode {
    refuseAnchor(of: node)
    switch node {
    case .scalar(let scalar):
      return value(scalar)
    case .sequence(let sequence):
      refuseTag(sequence.tag.description, at: place(sequence.mark))
      return YAMLNode(.sequence(sequence.map { self.node($0) }), at: place(sequence.mark))
    case .mapping(let mapping):
      refuseTag(mapping.tag.description, at: place(mapping.mark))
      return YAMLNode(.mapping(entries(mapping)), at: place(mapping.mark))
    case .alias(let alias):
      refuseReuse(at: place(alias.mark))
      return YAMLNode(.null, at: place(alias.mark))
    }
  }

  private mutating func value(_ scalar: Node.Scalar) -> YAMLNode {
    let place = place(scalar.mark)
    guard isPlain(scalar) else {
      refuseTag(scalar.tag.description, at: place)
      return YAMLNode(.scalar(YAMLScalar(scalar.string, isPlain: false)), at: place)
    }
    if scalar.tag.description != "" { refuseTag("!explicit", at: place) }
    if YAMLScalar.isNull(scalar.string) { return YAMLNode(.null, at: place) }
    if let trap = YAMLTrap.problem(inValue: scalar.string) {
      add("yaml_trap", at: place, trap.message, trap.suggestion)
    }
    return YAMLNode(.scalar(YAMLScalar(scalar.string, isPlain: true)), at: place)
  }

  private mutating func entries(_ mapping: Node.Mapping) -> [YAMLEntry] {
    var entries: [YAMLEntry] = []
    for (key, value) in mapping {
      refuseAnchor(of: key)
      guard case .scalar(let scalar) = key else {
        let message = "a key must be text; found a \(key.mapping != nil ? "mapping" : "list")"
        add("wrong_type", at: place(key.mark), message, "write text that contains { or [ in quotes")
        continue
      }
      let place = place(scalar.mark)
      let name = source.original(of: scalar.string)
      if isPlain(scalar) {
        if name == "<<" { refuseReuse(at: place) }
        if let trap = YAMLTrap.problem(inKey: name) { add("yaml_trap", at: place, trap.message, trap.suggestion) }
      }
      if let first = entries.first(where: { $0.key == name }) {
        let message = "the key \"\(name)\" is written twice; it is on line \(first.place.line) already"
        add("duplicate_key", at: place, message, "remove one of the two")
        continue
      }
      entries.append(YAMLEntry(key: name, place: place, value: node(value)))
    }
    return entries
  }
}

extension YAMLReader {
  private func isPlain(_ scalar: Node.Scalar) -> Bool { scalar.style == .plain || scalar.style == .any }

  private func place(_ mark: Mark?) -> Place {
    Place(file: file, line: mark?.line ?? 1, column: mark?.column ?? 1)
  }

  private mutating func add(_ code: String, at place: Place, _ message: String, _ suggestion: String?) {
    diagnostics.append(Diagnostic(code: code, place: place, message: message, suggestion: suggestion))
  }

  private mutating func refuseAnchor(of node: Node) {
    if node.anchor != nil { refuseReuse(at: place(node.mark)) }
  }

  private mutating func refuseReuse(at place: Place) {
    let message = "anchors (&), aliases (*) and merge keys (<<) are not part of the format"
    guard !diagnostics.contains(where: { $0.place == place }) else { return }
    add("yaml_reuse", at: place, message, "write the values out")
  }

  /// Yams gives text in quotes the tag of text, and lists and mappings their own.
  private mutating func refuseTag(_ tag: String, at place: Place) {
    let own = ["", "tag:yaml.org,2002:str", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map"]
    guard !own.contains(tag) else { return }
    add("yaml_tag", at: place, "tags (!) are not part of the format", "remove the tag")
  }

  private mutating func add(syntaxError error: any Error) {
    switch error {
    case YamlError.scanner(let context, let problem, let mark, _),
      YamlError.parser(let context, let problem, let mark, _):
      let place = problem.contains("could not find expected ':'") ? self.place(context?.mark ?? mark) : self.place(mark)
      add("yaml_syntax", at: place, "this is not YAML: \(problem)", Self.wayOut(of: problem))
    case YamlError.composer(_, let problem, let mark, _):
      if problem.contains("alias") { return refuseReuse(at: place(mark)) }
      add(
        "yaml_syntax", at: place(mark), "a second document begins here", "one file is one pipeline: remove the --- line"
      )
    case YamlError.reader(let problem, let offset, _, _):
      add(
        "yaml_syntax", at: source.place(offset: offset ?? 0, file: file), "this is not YAML: \(problem)",
        "remove the character")
    default:
      add("yaml_syntax", at: place(nil), "this is not YAML", nil)
    }
  }

  private static func wayOut(of problem: String) -> String? {
    if problem.contains("mapping values are not allowed") {
      return "check the indentation, and write text with a colon in quotes"
    }
    if problem.contains("cannot start any token") {
      return "indent with spaces, and write text that begins with a special character in quotes"
    }
    if problem.contains("expected ',' or") {
      return "close the list with ] and the mapping with }, and write text with brackets in quotes"
    }
    if problem.contains("expected ':'") { return "write a colon and a space after the key" }
    if problem.contains("end of stream") { return "close the quote" }
    return "check the indentation and the brackets above"
  }
}
