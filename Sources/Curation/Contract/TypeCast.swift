import DuckDB
import JobModel
import PipelineDefinition

/// One value as a type of the contract: unchanged, or not at all.
///
/// DuckDB's own casts accept much more than `docs/types.md` lists: `1e3` and `0x10` as integers, `2024-01-01abc` as a
/// date, `2024-01-01 10:00:00` as a time. They also round decimals and doubles. Here a text must have one of the listed
/// forms, and the type must hold its value exactly.
///
/// The usual form of a type costs one cast and one cheap test; the other forms are looked at by a later branch of a
/// CASE, which DuckDB evaluates for the few rows only that come so far.
struct TypeCast {
  /// An expression.
  let column: String
  /// DuckDB's name of the expression's type.
  let from: String
  let to: ColumnType
  var sourceTimezone: String?
  /// Whether a `double` or `real` may round the text.
  var isLossy = false

  private var isText: Bool { from == "VARCHAR" || from == "JSON" }
  private var text: CastText { CastText(from == "VARCHAR" ? column : "(\(column))::VARCHAR") }

  private static let integers: Set<String> = [
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT",
  ]

  /// The value in the type; null where it cannot be one.
  var value: String {
    let type = to.duckDBName
    // -0 becomes 0.
    if from == type { return ["DOUBLE", "FLOAT"].contains(type) ? "(\(column) + 0)" : column }
    switch to.name {
    case "text": return "(\(column))::VARCHAR"
    case "bytea": return isText ? "encode((\(column))::VARCHAR)" : "try_cast(\(column) as BLOB)"
    case "json": return isText ? text.json : "to_json(\(column))"
    case "bigint", "integer", "smallint":
      if Self.integers.contains(from) { return "try_cast(\(column) as \(type))" }
      // A number that SQL calculated, such as 3.0, is an integer where it has no fraction.
      return isText ? text.integer(type) : text.decimal(type, scale: 0)
    case "double", "real": return text.float(type, isLossy: isLossy)
    case "boolean": return text.boolean
    case "uuid": return text.uuid
    case "time": return text.time
    case "date", "timestamp", "timestamptz":
      return Self.isInstant(from) ? converted(to: type) : text.instant(to.name, zone: sourceTimezone)
    default:
      if Self.integers.contains(from) { return "try_cast(\(column) as \(type))" }
      return to.scale.map { text.decimal(type, scale: $0) } ?? "try_cast(\(text.trimmed) as \(type))"
    }
  }

  /// True where there is a value that the type cannot hold as it is; nil where every value fits.
  var violation: String? { violation(value: value) }

  /// - Parameter value: ``value``, or the name of a column that has it.
  func violation(value: String) -> String? {
    if from == to.duckDBName || to == .text || to.name == "bytea" { return nil }
    return "(\(column) is not null and \(value) is null)"
  }

  private static func isInstant(_ type: String) -> Bool { type == "DATE" || type.hasPrefix("TIMESTAMP") }

  /// A date or timestamp that SQL calculated; null where the cast back gives another one.
  private func converted(to type: String) -> String {
    if to.name == "timestamptz", let sourceTimezone, !from.hasPrefix("TIMESTAMP WITH") {
      return CastText.zoned("(\(column))::TIMESTAMP", sourceTimezone)
    }
    let value = "try_cast(\(column) as \(type))"
    return "case when try_cast(\(value) as \(from)) = \(column) then \(value) end"
  }
}
