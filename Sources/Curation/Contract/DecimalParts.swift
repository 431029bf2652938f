import JobModel

/// The parts of a decimal text of any length, as SQL: its significant digits, and where its point is among them.
///
/// No arithmetic on the value itself, so nothing rounds and no exponent is too large.
struct DecimalParts {
  /// An expression that has the ``form``.
  let text: String

  static let form = #"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?"#

  /// An exponent of more digits than an integer has: as far out of every type's range.
  private static let hugeExponent = 1_000_000_000

  init(_ text: String) { self.text = text }

  var mantissa: String { "regexp_extract(\(text), '[0-9.]+')" }
  private var allDigits: String { "replace(\(mantissa), '.', '')" }
  private var withoutLeadingZeros: String { "ltrim(\(allDigits), '0')" }
  /// Without zeros at either end; empty for zero.
  var digits: String { "rtrim(\(withoutLeadingZeros), '0')" }

  var exponent: String {
    """
    (case when regexp_matches(\(text), '[eE]') then
      coalesce(try_cast(regexp_extract(\(text), '[eE](.*)$', 1) as INTEGER), \(Self.hugeExponent)) else 0 end)
    """
  }

  /// The value is 0.DIGITS × 10^point.
  var point: String {
    """
    (strpos(\(mantissa) || '.', '.') - 1 - strlen(\(allDigits)) + strlen(\(withoutLeadingZeros))
      + \(exponent)::BIGINT)
    """
  }

  /// The value without an exponent; null where it has more digits after the point than `scale`, or more than 38 before.
  func plain(scale: Int) -> String {
    """
    case when \(digits) = '' then '0'
      when \(point) > 38 or strlen(\(digits)) - \(point) > \(scale) then null
      else (case when left(\(text), 1) = '-' then '-' else '' end) || (
        case when \(point) <= 0 then '0.' || repeat('0', -\(point)) || \(digits)
          when \(point) >= strlen(\(digits)) then \(digits) || repeat('0', \(point) - strlen(\(digits)))
          else left(\(digits), \(point)) || '.' || substr(\(digits), \(point) + 1) end) end
    """
  }

  /// Whether a binary number prints as this text when it is printed with as many digits as the text has.
  ///
  /// - Parameters:
  ///   - value: A DOUBLE or FLOAT.
  ///   - count: The digits that tell two numbers of the type apart; a text with more says more than the type can.
  func isHeld(by value: String, digits count: Int) -> String {
    let printed = "printf('%.' || (strlen(\(digits)) - 1) || 'e', abs(\(value))::DOUBLE)"
    return """
      (case when \(digits) = '' then true when strlen(\(digits)) > \(count) then false
        else replace(split_part(\(printed), 'e', 1), '.', '') = \(digits)
          and try_cast(split_part(\(printed), 'e', 2) as INTEGER) = \(point) - 1 end)
      """
  }
}
