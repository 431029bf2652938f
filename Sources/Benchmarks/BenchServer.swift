import JobModel
import JobStore
import Migrations
import Postgres
import Synchronization

/// The server on which subject and peer are measured; each measurement gets a fresh database of its own.
package final class BenchServer: Sendable {
  /// Leads to any database of the server from which others may be created.
  private let administration: PostgresSettings
  private let urlOfDatabase: @Sendable (String) -> String
  /// Tells this run's databases from those of another run on the same server.
  private let prefix: String
  private let count = Mutex(0)

  /// - Parameters:
  ///   - administration: A database that exists, such as `postgres`.
  ///   - prefix: Of the names of the databases that are created, and dropped again.
  ///   - urlOfDatabase: The URL of one of them.
  package init(
    administration: PostgresSettings, prefix: String, urlOfDatabase: @escaping @Sendable (String) -> String
  ) {
    self.administration = administration
    self.prefix = prefix
    self.urlOfDatabase = urlOfDatabase
  }

  private var template: String { prefix + "_template" }

  /// Makes the migrated database that others are copied from.
  package func prepare() async throws {
    try await administer("create database \(quoteIdentifier(template)) template template0")
    let connection = try await PostgresConnection.connect(PostgresSettings(urlOfDatabase(template)))
    do { _ = try await Migrator().migrate(connection) } catch {
      await connection.close()
      throw error
    }
    await connection.close()
  }

  package func remove() async throws { try await drop(template) }

  /// Runs `body` with a database in which nothing has happened yet but the migrations.
  func withDatabase<T: Sendable>(_ body: (BenchDatabase) async throws -> T) async throws -> T {
    let number = count.withLock { count -> Int in
      count += 1
      return count
    }
    let name = "\(prefix)_\(number)"
    try await administer("create database \(quoteIdentifier(name)) template \(quoteIdentifier(template))")
    let url = urlOfDatabase(name)
    let settings = try PostgresSettings(url, applicationName: "sluice-bench")
    let database = BenchDatabase(url: url, settings: settings, pool: PostgresPool(settings, maximum: 8))
    let result: T
    do { result = try await body(database) } catch {
      await database.pool.close()
      try await drop(name)
      throw error
    }
    await database.pool.close()
    try await drop(name)
    return result
  }

  /// How long it takes to clone the template and to drop the clone, in seconds.
  func timedClone() async throws -> (made: Double, dropped: Double) {
    let name = "\(prefix)_clone"
    let clock = ContinuousClock()
    let start = clock.now
    try await administer("create database \(quoteIdentifier(name)) template \(quoteIdentifier(template))")
    let made = clock.now
    try await drop(name)
    return (start.duration(to: made).seconds, made.duration(to: clock.now).seconds)
  }

  private func drop(_ name: String) async throws {
    try await administer("drop database if exists \(quoteIdentifier(name)) with (force)")
  }

  private func administer(_ script: String) async throws {
    let connection = try await PostgresConnection.connect(administration)
    do { try await connection.execute(script) } catch {
      await connection.close()
      throw error
    }
    await connection.close()
  }

  /// The server's version and the settings that decide what durability costs.
  package func settings() async throws -> [(name: String, value: String)] {
    let connection = try await PostgresConnection.connect(administration)
    do {
      let rows = try await connection.query(Statement.serverSettings)
      let settings = try rows.map { (name: try $0.string("name"), value: try $0.string("setting")) }
      await connection.close()
      return settings
    } catch {
      await connection.close()
      throw error
    }
  }
}

/// One fresh database.
struct BenchDatabase: Sendable {
  let url: String
  let settings: PostgresSettings
  let pool: PostgresPool

  /// Leaves no work of the set-up to the measurement: statistics, hint bits and dirty pages are dealt with.
  func settle() async throws {
    try await pool.query("vacuum (analyze)")
    try await pool.query("checkpoint")
  }

  /// What the database has committed and the server has written to its log so far.
  ///
  /// Sessions report their commits when they end, or within a second: read it when they are closed.
  func effort() async throws -> (commits: Double, walBytes: Double) {
    let row = try await pool.query(Statement.serverEffort).only
    return (try row.double("commits"), try row.double("wal_bytes"))
  }
}
