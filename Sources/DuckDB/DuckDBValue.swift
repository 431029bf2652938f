import FoundationEssentials

/// One value of a result, as the child's JSON gave it.
///
/// Decimals, 128-bit integers, dates and times arrive as text, so nothing is rounded.
package enum DuckDBValue: Sendable, Equatable, Codable {
  case null
  case bool(Bool)
  case int(Int64)
  /// Above what a signed 64-bit number holds.
  case unsigned(UInt64)
  case double(Double)
  case text(String)
  case list([DuckDBValue])
  case object([String: DuckDBValue])

  package init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(String.self) {
      self = .text(value)
    } else if let value = try? container.decode(Int64.self) {
      self = .int(value)
    } else if let value = try? container.decode(UInt64.self) {
      self = .unsigned(value)
    } else if let value = try? container.decode(Double.self) {
      self = .double(value)
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode([DuckDBValue].self) {
      self = .list(value)
    } else {
      self = .object(try container.decode([String: DuckDBValue].self))
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .null: try container.encodeNil()
    case .bool(let value): try container.encode(value)
    case .int(let value): try container.encode(value)
    case .unsigned(let value): try container.encode(value)
    case .double(let value): try container.encode(value)
    case .text(let value): try container.encode(value)
    case .list(let value): try container.encode(value)
    case .object(let value): try container.encode(value)
    }
  }

  package var text: String? {
    switch self {
    case .text(let value): value
    case .int(let value): String(value)
    case .unsigned(let value): String(value)
    case .double(let value): String(value)
    case .bool(let value): String(value)
    case .null, .list, .object: nil
    }
  }

  /// Whole numbers only; sums arrive as 128-bit integers, which are text.
  package var int: Int? {
    switch self {
    case .int(let value): Int(value)
    case .text(let value): Int(value)
    case .unsigned, .double, .bool, .null, .list, .object: nil
    }
  }

  package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  package var list: [DuckDBValue]? { if case .list(let value) = self { value } else { nil } }
  package var object: [String: DuckDBValue]? { if case .object(let value) = self { value } else { nil } }
}

/// One row by column name.
package typealias DuckDBRow = [String: DuckDBValue]

/// A whole result with the names and the DuckDB types of its columns, in order.
package struct DuckDBTable: Sendable, Equatable, Encodable {
  package struct Column: Sendable, Equatable, Codable {
    package var name: String
    package var type: String
    package init(name: String, type: String) {
      self.name = name
      self.type = type
    }
  }
  package var columns: [Column]
  package var rows: [DuckDBRow]
}

extension DuckDBValue {
  /// The value as JSON text; a value of a JSON column arrives as the value itself.
  package var json: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(self) else { return "null" }
    return String(decoding: data, as: UTF8.self)
  }
}
