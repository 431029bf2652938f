import DuckDB
import JobModel

/// Dates, times and instants in the forms of ISO 8601.
extension CastText {
  /// 0001 to 9999: what every reader of Parquet and every target has.
  private static let year = "(000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})"
  /// An offset moves no instant of these years out of the range.
  private static let innerYear =
    "(000[2-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-8][0-9]{3}|9[0-8][0-9]{2}|99[0-8][0-9]|999[0-8])"
  private static let monthAndDay = "-[0-9]{2}-[0-9]{2}"
  private static let minutes = "([01][0-9]|2[0-3]):[0-5][0-9]"
  private static let seconds = minutes + ":[0-5][0-9](\\.[0-9]{1,6})?"
  /// Seconds may be absent; zeros may follow the sixth digit of their fraction.
  private static let anyTime = minutes + "(:[0-5][0-9]([.,][0-9]{1,6}0*)?)?"
  private static let offset = "(Z|[-+]([01][0-9]|2[0-3])(:?[0-5][0-9])?)"

  var time: String {
    """
    case when \(Self.matches(text, Self.seconds)) then try_cast(\(text) as TIME)
      when \(Self.matches(trimmed, Self.anyTime)) then try_cast(replace(\(trimmed), ',', '.') as TIME) end
    """
  }

  /// - Parameters:
  ///   - type: `date`, `timestamp` or `timestamptz`.
  ///   - zone: The zone of an instant without an offset; nil: UTC.
  func instant(_ type: String, zone: String?) -> String {
    switch type {
    case "date": date
    case "timestamp": local
    default: zone.map(zoned(in:)) ?? instant
    }
  }

  /// A day, also one with the time midnight, as spreadsheets and data frames write it.
  private var date: String {
    let midnight = "([Tt ]00:00(:00([.,]0+)?)?([Zz]|[-+]00(:?00)?)?)?"
    return """
      case when strlen(\(text)) = 10 and try_cast(\(text) as DATE)::VARCHAR = \(text) then try_cast(\(text) as DATE)
        when \(Self.matches(trimmed, Self.year + Self.monthAndDay + midnight))
        then try_cast(left(\(trimmed), 10) as DATE) end
      """
  }

  private var local: String {
    """
    case when \(Self.matches(text, "\(Self.year)\(Self.monthAndDay)[T ]\(Self.seconds)"))
      then try_cast(\(text) as TIMESTAMP)
      when \(isLocal) then try_cast(\(whole) as TIMESTAMP) end
    """
  }

  private var isLocal: String {
    Self.matches(trimmed, "\(Self.year)\(Self.monthAndDay)([Tt ]\(Self.anyTime))?")
  }

  /// As DuckDB reads it: with seconds, a point, and capitals.
  private var whole: String {
    "regexp_replace(upper(replace(\(trimmed), ',', '.')), '^(.{16})(Z|[-+].*)?$', '\\1:00\\2')"
  }

  private var instant: String {
    let value = "try_cast(\(whole) as TIMESTAMPTZ)"
    return """
      case when \(Self.matches(text, "\(Self.innerYear)\(Self.monthAndDay)[T ]\(Self.seconds)\(Self.offset)?"))
        then try_cast(\(text) as TIMESTAMPTZ)
        when \(Self.matches(trimmed, "(?i)\(Self.year)\(Self.monthAndDay)([T ]\(Self.anyTime)\(Self.offset)?)?"))
        then case when \(value) between \(Self.earliest) and \(Self.latest) then \(value) end end
      """
  }

  private static let earliest = "'0001-01-01 00:00:00+00'::TIMESTAMPTZ"
  private static let latest = "'9999-12-31 23:59:59.999999+00'::TIMESTAMPTZ"

  private func zoned(in zone: String) -> String {
    let value = Self.zoned("try_cast(\(whole) as TIMESTAMP)", zone)
    return """
      case when \(isLocal) then case when (\(value)) between \(Self.earliest) and \(Self.latest) then \(value) end
        else \(instant) end
      """
  }

  /// The instant of a local time; null for one that the clocks of the zone skipped.
  static func zoned(_ local: String, _ zone: String) -> String {
    let instant = "timezone(\(quoteLiteral(zone)), \(local))"
    return "case when timezone(\(quoteLiteral(zone)), \(instant)) = \(local) then \(instant) end"
  }
}
