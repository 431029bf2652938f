import EmbeddedPostgres
import Glibc
import Migrations
import Postgres
import Synchronization

/// A PostgreSQL server of a test's own, which the test may crash and whose settings it may change.
package final class OwnServer: Sendable {
  private let embedded: EmbeddedPostgres
  private let lease: Mutex<EmbeddedPostgresLease>

  private init(_ embedded: EmbeddedPostgres, _ lease: EmbeddedPostgresLease) {
    self.embedded = embedded
    self.lease = Mutex(lease)
  }

  /// The same after a crash: the socket stays where it is.
  package var url: String { lease.withLock { $0.url } }

  /// Runs a server as long as `body` runs.
  package static func with<T: Sendable>(_ body: @Sendable (OwnServer) async throws -> T) async throws -> T {
    try await TestProject.withProject { project in
      let embedded = EmbeddedPostgres(
        directory: project.path("postgres"), database: "warehouse",
        // Only a server that could have standbys lets a commit wait for one.
        settings: ["fsync": "off", "wal_level": "replica", "max_wal_senders": "2"])
      let server = OwnServer(embedded, try await embedded.acquire())
      let result: T
      do { result = try await body(server) } catch {
        try await server.release()
        throw error
      }
      try await server.release()
      return result
    }
  }

  /// Gives its database every migration.
  package func migrate() async throws {
    let connection = try await PostgresConnection.connect(PostgresSettings(url))
    _ = try await Migrator().migrate(connection)
    await connection.close()
  }

  private func release() async throws { try await lease.withLock { $0 }.release() }

  /// Ends the server without a checkpoint and starts it again: unlogged tables are empty then.
  package func crash() async throws {
    try await end(with: SIGQUIT)
    try await start()
  }

  /// Ends the server's first process with this signal; of SIGKILL the others learn by themselves.
  package func end(with signal: Int32) async throws {
    let held = lease.withLock { $0 }
    guard let pid = held.postmasterPID else { throw TestSupportError("no server runs that could crash") }
    kill(pid, signal)
    try await eventually("the server has ended") { held.postmasterPID == nil }
  }

  /// Starts the server again after ``end(with:)``, and returns when it has recovered.
  package func start() async throws {
    let next = try await embedded.acquire()
    let held = lease.withLock { lease in
      defer { lease = next }
      return lease
    }
    try await held.release()
  }
}
