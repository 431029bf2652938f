import EmbeddedPostgres
import FoundationEssentials
import JobModel
import Migrations
import PipelineDefinition
import Postgres
import Releases

/// The server of the control database, for making and removing environments next to it.
///
/// One at a time does so: a lock is held as long as this is open.
struct EnvironmentServer: Sendable {
  /// Of every change to environments next to one control database.
  private static let lockKey: Int64 = 7_351_904_237
  /// Longer than many of them take; a sample of much data takes minutes.
  private static let patience = "900s"
  private static let maximumIdentifier = 63

  let directory: String
  /// The control database next to which environments are.
  let owner: String
  /// Which server and control database this is, wherever it is reached.
  let place: String
  let connection: PostgresConnection
  private let ownURL: String

  /// Opens the server of a project.
  static func with<T: Sendable>(
    _ project: Project, _ body: (EnvironmentServer) async throws -> T
  ) async throws -> T {
    let resolver = project.installationSecrets.resolver(placeholders: ["env": project.environment])
    if let url = try Installation.externalDatabase(project, resolver) {
      return try await with(url: url, directory: project.directory, body)
    }
    let lease = try await EmbeddedPostgres(directory: project.directory + "/.sluice/postgres").acquire()
    do {
      let result = try await with(url: lease.url, directory: project.directory, body)
      try await lease.release()
      return result
    } catch {
      // The first error is the one to tell; a server that could not be stopped is stopped by the next verb.
      try? await lease.release()
      throw error
    }
  }

  static func with<T: Sendable>(
    url: String, directory: String, _ body: (EnvironmentServer) async throws -> T
  ) async throws -> T {
    guard ProcessInfo.processInfo.environment["SLUICE_POLL_ONLY"] != "1" else {
      throw Refusal(
        code: "pooler", message: "a transaction pooler knows no databases that are made later",
        hint: "let SLUICE_DATABASE_URL name the server itself, without SLUICE_POLL_ONLY")
    }
    let settings = try PostgresSettings(
      url, applicationName: "sluice-env", options: ["lock_timeout": patience, "jit": "off"])
    let connection = try await PostgresConnection.connect(settings)
    do {
      try await connection.query("select pg_advisory_lock($1)", [.int(lockKey)])
      let owner = try await connection.query("select current_database() as name", []).first?.string("name") ?? ""
      let server = EnvironmentServer(
        directory: directory, owner: owner, place: try await place(connection, owner: owner), connection: connection,
        ownURL: url)
      let result = try await body(server)
      await connection.close()
      return result
    } catch {
      await connection.close()
      throw Self.translated(error)
    }
  }

  static func place(_ session: some PostgresSession, owner: String) async throws -> String {
    let row = try await session.query(
      "select system_identifier || '/' || $1 as place from pg_control_system()", [.text(owner)]
    ).first
    return try row?.string("place") ?? ""
  }

  /// A database of the server as what made it sees it.
  struct Found: Sendable {
    var name: String
    var marker: EnvironmentMarker?
    /// Whether this role may drop it.
    var isOwn: Bool
    var connects: Bool
    /// Of clients.
    var sessions: Int64
  }

  /// The databases that say they are environments or templates of this control database.
  func marked() async throws -> [Found] { try await Self.marked(by: owner, connection) }

  static func marked(by owner: String, _ session: some PostgresSession) async throws -> [Found] {
    let rows = try await session.query(
      """
      select d.datname as name, shobj_description(d.oid, 'pg_database') as comment,
        pg_has_role(d.datdba, 'usage') as is_own, d.datallowconn as connects,
        (select count(*) from pg_stat_activity a where a.datid = d.oid and a.backend_type = 'client backend'
          and a.application_name <> 'sluice-serving') as sessions
      from pg_database d
      where shobj_description(d.oid, 'pg_database') like '{%"sluice":%' order by d.datname
      """, [])
    return try rows.map(Found.init(row:)).filter { found in
      guard let marker = found.marker, marker.owner == owner else { return false }
      // Anyone who may make databases may write comments: a name that is none leads to no path.
      return marker.sluice == .template || (try? Project.check(environment: marker.name)) != nil
    }
  }

  func find(_ database: String) async throws -> Found? {
    let rows = try await connection.query(
      """
      select d.datname as name, shobj_description(d.oid, 'pg_database') as comment,
        pg_has_role(d.datdba, 'usage') as is_own, d.datallowconn as connects,
        (select count(*) from pg_stat_activity a where a.datid = d.oid and a.backend_type = 'client backend'
          and a.application_name <> 'sluice-serving') as sessions
      from pg_database d where d.datname = $1
      """, [.text(database)])
    return try rows.first.map(Found.init(row:))
  }

