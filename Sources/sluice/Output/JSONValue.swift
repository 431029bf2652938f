import JobStore

/// JSON that keeps the order of its keys, so that people can read it and scripts can compare it.
indirect enum JSONValue: Equatable {
  case null
  case bool(Bool)
  case int(Int64)
  case double(Double)
  case text(String)
  case list([JSONValue])
  case object([(String, JSONValue)])
  /// JSON text from the database, passed on as it is.
  case raw(String)

  static func optional(_ text: String?) -> JSONValue { text.map { .text($0) } ?? .null }
  static func optional(_ number: Int64?) -> JSONValue { number.map { .int($0) } ?? .null }
  static func optional(_ number: Double?) -> JSONValue { number.map { .double($0) } ?? .null }
  static func optional(raw text: String?) -> JSONValue { text.map { .raw($0) } ?? .null }

  static func == (left: JSONValue, right: JSONValue) -> Bool { left.text == right.text }

  var text: String {
    switch self {
    case .null: "null"
    case .bool(let flag): flag ? "true" : "false"
    case .int(let number): String(number)
    case .double(let number): number.isFinite ? "\(number)" : "null"
    case .text(let text): jsonString(text)
    case .list(let values): "[" + values.map(\.text).joined(separator: ",") + "]"
    case .object(let fields): "{" + fields.map { "\(jsonString($0.0)):\($0.1.text)" }.joined(separator: ",") + "}"
    case .raw(let json): json
    }
  }
}
