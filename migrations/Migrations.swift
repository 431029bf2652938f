import Postgres

/// One numbered change of the schema `sluice`, as it stands in `migrations/sql`.
package struct Migration: Sendable {
  package var number: Int
  package var name: String
  /// Whether workers that do not know it can no longer work.
  package var isBreaking: Bool
  package var sql: String

  /// - Precondition: the first line is `--! compatible` or `--! breaking`: which of them is never left open.
  package init(number: Int, name: String, bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self)
    let first = text.prefix { $0 != "\n" }
    precondition(
      first == "--! compatible" || first == "--! breaking",
      "migration \(number) must begin with --! compatible or --! breaking")
    self.number = number
    self.name = name
    self.isBreaking = first == "--! breaking"
    self.sql = text
  }

  /// Every migration that this binary knows, in order.
  package static let all: [Migration] = [
    Migration(number: 1, name: "jobs", bytes: PackageResources.m0001_jobs_sql),
    Migration(number: 2, name: "catalog", bytes: PackageResources.m0002_catalog_sql),
    Migration(number: 3, name: "schedules", bytes: PackageResources.m0003_schedules_sql),
    Migration(number: 4, name: "limits", bytes: PackageResources.m0004_limits_sql),
    Migration(number: 5, name: "releases", bytes: PackageResources.m0005_releases_sql),
    Migration(number: 6, name: "guards", bytes: PackageResources.m0006_guards_sql),
    Migration(number: 7, name: "installation", bytes: PackageResources.m0007_installation_sql),
    Migration(number: 8, name: "retention", bytes: PackageResources.m0008_retention_sql),
    Migration(number: 9, name: "compactions", bytes: PackageResources.m0009_compactions_sql),
    Migration(number: 10, name: "history segments", bytes: PackageResources.m0010_history_segments_sql),
    Migration(number: 11, name: "attempts", bytes: PackageResources.m0011_attempts_sql),
    Migration(number: 12, name: "scaling", bytes: PackageResources.m0012_scaling_sql),
  ]
}

/// Brings a control database's schema up to what this binary knows.
package struct Migrator: Sendable {
  /// Any number will do as long as every version of the engine takes the same one.
  private static let lockKey: Int64 = 7_351_904_227

  private let migrations: [Migration]

  package init(migrations: [Migration] = Migration.all) { self.migrations = migrations }

  /// Applies what is missing, each in a transaction of its own under an advisory lock, so that any number of processes may
  /// call this at once.
  ///
  /// - Returns: The migrations that this call applied.
  /// - Throws: ``EncodingRefused`` for a database that is not UTF-8; ``SchemaError`` when the database's schema is newer than this binary can work with.
  package func migrate(_ connection: PostgresConnection) async throws -> [Migration] {
    try await requireEncoding(connection)
    if try await standing(connection) == .current { return [] }
    try await alone(connection) { transaction in
      try await transaction.execute(
        """
        create schema if not exists sluice;
        create table if not exists sluice.migration (
          number integer primary key, name text not null, breaking boolean not null, applied_at timestamptz not null);
        """)
      try await verify(transaction)
    }
    var applied: [Migration] = []
    for migration in migrations {
      let isNew = try await alone(connection) { transaction in
        let present = try await transaction.query(
          "select from sluice.migration where number = $1", [.int(Int64(migration.number))])
        guard present.isEmpty else { return false }
        if migration.isBreaking { try await refuseBusy(migration, transaction) }
        try await transaction.execute(migration.sql)
        try await transaction.query(
          "insert into sluice.migration values ($1, $2, $3, now())",
          [.int(Int64(migration.number)), .text(migration.name), .bool(migration.isBreaking)])
        return true
      }
      if isNew { applied.append(migration) }
    }
    return applied
  }

  /// In a transaction that no other migrator's runs beside; behind a transaction pooler as well.
  private func alone<T: Sendable>(
    _ connection: PostgresConnection, _ body: @Sendable (PostgresTransaction) async throws -> T
  ) async throws -> T {
    try await connection.transaction { transaction in
      try await transaction.query("select pg_advisory_xact_lock($1)", [.int(Self.lockKey)])
      return try await body(transaction)
    }
  }

  /// A breaking migration waits for those who cannot live with it: workers that beat, and releases with work.
  ///
  /// - Throws: ``MigrationRefused``.
  private func refuseBusy(_ migration: Migration, _ transaction: PostgresTransaction) async throws {
    let knowsReleases = try await transaction.query("select to_regclass('sluice.audit') is not null as yes", [])
    guard try knowsReleases.first?.bool("yes") == true else { return }
    let holders = try await transaction.query(
      """
      select 'release ' || coalesce(r.label, left(r.content_hash, 12)) as holder from sluice.release r
      where r.schema_number < $1 and exists (
        select from sluice.open_work w join sluice.lane l on l.lane_id = w.lane_id where r.release_id in (l.engine_id, l.release_id))
      union all
      select 'worker ' || w.worker_id || ' on ' || w.host from sluice.worker w join sluice.beat b on b.worker_id = w.worker_id
      where b.expires_at > now() and coalesce(w.schema_number, 0) < $1
      order by 1
      """, [.int(Int64(migration.number))])
    guard holders.isEmpty else {
      throw MigrationRefused(
        number: migration.number, name: migration.name, holders: try holders.map { try $0.string("holder") })
    }
  }

  /// Refuses a database whose encoding cannot hold every text.
  ///
  /// - Throws: ``EncodingRefused``.
  package func requireEncoding(_ session: some PostgresSession) async throws {
    let row = try await session.query(
      "select current_setting('server_encoding') as encoding, current_database() as database", [])
    guard let first = row.first, try first.string("encoding") != "UTF8" else { return }
    throw EncodingRefused(database: try first.string("database"), encoding: try first.string("encoding"))
  }

  /// Refuses a schema that a newer engine has changed in a way this one cannot live with.
  package func verify(_ session: some PostgresSession) async throws {
    let known = migrations.last?.number ?? 0
    let newer = try await session.query(
      "select number, name from sluice.migration where number > $1 and breaking order by number limit 1",
      [.int(Int64(known))])
    if let row = newer.first {
      throw SchemaError(number: Int(try row.int("number")), name: try row.string("name"), known: known)
    }
  }

  /// What of the schema a database has.
  package enum Standing: Sendable, Equatable {
    case none
    /// Up to this migration, and this binary knows more.
    case older(Int)
    case current
  }

  /// - Throws: ``SchemaError`` when the database's schema is newer than this binary can work with.
  package func standing(_ session: some PostgresSession) async throws -> Standing {
    let present = try await session.query("select to_regclass('sluice.migration') is not null as present", [])
    guard try present.first?.bool("present") == true else { return .none }
    try await verify(session)
    let rows = try await session.query("select number from sluice.migration", [])
    let applied = Set(try rows.map { Int(try $0.int("number")) })
    // Each by itself: a number may be missing below the newest one.
    guard let newest = applied.max(), newest > 0 else { return .none }
    return migrations.allSatisfy { applied.contains($0.number) } ? .current : .older(newest)
  }
}