  /// The database of an environment that `env up` made here; nil for any other.
  func environment(_ name: String) async throws -> Found? {
    guard let found = try await find(try database(of: name)), let marker = found.marker, found.isOwn,
      marker.sluice == .environment, marker.owner == owner, marker.name == name
    else { return nil }
    return found
  }

  func mark(_ database: String, _ marker: EnvironmentMarker) async throws {
    try await connection.execute(
      "comment on database \(quoteIdentifier(database)) is \(quoteLiteral(try marker.comment()))")
  }

  func now() async throws -> Int64 {
    try await connection.query("select extract(epoch from now())::bigint as now", []).first?.int("now") ?? 0
  }

  func bytes(_ database: String) async throws -> Int64 {
    try await connection.query("select pg_database_size($1) as bytes", [.text(database)]).first?.int("bytes") ?? 0
  }

  func url(_ database: String) throws -> String { try PostgresSettings.conninfo(ownURL, database: database) }

  func database(of environment: String) throws -> String { try fitting("\(owner)-env-\(environment)") }
  func draft(_ token: String) throws -> String { try fitting("\(owner)-draft-\(token)") }

  /// The migrated, empty database of this binary's schema; made where it is missing.
  func template() async throws -> String {
    let schema = Self.schemaHash
    let name = try fitting("\(owner)-template-\(schema)")
    let draft = try fitting("\(name)-new")
    if let found = try await find(name) {
      guard let marker = found.marker, marker.sluice == .template, marker.owner == owner, marker.name == schema else {
        throw Refusal(
          code: "database_taken", message: "the database \(name) is not a template that sluice made",
          hint: "rename it: its name is needed for environments")
      }
      if found.connects { try await close(name) }
      return name
    }
    // A half-made one has no name of an environment and is made whole: nothing has to be dropped.
    if try await find(draft) == nil {
      try await connection.execute("create database \(quoteIdentifier(draft)) template template0")
    }
    let inside = try await PostgresConnection.connect(
      try PostgresSettings(try url(draft), applicationName: "sluice-env"))
    do {
      _ = try await Migrator().migrate(inside)
      await inside.close()
    } catch {
      await inside.close()
      throw error
    }
    let marker = EnvironmentMarker(
      .template, owner: owner, name: schema, token: schema, by: Installation.actor, folder: directory,
      made: try await now())
    try await mark(draft, marker)
    try await rename(draft, to: name)
    try await close(name)
    return name
  }

  /// No session keeps a clone waiting.
  private func close(_ template: String) async throws {
    try await connection.execute("alter database \(quoteIdentifier(template)) with allow_connections false")
  }

  func clone(_ template: String, as database: String) async throws {
    try await connection.execute("create database \(quoteIdentifier(database)) template \(quoteIdentifier(template))")
    try await connection.execute("revoke all on database \(quoteIdentifier(database)) from public")
  }

  func rename(_ database: String, to name: String) async throws {
    try await connection.execute("alter database \(quoteIdentifier(database)) rename to \(quoteIdentifier(name))")
  }

  func drop(_ database: String) async throws {
    try await connection.execute("drop database if exists \(quoteIdentifier(database)) with (force)")
  }

  /// Of every migration's text, so that a change of any is another template.
  private static let schemaHash = String(
    EngineStore.hash(of: Array(Migration.all.map { "\($0.number) \($0.name)\n\($0.sql)" }.joined(separator: "\n").utf8))
      .prefix(12))

  private func fitting(_ name: String) throws -> String {
    guard name.utf8.count <= Self.maximumIdentifier else {
      throw StageFailure(
        code: "usage", message: "\(name) is longer than PostgreSQL's \(Self.maximumIdentifier) bytes",
        hint: "choose a shorter name, of the environment or of the control database")
    }
    return name
  }

  private static func translated(_ error: any Error) -> any Error {
    guard let error = error as? PostgresError else { return error }
    if error.sqlState == "55P03" {
      return StageFailure(
        code: "environments_busy",
        message: "another command changes environments of this control database, perhaps with a sample",
        hint: "try again when it has ended", isTransient: true)
    }
    guard error.sqlState == "42501" else { return error }
    return StageFailure(
      code: "no_createdb", message: "the role of the control database may not do this: \(error.message)",
      hint: "let an administrator grant it: alter role ROLE createdb")
  }
}

extension EnvironmentServer.Found {
  fileprivate init(row: PostgresRow) throws {
    name = try row.string("name")
    marker = EnvironmentMarker(comment: try row.optionalString("comment"))
    isOwn = try row.bool("is_own")
    connects = try row.bool("connects")
    sessions = try row.int("sessions")
  }
}
