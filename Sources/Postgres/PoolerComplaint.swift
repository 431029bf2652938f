/// What PgBouncer says by itself when it ends a session: one code, `protocol_violation`, for everything.
enum PoolerComplaint {
  private static let code = "08P01"
  /// Under a transaction, or a statement, the server's session ended.
  private static let loss = "server conn crashed?"
  /// The server could not be reached for this session.
  private static let outages = [
    "server login has been failing", "pgbouncer cannot connect to server", "query_wait_timeout",
  ]

  /// The code of the end of a session without a pooler in between; nil: the server said nothing.
  ///
  /// Other complaints, such as those about a transaction that was idle for too long, keep their code.
  ///
  /// - Parameter farewell: What the server itself had said before.
  static func serversCode(of code: String, _ message: String, farewell: String?) -> String? {
    guard code == Self.code else { return code }
    if message.hasPrefix(loss) { return farewell }
    return codeOfOutage(message) ?? code
  }

  /// The code of an outage where the pooler told of one; nil: it did not.
  ///
  /// - Parameter message: Also as libpq hands it on, between texts of its own.
  static func codeOfOutage(_ message: String) -> String? {
    outages.contains { message.contains($0) } ? SQLState.cannotConnectNow : nil
  }
}
