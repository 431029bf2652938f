/// A statement with the name by which errors tell of it: that of its `.sql` file.
public struct SQLStatement: Sendable, Equatable, ExpressibleByStringLiteral {
  public let name: String
  public let text: String
  /// How long the server may take; the session's own limit where nil.
  public var deadline: Duration?
  /// Whether a session prepares it at its first use and then runs it by name: for statements that run often. The server
  /// keeps a plan of it, so its text must not need another plan for other parameters.
  public private(set) var isPrepared = false

  public init(name: String, text: String) {
    self.name = name
    self.text = text
  }

  public init(text: String) { self.init(name: Self.firstWords(text), text: text) }
  public init(stringLiteral value: String) { self.init(text: value) }

  /// The same statement, given up with a ``PostgresError`` `.timeout` when it takes longer.
  public func within(_ deadline: Duration) -> SQLStatement {
    var copy = self
    copy.deadline = deadline
    return copy
  }

  /// The same statement, parsed and planned once a session. In a session behind a transaction pooler it changes nothing.
  public var prepared: SQLStatement {
    var copy = self
    copy.isPrepared = true
    return copy
  }

  /// Enough of a literal statement to find it again; never its end, where values would stand.
  private static func firstWords(_ text: String) -> String {
    text.split(maxSplits: 4, whereSeparator: \.isWhitespace).prefix(4).joined(separator: " ")
  }
}
