import EmbeddedPostgres
import Glibc
import Logging
import Migrations
import Postgres

/// The one server of a test process, started by the first test that asks for it.
actor TestServer {
  static let shared = TestServer()
  static let migratedTemplate = "migrated"

  /// Nothing here needs to outlive a crash of the machine, and waiting for the disk would take most of the time.
  private static let settings = [
    "fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "max_connections": "300",
  ]

  private var starting: Task<EmbeddedPostgresLease, any Error>?
  private var end: ProcessEnd?

  /// The server, with the template in place.
  func lease() async throws -> EmbeddedPostgresLease {
    if let starting { return try await starting.value }
    // A task of its own, so that a cancelled test does not end the start that others wait for.
    let task = Task { try await self.start() }
    starting = task
    return try await task.value
  }

  private func start() async throws -> EmbeddedPostgresLease {
    let folder = try TemporaryFolder.make("sluice-test")
    end = try ProcessEnd(script: Self.cleaning, arguments: [folder])
    let logger = Logger(label: "test-server") { _ in SwiftLogNoOpLogHandler() }
    let lease = try await EmbeddedPostgres(
      directory: folder + "/postgres", settings: Self.settings, logger: logger
    ).acquire()
    try await lease.createDatabase(Self.migratedTemplate)
    let connection = try await PostgresConnection.connect(PostgresSettings(lease.url(database: Self.migratedTemplate)))
    _ = try await connection.migrated()
    await connection.close()
    return lease
  }

  /// Stops the server as it is then, for a test may have killed and restarted it, and removes every trace.
  private static let cleaning = """
    file="$1/postgres/data/postmaster.pid"
    if [ -f "$file" ]; then
      pid=$(sed -n 1p "$file")
      run=$(sed -n 5p "$file")
      kill -INT "$pid"
      tries=0
      while kill -0 "$pid" && [ "$tries" -lt 100 ]; do
        sleep 0.1
        tries=$((tries + 1))
      done
      kill -KILL "$pid"
      rm -rf "$run"
    fi
    rm -rf "$1"
    """
}

extension PostgresConnection {
  fileprivate func migrated() async throws -> [Migration] { try await Migrator().migrate(self) }
}
