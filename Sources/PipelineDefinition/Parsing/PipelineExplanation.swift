/// The final definition for one environment, each line with where it comes from.
package struct PipelineExplanation: Sendable, Equatable {
  package struct Line: Sendable, Equatable {
    /// YAML, indented.
    package var text: String
    /// `pipelines/orders.yaml:14`, with `overlay prod` where an environment brought it, or `default`.
    package var origin: String
  }

  package var lines: [Line]

  /// - Returns: nil where the text is no mapping in YAML.
  package init?(text: String, file: String, environment: String? = nil) {
    guard let definition = PipelineParser.merged(text: text, file: file, environment: environment),
      !definition.entries.isEmpty
    else { return nil }
    lines = []
    add(definition, shape: .object(PipelineSchema.pipeline), indent: "")
  }

  /// The lines with their origins as comments, which is YAML again.
  package var description: String {
    let width = min(72, lines.map(\.text.count).max() ?? 0)
    return lines.map { line in
      line.text + String(repeating: " ", count: max(1, width + 2 - line.text.count)) + "# " + line.origin
    }.joined(separator: "\n") + "\n"
  }

  private mutating func add(_ node: YAMLNode, shape: Shape?, indent: String) {
    for entry in node.entries { add(entry, shape: shape?.value(of: entry.key, in: node), indent: indent) }
    for key in shape?.defaults(for: node) ?? [] {
      lines.append(Line(text: "\(indent)\(key.name): \(key.defaultText ?? "")", origin: "default"))
    }
  }

  private mutating func add(_ entry: YAMLEntry, shape: Shape?, indent: String) {
    let key = indent + Self.written(YAMLScalar(entry.key, isPlain: Self.isPlainWord(entry.key))) + ":"
    let origin = Self.origin(of: entry.value, at: entry.place)
    if let inline = Self.inline(entry.value) {
      lines.append(Line(text: "\(key) \(inline)", origin: origin))
    } else if case .sequence(let elements) = entry.value.content {
      lines.append(Line(text: key, origin: origin))
      for element in elements {
        lines.append(
          Line(text: "\(indent)  - \(Self.flow(element))", origin: Self.origin(of: element, at: element.place)))
      }
    } else {
      lines.append(Line(text: key, origin: origin))
      add(entry.value, shape: shape, indent: indent + "  ")
    }
  }

  private static func origin(of node: YAMLNode, at place: Place) -> String {
    "\(place.file):\(place.line)" + (node.overlay.map { " overlay \($0)" } ?? "")
  }

  /// Single values, and lists of them, stand on the line of their key.
  private static func inline(_ node: YAMLNode) -> String? {
    switch node.content {
    case .null: ""
    case .scalar: flow(node)
    case .sequence(let elements): elements.allSatisfy { $0.scalar != nil } ? flow(node) : nil
    case .mapping(let entries): entries.isEmpty ? "{}" : nil
    }
  }

  private static func flow(_ node: YAMLNode) -> String {
    switch node.content {
    case .null: return "null"
    case .scalar(let scalar): return written(scalar)
    case .sequence(let elements): return "[" + elements.map { flow($0) }.joined(separator: ", ") + "]"
    case .mapping(let entries):
      let members = entries.map { "\(written(YAMLScalar($0.key, isPlain: isPlainWord($0.key)))): \(flow($0.value))" }
      return "{" + members.joined(separator: ", ") + "}"
    }
  }

  private static func written(_ scalar: YAMLScalar) -> String {
    if scalar.isPlain, isPlainWord(scalar.text) { return scalar.text }
    var quoted = "\""
    for scalar in scalar.text.unicodeScalars {
      switch scalar {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      case "\n": quoted += "\\n"
      case "\t": quoted += "\\t"
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }

  private static func isPlainWord(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { NameText.isWord($0) || ".-/%+".utf8.contains($0) } && text.first != "-"
      && text.first != "%" && YAMLTrap.problem(inKey: text) == nil
  }
}

extension Shape {
  /// The shape of the value of one key.
  fileprivate func value(of key: String, in node: YAMLNode) -> Shape? {
    switch self {
    case .map(_, let value): value
    case .written(let shapes): shapes.lazy.compactMap { $0.value(of: key, in: node) }.first
    default: object(for: node)?.key(key)?.shape
    }
  }

  /// The keys that are not written and whose default is a value.
  fileprivate func defaults(for node: YAMLNode) -> [KeyShape] {
    (object(for: node)?.keys ?? []).filter { key in
      guard let text = key.defaultText, node.entry(key.name) == nil, !key.support.isLater else { return false }
      guard key.recordFormats.isEmpty || key.recordFormats.contains(node.text("format") ?? "") else { return false }
      return !text.contains(" ") || text.hasPrefix("[")
    }
  }

  private func object(for node: YAMLNode) -> ObjectShape? {
    switch self {
    case .object(let object): object
    case .variants(let variants): variants.variants.first { node.entry($0.key) != nil }?.shape
    case .written(let shapes): shapes.lazy.compactMap { $0.object(for: node) }.first
    default: nil
    }
  }
}
