import FoundationEssentials
import JobModel
import JobStore
import Logging
import PipelineDefinition
import Postgres

/// How processes know of each other who serves environments: advisory locks, which end with their sessions, and which every session of the
/// server can see, whatever database it is in.
enum ServingLocks {
  /// In the control database: of the one process that serves the environments next to it.
  static let server: Int64 = 7_351_904_241
  /// In the database of an environment: of the control process that serves it.
  static let served: Int64 = 7_351_904_243
  /// Where a verb says in the control database which environment it has given work. A hint: the next look finds it too.
  static let channel = "sluice_environments"
  static let applicationName = "sluice-serving"
  /// What the workers of an environment can do.
  static let stages = [StageJob.ingest, StageJob.curate, StageJob.load]

  static func take(_ key: Int64, on session: some PostgresSession) async throws -> Bool {
    try await session.query("select pg_try_advisory_lock($1) as taken", [.int(key)]).only.bool("taken")
  }

  /// The databases of the server in which a lock is held.
  static func holders(of key: Int64, on session: some PostgresSession) async throws -> Set<String> {
    let rows = try await session.query(
      """
      select d.datname as name from pg_locks l join pg_database d on d.oid = l.database
      where l.locktype = 'advisory' and l.objsubid = 1 and l.granted
        and (l.classid::bigint << 32) | l.objid::bigint = $1
      """, [.int(key)])
    return Set(try rows.map { try $0.string("name") })
  }
}

extension EnvironmentServer {
  /// The environments of this server that a control process serves, by their databases.
  func served() async throws -> Set<String> { try await ServingLocks.holders(of: ServingLocks.served, on: connection) }
}

extension Installation {
  /// The control database next to which `env up` made this environment; nil for a plain environment.
  private func ownerOfCopy() async throws -> String? {
    guard project.copy != nil, !settings.isPooled else { return nil }
    let row = try await database.query(
      "select shobj_description(oid, 'pg_database') as marker from pg_database where datname = current_database()", []
    ).first
    return EnvironmentMarker(comment: try row?.optionalString("marker"))?.owner
  }

  /// Whether a control process of the installation starts what serves this environment when it has work.
  func isServedOnDemand() async throws -> Bool {
    guard let owner = try await ownerOfCopy() else { return false }
    return try await ServingLocks.holders(of: ServingLocks.server, on: database).contains(owner)
  }

  /// Says that this environment, if `env up` made it, may have work now. Without it the work is found at the next look.
  func tellOfWork() async {
    do {
      guard let owner = try await ownerOfCopy(),
        try await ServingLocks.holders(of: ServingLocks.server, on: database).contains(owner)
      else { return }
      let session = try await PostgresConnection.connect(
        PostgresSettings(
          try PostgresSettings.conninfo(databaseURL, database: owner),
          applicationName: ServingLocks.applicationName))
      do {
        try await session.query("select pg_notify($1, $2)", [.text(ServingLocks.channel), .text(environment)])
      } catch { logger.debug("control could not be told of work", metadata: ["error": "\(error)"]) }
      await session.close()
    } catch { logger.debug("control could not be told of work", metadata: ["error": "\(error)"]) }
  }
}
