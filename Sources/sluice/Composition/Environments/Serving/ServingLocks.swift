import FoundationEssentials
import Glibc
import JobModel
import JobStore
import Logging
import PipelineDefinition
import Postgres

/// How processes know of each other who serves environments: advisory locks, which end with their sessions, and which every session of the
/// server can see, whatever database it is in.
enum ServingLocks {
  /// In the database of an environment: of the control process that serves it.
  static let served: Int64 = 7_351_904_241
  /// In the control database, with the number of a project folder: of the one process that serves the environments of that folder.
  private static let server: Int32 = 7_351_906
  /// Where a verb says in the control database which environment it has given work. A hint: the next look finds it too.
  static let channel = "sluice_environments"
  static let applicationName = "sluice-serving"
  /// What the workers of an environment can do.
  static let stages = [StageJob.ingest, StageJob.curate, StageJob.load]

  /// Makes this session's process the one that serves the environments of a folder; false where another one is.
  static func lead(_ directory: String, on session: some PostgresSession) async throws -> Bool {
    try await session.query(
      "select pg_try_advisory_lock($1::integer, $2::integer) as taken",
      [.int(Int64(server)), .int(Int64(number(of: directory)))]
    ).only.bool("taken")
  }

  /// Whether a process serves the environments of a folder next to a control database. Can be asked in any database of the server.
  static func isLed(_ directory: String, owner: String, on session: some PostgresSession) async throws -> Bool {
    try await session.query(
      """
      select exists (
        select from pg_locks l join pg_database d on d.oid = l.database
        where d.datname = $1 and l.locktype = 'advisory' and l.objsubid = 2 and l.granted
          and l.classid::bigint = $2 and l.objid::bigint = $3) as is_led
      """, [.text(owner), .int(Int64(server)), .int(Int64(UInt32(bitPattern: number(of: directory))))]
    ).only.bool("is_led")
  }

  static func takeServed(on session: some PostgresSession) async throws -> Bool {
    try await session.query("select pg_try_advisory_lock($1) as taken", [.int(served)]).only.bool("taken")
  }

  /// The databases of the server that a control process serves, of those that are environments.
  static func servedDatabases(on session: some PostgresSession) async throws -> Set<String> {
    let rows = try await session.query(
      """
      select d.datname as name from pg_locks l join pg_database d on d.oid = l.database
      where l.locktype = 'advisory' and l.objsubid = 1 and l.granted
        and (l.classid::bigint << 32) | l.objid::bigint = $1
      """, [.int(served)])
    return Set(try rows.map { try $0.string("name") })
  }

  /// The same for every process in the folder, and hardly for one in another: a checkout elsewhere has environments of its own. One that
  /// sees the folder under another path does its work itself.
  private static func number(of directory: String) -> Int32 {
    var status = stat()
    let inode = stat(directory + "/.sluice", &status) == 0 ? UInt64(status.st_ino) : 0
    // FNV-1a.
    let hash = "\(inode) \(directory)".utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
    return Int32(bitPattern: hash)
  }
}

extension EnvironmentServer {
  /// The environments of this server that a control process serves, by their databases.
  func served() async throws -> Set<String> { try await ServingLocks.servedDatabases(on: connection) }
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
    return try await ServingLocks.isLed(directory, owner: owner, on: database)
  }

  /// Says that this environment, if `env up` made it, may have work now. Without it the work is found at the next look.
  func tellOfWork() async {
    do {
      guard let owner = try await ownerOfCopy(),
        try await ServingLocks.isLed(directory, owner: owner, on: database)
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
