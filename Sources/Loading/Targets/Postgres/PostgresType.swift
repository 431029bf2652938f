/// A column type of PostgreSQL, as `format_type` writes it or in short: `numeric(18,4)`, `timestamptz`, `integer[]`.
struct PostgresType: Sendable, Hashable, CustomStringConvertible {
  /// The short name without its numbers: `numeric`, `varchar`, `timestamptz`.
  var name: String
  /// Length, precision and scale, in the order in which SQL writes them.
  var numbers: [Int]
  var isArray: Bool

  init(_ text: String) {
    var rest = text[...]
    isArray = rest.hasSuffix("[]")
    if isArray { rest = rest.dropLast(2) }
    // `timestamp(3) with time zone` has its number in the middle.
    if let open = rest.firstIndex(of: "("), let close = rest.firstIndex(of: ")") {
      numbers = rest[rest.index(after: open)..<close].split(separator: ",").compactMap { Int($0.filter(\.isNumber)) }
      rest = rest[..<open] + rest[rest.index(after: close)...]
    } else {
      numbers = []
    }
    name = Self.short[String(rest)] ?? String(rest)
  }

  private static let short = [
    "character varying": "varchar", "character": "char", "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamptz", "time without time zone": "time", "time with time zone": "timetz",
    "decimal": "numeric", "int2": "smallint", "int4": "integer", "int8": "bigint", "float4": "real",
    "float8": "double precision", "bool": "boolean",
  ]

  var description: String {
    let text = numbers.isEmpty ? name : "\(name)(\(numbers.map(String.init).joined(separator: ",")))"
    return isArray ? text + "[]" : text
  }

  /// Digits before and after the point; nil for `numeric` without limits.
  private var digits: (whole: Int, fraction: Int)? {
    guard let precision = numbers.first else { return nil }
    let scale = numbers.count > 1 ? numbers[1] : 0
    return (precision - scale, scale)
  }

  private static let integerDigits = ["smallint": 5, "integer": 10, "bigint": 19]
  private static let integerOrder = ["smallint", "integer", "bigint"]
  private static let texts: Set<String> = ["text", "varchar", "char", "citext"]

  /// Whether every value of this type can be stored in `target` unchanged, or is refused by it with an error.
  ///
  /// A text that is too long for `varchar(n)` and a text that an enum does not have are refused by PostgreSQL itself,
  /// so those are let through; a rounded decimal or a cut fraction of a second would be silent, so those are not.
  func fits(_ target: PostgresType, isEnum: Bool) -> Bool {
    if self == target { return true }
    if isArray || target.isArray {
      guard isArray, target.isArray else { return false }
      return PostgresType(element: self).fits(PostgresType(element: target), isEnum: false)
    }
    if isEnum { return name == "text" || name == "varchar" }
    switch (name, target.name) {
    case ("smallint", "integer"), ("smallint", "bigint"), ("integer", "bigint"), ("real", "double precision"):
      return true
    case ("smallint", "numeric"), ("integer", "numeric"), ("bigint", "numeric"):
      guard let room = target.digits else { return true }
      return room.whole >= Self.integerDigits[name]!  // The cases above are the dictionary's keys.
    case ("numeric", "numeric"):
      guard let room = target.digits else { return true }
      guard let mine = digits else { return false }
      return room.whole >= mine.whole && room.fraction >= mine.fraction
    case ("text", _), ("varchar", _): return Self.texts.contains(target.name)
    case ("json", "jsonb"), ("jsonb", "json"), ("jsonb", "text"), ("json", "text"), ("uuid", "text"): return true
    case ("timestamp", "timestamp"), ("timestamptz", "timestamptz"), ("time", "time"), ("timetz", "timetz"):
      return (target.numbers.first ?? 6) == 6
    default: return false
    }
  }

  private init(element array: PostgresType) {
    self = array
    isArray = false
  }
}
