/// A parameter of a statement.
///
/// All but bytes travel as text without a type, so that PostgreSQL infers it from where the parameter stands; where it
/// cannot, the statement casts: `$1::bigint[]`.
public enum PostgresValue: Sendable, Equatable {
  case null
  case text(String)
  case int(Int64)
  case double(Double)
  case bool(Bool)
  case bytes([UInt8])
  case json(String)
  /// An SQL array; the statement says of what: `$1::text[]`.
  case texts([String])
  case ints([Int64])
  case optionalTexts([String?])

  public static func optional(_ text: String?) -> PostgresValue { text.map { .text($0) } ?? .null }
  public static func optional(_ number: Int64?) -> PostgresValue { number.map { .int($0) } ?? .null }

  /// PostgreSQL's text form; nil for null and for bytes, which go in binary.
  var encoded: String? {
    switch self {
    case .null, .bytes: nil
    case .text(let text), .json(let text): text
    case .int(let number): String(number)
    case .double(let number): String(number)
    case .bool(let flag): flag ? "true" : "false"
    case .texts(let texts): "{" + texts.map(Self.element).joined(separator: ",") + "}"
    case .optionalTexts(let texts): "{" + texts.map { $0.map(Self.element) ?? "NULL" }.joined(separator: ",") + "}"
    case .ints(let numbers): "{" + numbers.map { String($0) }.joined(separator: ",") + "}"
    }
  }

  /// One element of an array's text form. By scalar: a combining mark after a quote must not hide it.
  private static func element(_ text: String) -> String {
    var result = String.UnicodeScalarView(["\""])
    for scalar in text.unicodeScalars {
      if scalar == "\"" || scalar == "\\" { result.append("\\") }
      result.append(scalar)
    }
    result.append("\"")
    return String(result)
  }
}

extension PostgresValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByFloatLiteral, ExpressibleByNilLiteral
{
  public init(stringLiteral value: String) { self = .text(value) }
  public init(integerLiteral value: Int64) { self = .int(value) }
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(floatLiteral value: Double) { self = .double(value) }
  public init(nilLiteral: ()) { self = .null }
}
