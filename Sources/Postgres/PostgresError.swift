import JobModel

/// What a statement, a connection or a pool can fail with.
///
/// The message is PostgreSQL's primary one, without the values that it may quote; the full text, the detail and the
/// context stay in `debugDescription`.
public struct PostgresError: Failure, CustomDebugStringConvertible, Equatable {
  public enum Kind: String, Sendable, CaseIterable {
    /// No session could be opened.
    case unreachable
    /// The session ended under the statement; whether it took effect is not known, unless it was in a transaction.
    case connectionLost = "connection_lost"
    /// The session ended under a COMMIT: it may have happened, or not.
    case commitUnknown = "commit_unknown"
    /// Someone asked the server to cancel the statement. A cancelled task gets a `CancellationError` instead.
    case cancelled = "statement_cancelled"
    case timeout = "statement_timeout"
    /// The server refused the statement; ``PostgresError/sqlState`` says why.
    case statement = "statement_failed"
    /// The caller's mistake.
    case usage = "postgres_usage"
  }

  public let kind: Kind
  /// The statement's name, or `connect`, `copy in`, …
  public let operation: String
  /// The server's five characters, where the server said something.
  public let sqlState: String?
  public let message: String
  public let hint: String?
  /// The server's own words; may hold values.
  public let detail: String?

  public init(
    _ kind: Kind, operation: String, message: String, sqlState: String? = nil, hint: String? = nil,
    detail: String? = nil
  ) {
    self.kind = kind
    self.operation = operation
    self.sqlState = sqlState
    self.message = "\(operation): \(message)"
    self.hint = hint
    self.detail = detail
  }

  public var code: String { kind.rawValue }

  public var isTransient: Bool {
    switch kind {
    case .connectionLost, .commitUnknown, .cancelled, .timeout: true
    case .usage: false
    case .unreachable: sqlState.map { SQLState($0).isTransient } ?? true
    case .statement: sqlState.map { SQLState($0).isTransient } ?? false
    }
  }

  /// Whether the database was away or out of means: no fault of who asked, and to be tried again however long it lasts.
  public var isOutage: Bool {
    switch kind {
    case .unreachable: isTransient
    case .connectionLost, .commitUnknown: sqlState.map { SQLState($0).isOutage } ?? true
    case .statement: sqlState.map { SQLState($0).isOutage } ?? false
    case .cancelled, .timeout, .usage: false
    }
  }

  /// Whether the session ended under the statement without a word of the server: it crashed, or the network did.
  package var isSilentLoss: Bool { (kind == .connectionLost || kind == .commitUnknown) && sqlState == nil }

  /// Whether the session ended because another process of the server crashed.
  package var tellsOfCrash: Bool { (kind == .connectionLost || kind == .commitUnknown) && sqlState == "57P02" }

  public var debugDescription: String {
    var text = description
    if let sqlState { text += " [\(sqlState)]" }
    if let detail { text += "\n\(detail)" }
    return text
  }
}
