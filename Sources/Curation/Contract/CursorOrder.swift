import DuckDB
import JobModel
import PipelineDefinition

/// Which of two versions of a row is newer, as SQL: the rule of `CursorKind`, by which ingestion moves the cursor.
///
/// The value is null where a text is none of the cursor's type; null is older than any value.
package struct CursorOrder: Sendable {
  private let kind: CursorKind
  /// Of times without an offset, where a contract says it; nil: UTC.
  private let timezone: String?

  package init(_ type: ColumnType, timezone: String? = nil) {
    kind = CursorKind(type)
    self.timezone = timezone
  }

  /// - Parameter cursor: As ``CurateStep/withOrderingCursors(_:hasSQL:)`` gives it.
  init(_ cursor: Cursor) { self.init(cursor.type, timezone: cursor.sourceTimezone) }

  /// DuckDB's type of the values: integers, nanoseconds since 1970, or text whose order is that of the values.
  package var duckDBType: String {
    switch kind {
    case .integer: "BIGINT"
    case .instant: "HUGEINT"
    case .decimal, .uuid, .text: "VARCHAR"
    }
  }

  /// - Parameter type: DuckDB's or the contract's name of the column's type.
  package func expression(_ column: String, type: String) -> String {
    let name = ColumnType(type).duckDBName
    let text = name == "VARCHAR" ? column : "(\(column))::VARCHAR"
    switch kind {
    case .integer:
      let value = TypeCast(column: column, from: name, to: ColumnType("bigint")).value
      return name == "VARCHAR" ? Self.bounded(text, value) : "(\(value))"
    case .instant:
      let isInstant = ["DATE", "TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE"].contains(name)
      guard isInstant else { return Self.bounded(text, instant(text)) }
      let moment = name == "DATE" ? "(\(column))::TIMESTAMP" : column
      return "(case when isfinite(\(column)) then \(Self.nanoseconds(moment)) end)"
    case .decimal: return Self.bounded(text, Self.decimal(CastText(text).trimmed))
    case .uuid: return Self.bounded(text, "(\(CastText(text).uuid))::VARCHAR")
    case .text: return Self.bounded(text, text)
    }
  }

  private static func bounded(_ text: String, _ value: String) -> String {
    "(case when strlen(\(text)) between 1 and \(CursorKind.maximumBytes) then \(value) end)"
  }

  /// A text that sorts as the number does: sign, exponent, digits; of a negative number each of them the other way.
  private static func decimal(_ text: String) -> String {
    let parts = DecimalParts(text)
    let middle = 5_000_000
    return """
      (case when \(CastText.matches(text, DecimalParts.form)) then
        case when \(parts.digits) = '' then '1'
          when not \(parts.exponent)::BIGINT between -999999 and 999999 then null
          when left(\(text), 1) = '-'
          then '0' || lpad((\(middle) - \(parts.point))::VARCHAR, 8, '0')
            || translate(\(parts.digits), '0123456789', '9876543210') || '~'
          else '2' || lpad((\(middle) + \(parts.point))::VARCHAR, 8, '0') || \(parts.digits) end end)
      """
  }

  private static func nanoseconds(_ timestamp: String) -> String { "epoch_us(\(timestamp))::HUGEINT * 1000" }

  /// Any offset and any fraction of a second. The usual form costs one test and one cast, and is not trimmed.
  private func instant(_ usual: String) -> String {
    let text = CastText(usual).trimmed
    let year = "(000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})"
    let day = "\(year)-[0-9]{2}-[0-9]{2}"
    let clock = "([01][0-9]|2[0-3]):([0-5][0-9])"
    let offset = "([Zz]|[-+]([01][0-9]|2[0-3])(:?[0-5][0-9])?)"
    let plain =
      "\(day)[T ]\(clock):[0-5][0-9](\\.[0-9]{1,6})?(Z|[-+]([01][0-9]|2[0-3])(:?[0-5][0-9])?)"
      + (timezone == nil ? "?" : "")
    let any = "\(day)([Tt ]\(clock)(:([0-5][0-9]|60)([.,][0-9]+)?)?\(offset)?)?"
    func number(_ pattern: String) -> String {
      "coalesce(try_cast(regexp_extract(\(text), \(quoteLiteral(pattern)), 1) as BIGINT), 0)"
    }
    let clockSeconds = """
      \(number("^.{10}.([0-9]{2})")) * 3600 + \(number("^.{13}:([0-9]{2})")) * 60 + \(number("^.{16}:([0-9]{2})"))
      """
    let east = """
      (case when regexp_matches(\(text), ':.*-') then -1 else 1 end)
        * (\(number(":.*[-+]([0-9]{2})")) * 3600 + \(number(":.*[-+][0-9]{2}:?([0-9]{2})$")) * 60)
      """
    let date = "try_cast(left(\(text), 10) as DATE)::TIMESTAMP"
    let fraction =
      "rpad(left(regexp_extract(\(text), '[.,]([0-9]+)', 1), 9), 9, '0')::HUGEINT"
    var local = ""
    if let timezone {
      let moment = CastText.zoned("(\(date) + to_seconds(\(clockSeconds)))", timezone)
      local = """
        when \(CastText.matches(text, any)) and not regexp_matches(\(text), '[Zz]|:.*[-+]')
        then \(Self.nanoseconds("(\(moment))")) + \(fraction)
        """
    }
    return """
      (case when \(CastText.matches(usual, plain)) then \(Self.nanoseconds("try_cast(\(usual) as TIMESTAMPTZ)")) \(local)
        when \(CastText.matches(text, any)) then \(Self.nanoseconds(date))
          + (\(clockSeconds) - \(east))::HUGEINT * 1000000000 + \(fraction) end)
      """
  }
}
