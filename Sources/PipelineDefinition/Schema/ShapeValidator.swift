/// Holds a document against its shape and collects everything that does not fit.
struct ShapeValidator {
  private(set) var diagnostics: [Diagnostic] = []
  /// Inside something that comes later, one diagnostic about the whole is enough.
  private var isInsideLater = false

  /// - Parameter owner: Where the key stands that the node belongs to; the node's own place by default.
  static func validate(
    _ node: YAMLNode, as shape: Shape, named name: String, at owner: Place? = nil
  ) -> [Diagnostic] {
    var validator = ShapeValidator()
    validator.check(node, shape, named: name, at: owner ?? node.place)
    return validator.diagnostics
  }

  /// - Parameters:
  ///   - name: The key that the value belongs to.
  ///   - owner: Where that key stands: the place of what the value lacks.
  private mutating func check(_ node: YAMLNode, _ shape: Shape, named name: String, at owner: Place) {
    switch shape {
    case .anything: return
    case .written(let shapes): return checkWritten(node, shapes, named: name, at: owner)
    case .object(let object) where !node.isNull: return checkObject(node, object, named: name, at: owner)
    case .map(let names, let value) where !node.isNull: return checkMap(node, names, value, named: name)
    case .variants(let variants) where !node.isNull: return checkVariants(node, variants, named: name, at: owner)
    case .list(let element) where !node.isNull: return checkList(node, element, named: name)
    case .object(let object) where object.keys.allSatisfy { !$0.isRequired }: return
    default: break
    }
    guard !node.isNull else { return addNull(node, named: name, at: owner) }
    guard let scalar = node.scalar else { return addMismatch(node, shape, named: name) }
    checkScalar(scalar, shape, named: name, at: node.place)
  }

  private mutating func checkScalar(_ scalar: YAMLScalar, _ shape: Shape, named name: String, at place: Place) {
    let node = YAMLNode(.scalar(scalar), at: place)
    switch shape {
    case .boolean:
      guard scalar.boolean == nil else { return }
      addMismatch(node, shape, named: name)
    case .integer(let range):
      guard let integer = scalar.integer else { return addMismatch(node, shape, named: name) }
      guard !range.contains(integer) else { return }
      add("wrong_value", at: place, "\"\(name)\" must be \(Self.title(of: shape))", nil)
    case .number(let range):
      guard let number = scalar.number else { return addMismatch(node, shape, named: name) }
      if !range.contains(number) { add("wrong_value", at: place, "\"\(name)\" must be \(Self.title(of: shape))", nil) }
    case .choice(let choices):
      checkChoice(scalar, choices, named: name, at: place)
    case .text(let format):
      checkText(scalar, format, named: name, at: place)
    default:
      break
    }
  }

  private mutating func checkText(_ scalar: YAMLScalar, _ format: TextFormat, named name: String, at place: Place) {
    if scalar.kind == .boolean, !format.takesAnyScalar {
      add(
        "wrong_type", at: place, "\"\(name)\" must be \(format.title); found a boolean",
        "write \"\(scalar.text)\" for the text")
      return
    }
    do {
      try format.check(scalar.text)
    } catch {
      return add(error.code, at: place, "\(name): \(error.message)", error.suggestion)
    }
    if format == .location, let scheme = LocationText.laterScheme(scalar.text) {
      addLater("locations of the kind \"\(scheme):\" are not supported yet", at: place, "use file:PATH")
    }
  }

  /// - Parameter others: What may be written in place of a choice.
  private mutating func checkChoice(
    _ scalar: YAMLScalar, _ choices: [Choice], named name: String, at place: Place, others: [String] = []
  ) {
    let now = choices.filter { !$0.support.isLater }.map(\.value)
    guard let choice = choices.first(where: { $0.value == scalar.text }) else {
      let nearest = Spelling.nearest(to: scalar.text, in: choices.map(\.value))
      let suggestion =
        nearest.map { "did you mean \"\($0)\"?" } ?? "write \(Self.alternatives(choices.map(\.value) + others))"
      return add("wrong_value", at: place, "\(name): unknown value \"\(scalar.text)\"", suggestion)
    }
    guard case .later(let wayOut) = choice.support else { return }
    let fallback = now.isEmpty ? nil : "supported now: \(now.joined(separator: ", "))"
    addLater("\(name): \(choice.value) is not supported yet", at: place, wayOut.isEmpty ? fallback : wayOut)
  }

