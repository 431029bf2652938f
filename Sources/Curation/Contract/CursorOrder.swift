import DuckDB
import JobModel
import PipelineDefinition

/// Which of two versions of a row is newer, as SQL: the order of `CursorValue`, by which ingestion moves the cursor.
///
/// The value is null where a text is none of the cursor's type; null is older than any value.
package struct CursorOrder: Sendable {
  private enum Kind { case integer, decimal, instant, text }

  private let kind: Kind

  package init(_ type: ColumnType) {
    kind =
      type.isInteger ? .integer : type.isTemporal ? .instant : type.isNumber ? .decimal : .text
  }

  /// DuckDB's type of the values: integers, nanoseconds since 1970, or text whose order is that of the values.
  package var duckDBType: String {
    switch kind {
    case .integer: "BIGINT"
    case .instant: "HUGEINT"
    case .decimal, .text: "VARCHAR"
    }
  }

  /// - Parameter type: DuckDB's or the contract's name of the column's type.
  package func expression(_ column: String, type: String) -> String {
    let name = ColumnType(type).duckDBName
    let text = name == "VARCHAR" ? column : "(\(column))::VARCHAR"
    switch kind {
    case .integer:
      return ["BIGINT", "INTEGER", "SMALLINT"].contains(name) ? "(\(column))::BIGINT" : Self.integer(text)
    case .instant:
      let isInstant = ["DATE", "TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE"].contains(name)
      guard isInstant else { return Self.instant(text) }
      let moment = name == "DATE" ? "(\(column))::TIMESTAMP" : column
      return "(case when isfinite(\(column)) then \(Self.nanoseconds(moment)) end)"
    case .decimal: return Self.decimal(text)
    case .text: return "(case when strlen(\(text)) between 1 and \(Self.maximumBytes) then \(text) end)"
    }
  }

  /// As `CursorProgress` has it.
  private static let maximumBytes = 1024

  private static func integer(_ text: String) -> String {
    """
    (case when try_cast(\(text) as BIGINT)::VARCHAR = \(text) or \(CastText.matches(text, "[-+]?[0-9]+"))
      then try_cast(\(text) as BIGINT) end)
    """
  }

  /// A text that sorts as the number does: sign, exponent, digits; of a negative number each of them the other way.
  private static func decimal(_ text: String) -> String {
    let parts = DecimalParts(text)
    let middle = 5_000_000
    return """
      (case when \(CastText.matches(text, DecimalParts.form)) and abs(\(parts.exponent)) <= 999999 then
        case when \(parts.digits) = '' then '1'
          when left(\(text), 1) = '-'
          then '0' || lpad((\(middle) - \(parts.point))::VARCHAR, 8, '0')
            || translate(\(parts.digits), '0123456789', '9876543210') || '~'
          else '2' || lpad((\(middle) + \(parts.point))::VARCHAR, 8, '0') || \(parts.digits) end end)
      """
  }

  private static func nanoseconds(_ timestamp: String) -> String { "epoch_us(\(timestamp))::HUGEINT * 1000" }

  /// Any time zone and any fraction of a second; without an offset it is UTC.
  private static func instant(_ text: String) -> String {
    let day = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
    let clock = "([01][0-9]|2[0-3]):([0-5][0-9])"
    let offset = "([Zz]|[-+]([01][0-9]|2[0-3])(:?[0-5][0-9])?)?"
    let plain = "\(day)[T ]\(clock):[0-5][0-9](\\.[0-9]{1,6})?(Z|[-+]([01][0-9]|2[0-3])(:?[0-5][0-9])?)?"
    let any = "\(day)([Tt ]\(clock)(:([0-5][0-9]|60)([.,][0-9]+)?)?\(offset))?"
    func number(_ pattern: String) -> String {
      "coalesce(try_cast(regexp_extract(\(text), \(quoteLiteral(pattern)), 1) as BIGINT), 0)"
    }
    let after = "^.{10}.([0-9]{2})"
    let seconds = """
      \(number(after)) * 3600 + \(number("^.{13}:([0-9]{2})")) * 60 + \(number("^.{16}:([0-9]{2})"))
      - (case when regexp_matches(\(text), ':.*-') then -1 else 1 end)
        * (\(number(":.*[-+]([0-9]{2})")) * 3600 + \(number(":.*[-+][0-9]{2}:?([0-9]{2})$")) * 60)
      """
    let fraction =
      "rpad(left(regexp_extract(\(text), '[.,]([0-9]+)', 1), 9), 9, '0')::HUGEINT"
    return """
      (case when \(CastText.matches(text, plain)) then \(nanoseconds("try_cast(\(text) as TIMESTAMPTZ)"))
        when \(CastText.matches(text, any)) then \(nanoseconds("try_cast(left(\(text), 10) as DATE)::TIMESTAMP"))
          + (\(seconds))::HUGEINT * 1000000000 + \(fraction) end)
      """
  }
}
