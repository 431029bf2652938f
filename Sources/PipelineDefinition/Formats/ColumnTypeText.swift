/// The types of the contract, and what other systems call them.
///
/// A type that would lose something on its way (a length limit, a precision, an unsigned range) is refused with
/// what to write instead, never rounded to a neighbour.
enum ColumnTypeText {
  /// DuckDB and the contract keep at most this many digits.
  static let maximumPrecision = 38

  static let names = [
    "text", "bigint", "integer", "smallint", "double", "real", "boolean", "decimal(p,s)", "date", "time", "timestamp",
    "timestamptz", "uuid", "json", "bytea",
  ]

  static func columnType(_ text: String) throws(ValueProblem) -> ColumnType {
    let (base, arguments) = split(text)
    if let name = same[base] {
      guard arguments == nil else { throw withArguments(text, base: base, name: name, arguments: arguments ?? []) }
      return ColumnType(name)
    }
    if base == "decimal" || base == "numeric" { return try decimal(text, arguments) }
    if let form = refused[base] { throw ValueProblem("the type \"\(text)\" is not part of the contract", write: form) }
    let known = Array(same.keys) + ["decimal", "numeric"]
    let suggestion = Spelling.nearest(to: base, in: known).map { "did you mean \"\($0)\"?" }
    throw ValueProblem(
      "unknown type \"\(text)\"", suggestion: suggestion ?? "known are \(names.joined(separator: ", "))",
      code: "unknown_type")
  }

  private static func decimal(_ text: String, _ arguments: [Int]?) throws(ValueProblem) -> ColumnType {
    guard let arguments, (1...2).contains(arguments.count) else {
      throw ValueProblem(
        "\"\(text)\" does not say how many digits it keeps",
        write: "decimal(18,4): digits in all, digits after the point")
    }
    let (precision, scale) = (arguments[0], arguments.count == 2 ? arguments[1] : 0)
    guard (1...maximumPrecision).contains(precision) else {
      throw ValueProblem(
        "\"\(text)\" keeps an impossible number of digits", write: "1 to \(maximumPrecision) digits in all")
    }
    guard (0...precision).contains(scale) else {
      throw ValueProblem(
        "\"\(text)\" keeps more digits after the point than in all",
        write: "decimal(\(precision),s) with s from 0 to \(precision)")
    }
    return ColumnType("decimal(\(precision),\(scale))")
  }

  private static func withArguments(_ text: String, base: String, name: String, arguments: [Int]) -> ValueProblem {
    if name == "text", arguments.count == 1 {
      return ValueProblem(
        "the type \"\(text)\" has a length, which a type of the contract cannot keep",
        write: "{type: text, pattern: \"^.{0,\(arguments[0])}$\"}")
    }
    return ValueProblem("the type \"\(text)\" takes no length or precision", write: name)
  }

  /// `decimal(18,4)` is `decimal` with 18 and 4; blanks inside are one blank.
  private static func split(_ text: String) -> (base: String, arguments: [Int]?) {
    let words = text.lowercased().split { $0.isWhitespace }.joined(separator: " ")
    guard let open = words.firstIndex(of: "("), words.hasSuffix(")") else { return (words, nil) }
    let base = words[..<open].trimmingSuffix(" ")
    let list = words[words.index(after: open)...].dropLast().split(separator: ",", omittingEmptySubsequences: false)
    let numbers = list.map { Int($0.split(separator: " ").joined()) }
    return (base, numbers.contains(nil) ? [] : numbers.compactMap { $0 })
  }

  private static let same: [String: String] = [
    "text": "text", "varchar": "text", "string": "text", "character varying": "text",
    "bigint": "bigint", "int8": "bigint", "int64": "bigint", "long": "bigint",
    "integer": "integer", "int": "integer", "int4": "integer", "int32": "integer",
    "smallint": "smallint", "int2": "smallint", "int16": "smallint", "short": "smallint",
    "double": "double", "double precision": "double", "float8": "double", "float64": "double",
    "real": "real", "float4": "real", "float32": "real",
    "boolean": "boolean", "bool": "boolean",
    "date": "date", "time": "time", "time without time zone": "time",
    "timestamp": "timestamp", "timestamp without time zone": "timestamp",
    "timestamptz": "timestamptz", "timestamp with time zone": "timestamptz",
    "uuid": "uuid", "json": "json", "jsonb": "json",
    "bytea": "bytea", "blob": "bytea", "binary": "bytea", "varbinary": "bytea",
  ]

  private static let refused: [String: String] = [
    "float": "double (8 bytes) or real (4 bytes)",
    "datetime": "timestamptz for an instant, timestamp for a clock on the wall",
    "timetz": "time, and keep the zone in a column of its own",
    "time with time zone": "time, and keep the zone in a column of its own",
    "char": "text", "character": "text", "bpchar": "text",
    "tinyint": "smallint", "utinyint": "smallint", "uint8": "smallint",
    "usmallint": "integer", "uint16": "integer", "uinteger": "bigint", "uint32": "bigint",
    "ubigint": "decimal(20,0)", "uint64": "decimal(20,0)", "hugeint": "decimal(38,0)", "int128": "decimal(38,0)",
    "money": "decimal(18,2)", "interval": "bigint for an amount with its unit in the name",
    "timestamp_s": "timestamp", "timestamp_ms": "timestamp",
    "timestamp_ns": "bigint for nanoseconds, or timestamp for microseconds",
    "serial": "integer", "bigserial": "bigint", "enum": "text with one_of",
    "array": "json", "list": "json", "struct": "json", "map": "json",
  ]
}

extension ColumnType {
  package var isNumber: Bool {
    ["bigint", "integer", "smallint", "double", "real"].contains(name) || name.hasPrefix("decimal")
  }

  package var isInteger: Bool { ["bigint", "integer", "smallint"].contains(name) }

  /// Whether values of the type lie on a calendar, so that a lag can be subtracted.
  package var isTemporal: Bool { ["date", "timestamp", "timestamptz"].contains(name) }
}

extension Substring {
  fileprivate func trimmingSuffix(_ character: Character) -> String {
    var copy = self
    while copy.last == character { copy.removeLast() }
    return String(copy)
  }
}