  private mutating func checkList(_ node: YAMLNode, _ element: Shape, named name: String) {
    guard case .sequence(let elements) = node.content else {
      return add(
        "wrong_type", at: node.place, "\"\(name)\" must be a list; found \(node.kindName)", Self.listForm(of: node))
    }
    if elements.isEmpty {
      add("wrong_value", at: node.place, "\"\(name)\" is an empty list", "write its elements, or remove the key")
    }
    for each in elements { check(each, element, named: name, at: each.place) }
  }

  private mutating func checkMap(_ node: YAMLNode, _ names: TextFormat, _ value: Shape, named name: String) {
    guard case .mapping(let entries) = node.content else {
      return addMismatch(node, .map(names: names, value), named: name)
    }
    for entry in entries {
      checkText(YAMLScalar(entry.key, isPlain: false), names, named: name, at: entry.place)
      check(entry.value, value, named: entry.key, at: entry.place)
    }
  }

  private mutating func checkVariants(_ node: YAMLNode, _ shape: VariantShape, named name: String, at owner: Place) {
    guard case .mapping(let entries) = node.content else { return addMismatch(node, .variants(shape), named: name) }
    let present = shape.variants.filter { variant in entries.contains { $0.key == variant.key } }
    guard let variant = present.first else {
      let keys = Self.alternatives(shape.supportedKeys)
      // A misspelt kind is told as the unknown key that it is.
      let known = Array(Set(shape.variants.flatMap { $0.shape.keys.map(\.name) })).sorted()
      let unknown = entries.filter { !known.contains($0.key) }
      for entry in unknown { addUnknown(entry, among: shape.variants.map(\.key)) }
      guard unknown.isEmpty else { return }
      return add("missing_key", at: owner, "\"\(name)\" does not say what kind of \(shape.noun) it is", "add \(keys)")
    }
    if present.count > 1, let second = node.entry(present[1].key) {
      add(
        "wrong_value", at: second.place,
        "\"\(name)\" is two kinds of \(shape.noun): \(present[0].key) and \(present[1].key)",
        "keep one of the two")
      return
    }
    checkObject(node, variant.shape, named: name, at: owner)
  }

  private mutating func checkWritten(_ node: YAMLNode, _ shapes: [Shape], named name: String, at owner: Place) {
    let fitting = shapes.first { $0.isWritten(like: node) }
    guard let fitting else {
      guard !node.isNull else {
        return addNull(node, named: name, at: owner)
      }
      return addMismatch(node, .written(shapes), named: name)
    }
    if case .choice(let choices) = fitting, let scalar = node.scalar, !node.isNull {
      let others = shapes.compactMap { shape -> String? in
        guard case .object(let object) = shape, let key = object.keys.first(where: \.isRequired) else { return nil }
        return "a mapping with \(key.name)"
      }
      return checkChoice(scalar, choices, named: name, at: node.place, others: others)
    }
    check(node, fitting, named: name, at: owner)
  }

  private mutating func checkObject(_ node: YAMLNode, _ object: ObjectShape, named name: String, at owner: Place) {
    guard case .mapping(let entries) = node.content else { return addMismatch(node, .object(object), named: name) }
    for entry in entries {
      guard let key = object.key(entry.key) else {
        addUnknown(entry, among: object.keys.map(\.name))
        continue
      }
      check(entry, key)
    }
    for key in object.keys where key.isRequired && node.entry(key.name) == nil {
      let example = key.example.map { "add \(key.name): \($0)" }
      add("missing_key", at: owner, "\"\(key.name)\" is missing in \"\(name)\"", example)
    }
  }

  private mutating func check(_ entry: YAMLEntry, _ key: KeyShape) {
    guard case .later(let wayOut) = key.support else {
      return check(entry.value, key.shape, named: key.name, at: entry.place)
    }
    addLater("\"\(key.name)\" is not supported yet", at: entry.place, wayOut)
    let wasInsideLater = isInsideLater
    isInsideLater = true
    check(entry.value, key.shape, named: key.name, at: entry.place)
    isInsideLater = wasInsideLater
  }
}

