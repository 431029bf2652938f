import DuckDB
import JobModel

/// The SQL that reads one text as a value: null where the text has none of the forms of `docs/types.md`.
///
/// Spaces around a value are no part of it.
struct CastText {
  /// An expression of type VARCHAR.
  let text: String

  init(_ text: String) { self.text = text }

  /// Without a list, `trim` takes off every white space of Unicode.
  var trimmed: String { "trim(\(text), ' ')" }

  /// An integer prints as it was written, but for a sign, leading zeros and spaces.
  func integer(_ type: String) -> String {
    """
    case when try_cast(\(text) as \(type))::VARCHAR = \(text) then try_cast(\(text) as \(type))
      when \(Self.matches(trimmed, "[-+]?[0-9]+")) then try_cast(\(trimmed) as \(type)) end
    """
  }

  /// DuckDB's cast rounds, so it sees no text with more digits after the point than the type has.
  func decimal(_ type: String, scale: Int) -> String {
    """
    case when \(Self.matches(text, "[-+]?[0-9]+(\\.[0-9]{0,\(scale)})?")) then try_cast(\(text) as \(type))
      when \(Self.matches(trimmed, DecimalParts.form))
      then try_cast(\(DecimalParts(trimmed).plain(scale: scale)) as \(type)) end
    """
  }

  /// The number -0 is 0: DuckDB's data files do not tell them apart where a column has both.
  ///
  /// - Parameter type: `DOUBLE` or `FLOAT`.
  func float(_ type: String, isLossy: Bool) -> String {
    // A double holds every decimal of 15 digits, a float of 6, away from the ends of its range.
    let (plain, digits) =
      type == "DOUBLE"
      ? ("[-+]?([0-9]{1,15}|[0-9]{1,3}\\.[0-9]{0,12}|[0-9]{1,8}\\.[0-9]{0,7})", 17)
      : ("[-+]?([0-9]{1,6}|[0-9]{1,3}\\.[0-9]{0,3}|[0-9]\\.[0-9]{0,5})", 9)
    let (value, trimmedValue) = ("try_cast(\(text) as \(type))", "try_cast(\(trimmed) as \(type))")
    let isHeld =
      isLossy ? "isfinite(\(trimmedValue))" : DecimalParts(trimmed).isHeld(by: trimmedValue, digits: digits)
    return """
      (case when \(Self.matches(text, plain)) or \(value)::VARCHAR = \(text) then \(value)
        when \(Self.matches(trimmed, DecimalParts.form)) then case when \(isHeld) then \(trimmedValue) end
        when \(Self.matches(trimmed, "(?i)[-+]?(inf|infinity|nan)")) then \(trimmedValue) end) + 0::\(type)
      """
  }

  var boolean: String { "coalesce(try_cast(\(text) as BOOLEAN), try_cast(\(trimmed) as BOOLEAN))" }

  var uuid: String {
    let grouped = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    return """
      case when try_cast(\(text) as UUID)::VARCHAR = \(text) then try_cast(\(text) as UUID)
        when \(Self.matches(trimmed, "(?i)\(grouped)|[0-9a-f]{32}|\\{\(grouped)\\}")) then try_cast(\(trimmed) as UUID) end
      """
  }

  /// DuckDB's parser accepts a comma before a closing bracket, NaN and Infinity, which JSON does not have.
  var json: String {
    let string = #""(\\.|[^"\\])*""#
    let bare = "regexp_replace(\(text), \(quoteLiteral(string)), '\"\"', 'g')"
    let isSuspect = #"(?i)nan|inf|,\s*[\]}]"#
    return """
      case when not json_valid(\(text)) then null
        when not regexp_matches(\(text), \(quoteLiteral(isSuspect))) then (\(text))::JSON
        when not regexp_matches(\(bare), \(quoteLiteral(isSuspect))) then (\(text))::JSON end
      """
  }

  static func matches(_ text: String, _ pattern: String) -> String {
    "regexp_full_match(\(text), \(quoteLiteral(pattern)))"
  }
}
