import Postgres
import TestSupport
import Testing

/// The database's own error that `body` is expected to throw.
func failure(
  sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> some Any
) async throws -> PostgresError {
  do { _ = try await body() } catch let error as PostgresError { return error }
  Issue.record("nothing was thrown", sourceLocation: sourceLocation)
  throw CancellationError()
}

extension TestDatabase.Handle {
  /// Waits until a session runs a statement: only then is there something to cancel or to end.
  func waitUntilActive(_ backendPID: Int32, on event: String = "PgSleep") async throws {
    try await eventually("session \(backendPID) waits for \(event)") {
      try await !pool.query(
        "select 1 from pg_stat_activity where pid = $1 and state = 'active' and wait_event = $2",
        [.int(Int64(backendPID)), .text(event)]
      ).isEmpty
    }
  }

  /// How many sessions of this database run a statement, the asking one left out.
  func activeStatements() async throws -> Int {
    try await pool.query(
      """
      select 1 from pg_stat_activity
      where datname = current_database() and state = 'active' and pid <> pg_backend_pid() and backend_type = 'client backend'
      """
    ).count
  }
}

extension PostgresSession {
  /// Whether the session can still be used.
  func answers() async throws -> Bool {
    let rows = try await query("select 6 * 7 as answer", [])
    return try rows.count == 1 && rows[0].int("answer") == 42
  }
}
