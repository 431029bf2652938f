/// JSON whose keys keep their order, so that a generated file differs only where its source does.
enum JSONText {
  case text(String)
  case number(Int)
  case decimal(Double)
  case boolean(Bool)
  case list([JSONText])
  case object([(String, JSONText)])

  /// - Precondition: The value is an object without the key.
  mutating func append(_ key: String, _ value: JSONText) {
    guard case .object(let members) = self else { preconditionFailure("only an object has keys") }
    precondition(!members.contains { $0.0 == key }, "a key occurs once")
    self = .object(members + [(key, value)])
  }

  /// Appends the members of another object.
  mutating func merge(_ other: JSONText) {
    guard case .object(let members) = other else { preconditionFailure("only an object has keys") }
    for (key, value) in members { append(key, value) }
  }

  /// Two spaces a level; lists of single values on one line.
  func formatted(indent: String = "") -> String {
    switch self {
    case .text(let text): return Self.quoted(text)
    case .number(let number): return String(number)
    case .decimal(let number): return number.formatted
    case .boolean(let boolean): return boolean ? "true" : "false"
    case .list(let elements):
      let isFlat = elements.allSatisfy { if case .object = $0 { false } else { true } }
      if isFlat { return "[" + elements.map { $0.formatted() }.joined(separator: ", ") + "]" }
      let lines = elements.map { indent + "  " + $0.formatted(indent: indent + "  ") }
      return "[\n" + lines.joined(separator: ",\n") + "\n" + indent + "]"
    case .object(let members):
      guard !members.isEmpty else { return "{}" }
      let lines = members.map { key, value in
        indent + "  " + Self.quoted(key) + ": " + value.formatted(indent: indent + "  ")
      }
      return "{\n" + lines.joined(separator: ",\n") + "\n" + indent + "}"
    }
  }

  private static func quoted(_ text: String) -> String {
    var out = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      case "\t": out += "\\t"
      default:
        if scalar.value < 0x20 {
          out += "\\u00" + (scalar.value < 0x10 ? "0" : "") + String(scalar.value, radix: 16)
        } else {
          out.unicodeScalars.append(scalar)
        }
      }
    }
    return out + "\""
  }
}
