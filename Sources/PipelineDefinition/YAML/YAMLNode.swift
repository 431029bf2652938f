import JobModel

/// A value of a YAML file and where it stands.
package struct YAMLNode: Sendable, Equatable {
  package enum Content: Sendable, Equatable {
    case null
    case scalar(YAMLScalar)
    case sequence([YAMLNode])
    case mapping([YAMLEntry])
  }

  package var content: Content
  package var place: Place
  /// The environment whose overlay brought the value; nil for the definition itself.
  package var overlay: String?
  /// How null is written, such as `NULL`; nil where nothing is written, and for any other value.
  package var nullText: String?

  package init(_ content: Content, at place: Place, overlay: String? = nil) {
    self.content = content
    self.place = place
    self.overlay = overlay
  }

  package var scalar: YAMLScalar? { if case .scalar(let scalar) = content { scalar } else { nil } }

  /// The text of a scalar as it was written, without its quotes.
  package var text: String? { scalar?.text }

  /// Empty unless the node is a sequence.
  package var elements: [YAMLNode] { if case .sequence(let elements) = content { elements } else { [] } }

  /// Empty unless the node is a mapping.
  package var entries: [YAMLEntry] { if case .mapping(let entries) = content { entries } else { [] } }

  package var isNull: Bool { content == .null }

  package func entry(_ key: String) -> YAMLEntry? { entries.first { $0.key.isExactly(key) } }

  package subscript(key: String) -> YAMLNode? { entry(key)?.value }

  /// The node at the end of a path of keys.
  package subscript(path keys: String...) -> YAMLNode? {
    keys.reduce(Optional(self)) { node, key in node?[key] }
  }

  /// What a diagnostic calls it.
  var kindName: String {
    switch content {
    case .null: "nothing"
    case .sequence: "a list"
    case .mapping: "a mapping"
    case .scalar(let scalar):
      switch scalar.kind {
      case .text: "text"
      case .boolean: "a boolean"
      case .integer, .float: "a number"
      }
    }
  }
}

/// One key of a mapping with its value.
package struct YAMLEntry: Sendable, Equatable {
  package var key: String
  package var place: Place
  package var value: YAMLNode

  package init(key: String, place: Place, value: YAMLNode) {
    self.key = key
    self.place = place
    self.value = value
  }
}

/// Text with or without quotes. What it means without quotes is YAML 1.2's core schema and nothing else.
package struct YAMLScalar: Sendable, Equatable {
  package enum Kind: Sendable { case text, boolean, integer, float }

  package var text: String
  /// Written without quotes and not as a block.
  package var isPlain: Bool

  package init(_ text: String, isPlain: Bool) {
    self.text = text
    self.isPlain = isPlain
  }

  package var kind: Kind {
    guard isPlain else { return .text }
    if boolean != nil { return .boolean }
    if integer != nil { return .integer }
    return Self.isFloat(text) ? .float : .text
  }

  package var boolean: Bool? {
    guard isPlain else { return nil }
    switch text {
    case "true", "True", "TRUE": return true
    case "false", "False", "FALSE": return false
    default: return nil
    }
  }

  /// Decimal only; the hexadecimal and `0o` forms of YAML 1.2 are text here, for no key wants them.
  package var integer: Int? {
    guard isPlain, let last = text.utf8.last, NameText.isDigit(last) else { return nil }
    return Int(text)
  }

  package var number: Double? {
    switch kind {
    case .integer, .float: Double(text)
    case .text, .boolean: nil
    }
  }

  static func isNull(_ plain: String) -> Bool { ["", "~", "null", "Null", "NULL"].contains(plain) }

  private static func isFloat(_ text: String) -> Bool {
    guard let first = text.utf8.first(where: { $0 != UInt8(ascii: "-") && $0 != UInt8(ascii: "+") }) else {
      return false
    }
    let allowed = text.utf8.allSatisfy { NameText.isDigit($0) || "+-.eE".utf8.contains($0) }
    return allowed && (NameText.isDigit(first) || first == UInt8(ascii: ".")) && Double(text) != nil
  }
}
