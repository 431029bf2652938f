import DuckDB
import JobModel
import PipelineDefinition

/// One value made a type of the contract, without loss or not at all.
///
/// DuckDB's own casts round `1.5` to an integer, cut nanoseconds, drop a time of day and an offset. Here each of
/// these is a violation, so that no value changes on the way.
struct TypeCast {
  /// An expression.
  let column: String
  /// DuckDB's name of the expression's type.
  let from: String
  let to: ColumnType
  let sourceTimezone: String?

  private var text: String { from == "VARCHAR" ? "trim(\(column))" : "\(column)::VARCHAR" }
  private var isText: Bool { from == "VARCHAR" || from == "JSON" }

  /// The value in the type; null where it cannot be one.
  var value: String {
    if from == to.duckDBName { return column }
    switch to.name {
    case "text": return "\(column)::VARCHAR"
    case "bytea": return isText ? "encode(\(column)::VARCHAR)" : "try_cast(\(column) as BLOB)"
    case "json": return isText ? "case when json_valid(\(column)) then \(column)::JSON end" : "to_json(\(column))"
    case "timestamptz": return instant
    default: return "try_cast(\(text) as \(to.duckDBName))"
    }
  }

  /// True where there is a value that the type cannot hold as it is.
  var violation: String? { violation(value: value) }

  /// - Parameter value: ``value``, or the name of a column that has it.
  ///
  /// A CASE looks at the costly conditions of the few rows only that come so far.
  func violation(value: String) -> String? {
    if from == to.duckDBName || to == .text || to.name == "bytea" { return nil }
    let loss = loss(value: value).map { " when \($0) then true" } ?? ""
    return "case when \(column) is null then false when \(value) is null then true\(loss) else false end"
  }

  /// True where the cast succeeds and changes the value.
  private func loss(value: String) -> String? {
    switch to.name {
    case "date":
      guard isText else {
        return from.hasPrefix("TIMESTAMP") ? "(\(value))::TIMESTAMP is distinct from \(column)::TIMESTAMP" : nil
      }
      return "not regexp_full_match(\(text), '[^T:]*?([T ]00:00(:00(\\.0+)?)?(Z|[+]00(:?00)?)?)?')"
    case "timestamp":
      return isText ? "\(tooFine) or \(hasOffset)" : nil
    case "timestamptz":
      guard isText else { return nil }
      return sourceTimezone == nil ? tooFine : "\(tooFine) or \(notOnTheClock)"
    case "time":
      return isText ? tooFine : nil
    case "double", "real":
      return "(isinf((\(value))::DOUBLE) and not regexp_matches(lower(\(text)), 'inf'))"
    default:
      guard let scale = to.scale else { return nil }
      return fraction(longerThan: scale)
    }
  }

  /// True where the decimal text has more digits after the point than `scale`, zeros at the end aside.
  private func fraction(longerThan scale: Int) -> String {
    let isLong = "contains(\(text), '.') and length(\(text)) - strpos(\(text), '.') > \(scale)"
    let hasExponent = "contains(\(text), 'e') or contains(\(text), 'E')"
    let digits = "length(rtrim(regexp_extract(\(text), '\\.([0-9]*)', 1), '0'))"
    let exponent = "coalesce(try_cast(regexp_extract(\(text), '[eE]([-+]?[0-9]+)$', 1) as INTEGER), 0)"
    return "case when \(isLong) or \(hasExponent) then \(digits) - \(exponent) > \(scale) else false end"
  }

  /// True where the text is finer than a microsecond.
  private var tooFine: String {
    "case when contains(\(text), '.') then regexp_matches(\(text), '\\.[0-9]{6}[0-9]*[1-9]') else false end"
  }

  /// True where a time of day is followed by an offset or a zone.
  private var hasOffset: String {
    "regexp_matches(\(text), ':[0-9.]+ ?([zZ]|[-+][0-9]{2}(:?[0-9]{2})?|[A-Z]{3,4}|[A-Za-z]+/[A-Za-z_/]+)$')"
  }

  private var local: String { "try_cast(\(text) as TIMESTAMP)" }

  private var instant: String {
    guard let sourceTimezone else { return "try_cast(\(text) as TIMESTAMPTZ)" }
    let zone = quoteLiteral(sourceTimezone)
    guard isText else {
      return from.hasPrefix("TIMESTAMP WITH") ? column : "timezone(\(zone), \(column)::TIMESTAMP)"
    }
    return "case when \(hasOffset) then try_cast(\(text) as TIMESTAMPTZ) else timezone(\(zone), \(local)) end"
  }

  /// True for a local time that the clocks of the zone skipped.
  private var notOnTheClock: String {
    let zone = quoteLiteral(sourceTimezone ?? "UTC")
    return "(not \(hasOffset) and timezone(\(zone), timezone(\(zone), \(local))) is distinct from \(local))"
  }
}
