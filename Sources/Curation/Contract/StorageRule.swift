import DuckDB
import JobModel

/// What a value must not be, so that PostgreSQL can store it: the rules of one column of a dataset that is loaded.
struct StorageRule {
  /// A reason, and when a row has it.
  struct Breach: Equatable {
    var reason: String
    var condition: String
  }

  /// An expression with the value as the dataset keeps it.
  let value: String
  /// DuckDB's type of it.
  let type: String

  /// PostgreSQL's names have no more bytes.
  static let maximumNameBytes = 63

  var breaches: [Breach] {
    switch type {
    case "VARCHAR": [Breach(reason: Self.nul, condition: "contains(\(value), chr(0))")]
    case "JSON": json(value)
    case "DATE": [outOfRange(from: "date '4713-11-24 (BC)'", to: "date '5874897-12-31'")]
    case "TIMESTAMP":
      [outOfRange(from: "timestamp '4713-11-24 (BC) 00:00:00'", to: "timestamp '294246-12-31 23:59:59.999999'")]
    case "TIMESTAMP WITH TIME ZONE":
      [
        outOfRange(
          from: "timestamptz '4713-11-24 (BC) 00:00:00+00'", to: "timestamptz '294246-12-31 23:59:59.999999+00'")
      ]
    default:
      type.hasSuffix("]") || ["STRUCT", "MAP", "UNION"].contains(where: type.hasPrefix)
        ? json("to_json(\(value))") : []
    }
  }

  private static let nul = "nul_character"
  private static let numberRange = "number_range"
  private static let tooDeep = "too_deep"

  /// How deep JSON may be nested. With the default of `max_stack_depth` (2MB) PostgreSQL 15 refuses more than 13,066 levels of objects, and
  /// 18 more than 14,503; arrays may have some more. Far below, because other builds and platforms take more stack for a level.
  static let maximumJSONDepth = 4096

  private func json(_ value: String) -> [Breach] {
    let text = "(\(value))::VARCHAR"
    // `\\u0000` in a text, not behind another backslash; a bare NaN or Infinity, which is no JSON to PostgreSQL.
    let nul = "contains(\(text), '\\u0000') and regexp_matches(\(text), '(^|[^\\\\])(\\\\\\\\)*\\\\u0000')"
    let bare = "regexp_replace(\(text), '\"([^\"\\\\]|\\\\.)*\"', '', 'g')"
    let notFinite = "regexp_matches(\(text), '(?i)nan|inf') and regexp_matches(\(bare), '(?i)nan|inf')"
    return [
      Breach(reason: Self.nul, condition: nul), Breach(reason: "not_finite", condition: notFinite),
      Breach(reason: Self.numberRange, condition: Self.hasNumberOutOfRange(text, bare: bare)),
      Breach(reason: Self.tooDeep, condition: Self.isTooDeep(text, bare: bare)),
    ]
  }

  /// Whether a document has more levels than ``maximumJSONDepth``.
  ///
  /// A shorter text cannot. Of the others the innermost levels are taken off first, which leaves no bracket of most large documents; the
  /// brackets that are left are counted up and down.
  private static func isTooDeep(_ text: String, bare: String) -> String {
    let innermost = 3
    let outer = (0..<innermost).reduce(bare) { text, _ in "regexp_replace(\(text), '[\\[{][^\\[\\]{}]*[\\]}]', '', 'g')"
    }
    let limit = maximumJSONDepth - innermost
    let steps =
      "list_transform(regexp_extract_all(\(outer), '[\\[\\]{}]'), lambda x: case when x in ('[', '{') then 1 else -1 end)"
    let depth =
      "list_reduce(list_prepend(0, \(steps)), lambda x, y: case when x > \(limit) then x else x + y end)"
    return "strlen(\(text)) > \(2 * maximumJSONDepth) and \(depth) > \(limit)"
  }

  /// Whether a document has a number that `numeric` does not hold: with more than 131072 digits before the point, or 16383 after it.
  ///
  /// Such a number has an exponent of five digits, or a run of 500 digits. Most documents have neither; of the others many have it
  /// in a text only. Numbers are taken out of the few that are left.
  private static func hasNumberOutOfRange(_ text: String, bare: String) -> String {
    func isSuspect(_ text: String) -> String {
      "(regexp_matches(\(text), '[eE][-+]?[0-9]{5}') or strlen(\(text)) > 500 and regexp_matches(\(text), '[0-9]{500}'))"
    }
    let number = DecimalParts("x")
    let isOut = """
      abs(\(number.exponent)) >= 1000000000 or strlen(split_part(\(number.mantissa), '.', 2)) - \(number.exponent) > 16383
        or (\(number.digits) <> '' and \(number.point) > 131072)
      """
    let numbers = "regexp_extract_all(\(bare), '[0-9][0-9.]*([eE][-+]?[0-9]+)?')"
    return "\(isSuspect(text)) and \(isSuspect(bare)) and len(list_filter(\(numbers), lambda x: \(isOut))) > 0"
  }

  private func outOfRange(from first: String, to last: String) -> Breach {
    Breach(reason: "out_of_range", condition: "\(value) < \(first) or \(value) > \(last) or not isfinite(\(value))")
  }

  /// What to do about a reason, for the event of a run.
  static func hint(_ reason: String, column: String) -> String? {
    switch reason {
    case nul: "PostgreSQL stores no NUL character: replace(\(column), chr(0), '') in the dataset's SQL takes it out"
    case "not_finite": "PostgreSQL's JSON has no NaN and no Infinity: make them null in the dataset's SQL"
    case numberRange:
      "PostgreSQL's JSON has numbers of at most 131072 digits before the point and 16383 after it: keep the column as text, or "
        + "take the number out in the dataset's SQL"
    case tooDeep:
      "JSON that a target stores may have \(maximumJSONDepth) levels, because PostgreSQL refuses deep ones: keep the column as text, or "
        + "take the inner levels out in the dataset's SQL"
    case "out_of_range":
      "PostgreSQL's dates begin in 4713 BC, its timestamps end in 294276, and neither is infinite here"
    case "key": "a target's table or the dataset is keyed by it: take another key, or fill it in the dataset's SQL"
    default: nil
    }
  }
}