extension ShapeValidator {
  private mutating func add(_ code: String, at place: Place, _ message: String, _ suggestion: String?) {
    diagnostics.append(Diagnostic(code: code, place: place, message: message, suggestion: suggestion))
  }

  private mutating func addLater(_ message: String, at place: Place, _ suggestion: String?) {
    guard !isInsideLater else { return }
    diagnostics.append(
      Diagnostic(.notSupportedYet, code: "not_supported_yet", place: place, message: message, suggestion: suggestion))
  }

  private mutating func addNull(_ node: YAMLNode, named name: String, at owner: Place) {
    guard let text = node.nullText else {
      return add("wrong_type", at: owner, "\"\(name)\" has no value", "write it, or remove the key")
    }
    add(
      "wrong_type", at: node.place, "\"\(name)\" has no value: \(text) without quotes is null in YAML",
      "write \"\(text)\" for the text, or remove the key")
  }

  private mutating func addUnknown(_ entry: YAMLEntry, among keys: [String]) {
    let nearest = Spelling.nearest(to: entry.key, in: keys)
    let suggestion = nearest.map { "did you mean \"\($0)\"?" } ?? "known here: \(keys.joined(separator: ", "))"
    add("unknown_key", at: entry.place, "unknown key \"\(entry.key)\"", suggestion)
  }

  private mutating func addMismatch(_ node: YAMLNode, _ shape: Shape, named name: String) {
    // Without quotes, {cursor} and ${VAR} in a list or mapping are mappings with one key and no value.
    if case .text(.template) = shape, case .mapping(let entries) = node.content, entries.count == 1,
      entries[0].value.isNull
    {
      let message = "\"\(name)\" must be text; without quotes { begins a mapping"
      return add("wrong_type", at: node.place, message, "write \"{\(entries[0].key)}\"")
    }
    var suggestion: String?
    if case .boolean = shape, let text = node.text, text == "true" || text == "false" {
      suggestion = "write \(text) without quotes"
    } else if case .integer = shape, let text = node.text, Int(text) != nil {
      suggestion = "write \(text) without quotes"
    }
    add(
      "wrong_type", at: node.place, "\"\(name)\" must be \(Self.title(of: shape)); found \(node.kindName)", suggestion)
  }

  private static func listForm(of node: YAMLNode) -> String? {
    guard let text = node.text else { return nil }
    return "write [\(text)]"
  }

  static func alternatives(_ values: [String]) -> String {
    values.count < 2 ? values.joined() : values.dropLast().joined(separator: ", ") + " or " + (values.last ?? "")
  }

  static func title(of shape: Shape) -> String {
    switch shape {
    case .text(let format): format.title
    case .integer(let range) where range.upperBound == .max: "a whole number, \(range.lowerBound) or more"
    case .integer(let range): "a whole number of \(range.lowerBound) to \(range.upperBound)"
    case .number(let range): "a number of \(range.lowerBound.formatted) to \(range.upperBound.formatted)"
    case .boolean: "true or false"
    case .scalar: "a single value"
    case .choice(let choices): alternatives(choices.map(\.value))
    case .list: "a list"
    case .map, .object, .variants: "a mapping"
    case .written(let shapes): alternatives(shapes.map { title(of: $0) })
    case .anything: "anything"
    }
  }
}

extension Shape {
  /// Whether the shape is meant by a value that is written like this: as a list, a mapping or a single value.
  fileprivate func isWritten(like node: YAMLNode) -> Bool {
    switch self {
    case .list: if case .sequence = node.content { true } else { false }
    case .map, .object, .variants: if case .mapping = node.content { true } else { false }
    case .text, .integer, .number, .boolean, .scalar, .choice: node.scalar != nil
    case .written(let shapes): shapes.contains { $0.isWritten(like: node) }
    case .anything: true
    }
  }
}

extension Double {
  /// Without a fraction where there is none.
  var formatted: String { Int(exactly: self).map { String($0) } ?? String(self) }
}
