import JobModel

/// Reads the subset of YAML 1.2 that definitions use, with the place of every key and value.
///
/// Refused, each with its place: a second document, duplicate keys, anchors, aliases, merge keys, explicit tags,
/// keys that are not text, and the words that YAML 1.1 reads differently (``YAMLTrap``). A byte-order mark is skipped.
///
/// Time and memory are bounded by the size of the file: nothing is ever expanded, and files that are larger, deeper or of
/// more values than a definition is are refused.
package struct YAMLReader {
  /// A definition of a hundred streams has a tenth of it.
  package static let maximumBytes = 1_000_000
  /// The format has eight levels.
  package static let maximumDepth = 32
  /// Keys and values. A contract of a thousand columns has about ten thousand.
  package static let maximumNodes = 50_000

  private let file: String
  private let events: YAMLEvents
  private var diagnostics: [Diagnostic] = []
  private var nodes = 0

  /// - Returns: The document, nil where it cannot be read or is empty, and what is wrong with it.
  package static func read(text: String, file: String) -> (document: YAMLNode?, diagnostics: [Diagnostic]) {
    guard text.utf8.count <= maximumBytes else {
      let message = "the file is larger than \(maximumBytes / 1_000_000) MB"
      let place = Place(file: file, line: 1, column: 1)
      return (nil, [Diagnostic(code: "yaml_limit", place: place, message: message, suggestion: "split it")])
    }
    let mark = "\u{FEFF}".unicodeScalars
    var reader = YAMLReader(
      text: text.unicodeScalars.starts(with: mark) ? String(text.unicodeScalars.dropFirst()) : text, file: file)
    let document = reader.document()
    return (document, reader.diagnostics)
  }

  private init(text: String, file: String) {
    self.file = file
    events = YAMLEvents(text)
  }

  private mutating func document() -> YAMLNode? {
    do {
      guard case .documentStart = try events.next().event else { return nil }
      let document = try node(try events.next(), depth: 1)
      _ = try events.next()
      let end = try events.next()
      guard case .streamEnd = end.event else {
        add(
          "yaml_syntax", at: place(end), "a second document begins here",
          "one file is one pipeline: remove the --- line")
        return nil
      }
      return document.isNull ? nil : document
    } catch let fault as YAMLEvents.Fault {
      add(fault)
    } catch let limit as Limit {
      add("yaml_limit", at: limit.place, limit.message, "split the file")
    } catch {
      preconditionFailure("reading throws faults and limits")
    }
    return nil
  }

  private struct Limit: Error {
    var place: Place
    var message: String
  }

  private mutating func node(_ item: YAMLEvents.Item, depth: Int) throws -> YAMLNode {
    let place = place(item)
    nodes += 1
    guard nodes <= Self.maximumNodes else {
      throw Limit(place: place, message: "the file has more than \(Self.maximumNodes) keys and values")
    }
    guard depth <= Self.maximumDepth else {
      throw Limit(place: place, message: "the values are nested deeper than \(Self.maximumDepth) levels")
    }
    if item.hasAnchor { refuseReuse(at: place) }
    if item.hasTag { add("yaml_tag", at: place, "tags (!) are not part of the format", "remove the tag") }
    switch item.event {
    case .scalar(let scalar): return value(scalar, at: place)
    case .sequenceStart: return YAMLNode(.sequence(try elements(depth: depth)), at: place)
    case .mappingStart: return YAMLNode(.mapping(try entries(depth: depth)), at: place)
    default:
      // An alias: nothing else stands where a value does.
      refuseReuse(at: place)
      return YAMLNode(.null, at: place)
    }
  }

  private mutating func elements(depth: Int) throws -> [YAMLNode] {
    var elements: [YAMLNode] = []
    while true {
      let item = try events.next()
      if case .sequenceEnd = item.event { return elements }
      elements.append(try node(item, depth: depth + 1))
    }
  }

  private mutating func entries(depth: Int) throws -> [YAMLEntry] {
    var entries: [YAMLEntry] = []
    var lines: [ExactText: Int] = [:]
    while true {
      let item = try events.next()
      if case .mappingEnd = item.event { return entries }
      let place = place(item)
      guard case .scalar(let key) = item.event else {
        let found = if case .sequenceStart = item.event { "a list" } else { "a mapping" }
        if case .alias = item.event {
          refuseReuse(at: place)
        } else {
          add(
            "wrong_type", at: place, "a key must be text; found \(found)", "write text that contains { or [ in quotes")
        }
        try skip(item, depth: depth)
        try skip(try events.next(), depth: depth)
        continue
      }
      nodes += 1
      if item.hasAnchor { refuseReuse(at: place) }
      if item.hasTag { add("yaml_tag", at: place, "tags (!) are not part of the format", "remove the tag") }
      if key.isPlain {
        if key.text == "<<" { refuseReuse(at: place) }
        if let trap = YAMLTrap.problem(inKey: key.text) { add("yaml_trap", at: place, trap.message, trap.suggestion) }
      }
      if let line = lines[ExactText(key.text)] {
        let message = "the key \"\(key.text)\" is written twice; it is on line \(line) already"
        add("duplicate_key", at: place, message, "remove one of the two")
        try skip(try events.next(), depth: depth)
        continue
      }
      lines[ExactText(key.text)] = place.line
      entries.append(YAMLEntry(key: key.text, place: place, value: try node(try events.next(), depth: depth + 1)))
    }
  }

  /// Reads a value that is not used, and says nothing of it.
  private mutating func skip(_ item: YAMLEvents.Item, depth: Int) throws {
    let said = diagnostics
    defer { diagnostics = said }
    _ = try node(item, depth: depth + 1)
  }

  private mutating func value(_ scalar: YAMLScalar, at place: Place) -> YAMLNode {
    guard scalar.isPlain else { return YAMLNode(.scalar(scalar), at: place) }
    if YAMLScalar.isNull(scalar.text) {
      var null = YAMLNode(.null, at: place)
      null.nullText = scalar.text.isEmpty ? nil : scalar.text
      return null
    }
    if let trap = YAMLTrap.problem(inValue: scalar.text) { add("yaml_trap", at: place, trap.message, trap.suggestion) }
    return YAMLNode(.scalar(scalar), at: place)
  }
}

extension YAMLReader {
  private func place(_ item: YAMLEvents.Item) -> Place { Place(file: file, line: item.line, column: item.column) }

  private mutating func add(_ code: String, at place: Place, _ message: String, _ suggestion: String?) {
    diagnostics.append(Diagnostic(code: code, place: place, message: message, suggestion: suggestion))
  }

  private mutating func refuseReuse(at place: Place) {
    let message = "anchors (&), aliases (*) and merge keys (<<) are not part of the format"
    guard diagnostics.last?.place != place else { return }
    add("yaml_reuse", at: place, message, "write the values out")
  }

  private mutating func add(_ fault: YAMLEvents.Fault) {
    var place = Place(file: file, line: fault.line, column: fault.column)
    if fault.problem.contains("could not find expected ':'"), let begin = fault.begin {
      (place.line, place.column) = begin
    }
    if fault.problem.contains("nesting level") {
      // The scanner looks ahead and has a limit of its own.
      return add(
        "yaml_limit", at: place, "the values are nested deeper than \(Self.maximumDepth) levels", "split the file")
    }
    add("yaml_syntax", at: place, "this is not YAML: \(fault.problem)", Self.wayOut(of: fault.problem))
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
    if problem.contains("control characters") { return "remove the character" }
    return "check the indentation and the brackets above"
  }
}
