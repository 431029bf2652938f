import EmbeddedPostgres
import JobModel
import Postgres
import Synchronization

/// A database of a test's own on a real server, which all tests of the process share.
///
/// Databases are clones of a template, so that each costs a few hundredths of a second. They are dropped after the
/// test; the server ends with the process, however that ends.
package enum TestDatabase {
  /// The test's database and what leads to it.
  package struct Handle: Sendable {
    package let url: String
    package let settings: PostgresSettings
    package let pool: PostgresPool
    package let server: EmbeddedPostgresLease
  }

  /// What a test has left behind: it would meet the next one, or the same one on a slower day.
  package struct LeftBehind: Error, CustomStringConvertible {
    package let description: String
  }

  private static let count = Mutex(0)

  /// Runs `body` with a database that has every migration.
  ///
  /// - Throws: What `body` throws; ``LeftBehind`` when a session is still open after it.
  @discardableResult
  package static func withDatabase<T: Sendable>(_ body: @Sendable (Handle) async throws -> T) async throws -> T {
    try await withClone(of: TestServer.migratedTemplate, body)
  }

  /// Runs `body` with a database in which there is nothing.
  @discardableResult
  package static func withEmptyDatabase<T: Sendable>(_ body: @Sendable (Handle) async throws -> T) async throws -> T {
    try await withClone(of: "template0", body)
  }

  private static func withClone<T: Sendable>(
    of template: String, _ body: @Sendable (Handle) async throws -> T
  ) async throws -> T {
    let server = try await TestServer.shared.lease()
    let number = count.withLock { count -> Int in
      count += 1
      return count
    }
    let name = "test_\(number)"
    let administration = try PostgresSettings(server.url(database: "postgres"), applicationName: "test-support")
    try await run(
      "create database \(quoteIdentifier(name)) template \(quoteIdentifier(template))", administration)
    let url = server.url(database: name)
    let settings = try PostgresSettings(url)
    let handle = Handle(url: url, settings: settings, pool: PostgresPool(settings, maximum: 8), server: server)
    let result: T
    do { result = try await body(handle) } catch {
      await handle.pool.close()
      try await drop(name, administration)
      throw error
    }
    await handle.pool.close()
    let sessions = try await remainingSessions(name, administration)
    try await drop(name, administration)
    guard sessions.isEmpty else {
      throw LeftBehind(description: "the test has left sessions open: \(sessions.joined(separator: "; "))")
    }
    return result
  }

  private static func run(_ script: String, _ settings: PostgresSettings) async throws {
    let connection = try await PostgresConnection.connect(settings)
    do { try await connection.execute(script) } catch {
      await connection.close()
      throw error
    }
    await connection.close()
  }

  private static func drop(_ name: String, _ administration: PostgresSettings) async throws {
    try await run("drop database if exists \(quoteIdentifier(name)) with (force)", administration)
  }

  /// The sessions that do not end by themselves: the server needs a moment to notice those that were closed.
  private static func remainingSessions(_ name: String, _ administration: PostgresSettings) async throws -> [String] {
    let connection = try await PostgresConnection.connect(administration)
    var sessions: [String] = []
    do {
      for _ in 0..<300 {
        sessions = try await connection.query(
          """
          select application_name || ': ' || left(query, 80) as session from pg_stat_activity
          where datname = $1 and backend_type = 'client backend'
          """, [.text(name)]
        ).map { try $0.string("session") }
        if sessions.isEmpty { break }
        try await Task.sleep(for: .milliseconds(10))
      }
    } catch {
      await connection.close()
      throw error
    }
    await connection.close()
    return sessions
  }
}
