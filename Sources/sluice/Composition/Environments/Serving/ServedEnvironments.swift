import FoundationEssentials
import PipelineDefinition
import Postgres

/// The environments that `env up` made next to a control database, as the process that serves them sees them: one statement, whatever their
/// number, over a session that is in none of them.
///
/// What is written into a database shows in the counters of rows that the server keeps of it. A session reports to them when it ends, and
/// else after at most ten seconds; until then its last statement shows.
struct ServedEnvironments {
  let owner: String
  let directory: String

  private static let statement: SQLStatement = """
    with served as materialized (
      select l.database from pg_locks l
      where l.locktype = 'advisory' and l.objsubid = 1 and l.granted
        and (l.classid::bigint << 32) | l.objid::bigint = $1
    ), statements as materialized (
      select a.datid, max(a.state_change) as last, count(*) filter (where a.state_change is null) as unseen
      from pg_stat_activity a
      -- Sessions of other roles show neither what they are nor what they do.
      where coalesce(a.backend_type, 'client backend') = 'client backend' and a.application_name is distinct from $2
      group by a.datid
    )
    select d.datname as name, shobj_description(d.oid, 'pg_database') as comment,
      concat_ws('/', s.tup_inserted, s.tup_updated, s.stats_reset, t.last,
        case when t.unseen > 0 or not current_setting('track_counts')::boolean then clock_timestamp() end) as writes,
      d.oid in (select database from served) as is_served
    from pg_database d
    left join pg_stat_database s on s.datid = d.oid
    left join statements t on t.datid = d.oid
    where d.datallowconn and pg_has_role(d.datdba, 'usage')
      and shobj_description(d.oid, 'pg_database') like '{%"sluice":%'
    """

  /// Those that can be used from the project folder.
  func look(_ session: some PostgresSession) async throws -> [ServingState.Seen] {
    let rows = try await session.query(
      Self.statement, [.int(ServingLocks.served), .text(ServingLocks.applicationName)])
    return try rows.compactMap { row in
      guard let marker = EnvironmentMarker(comment: try row.optionalString("comment")), marker.owner == owner,
        marker.sluice == .environment, marker.state == .ready, isUsable(marker)
      else { return nil }
      return ServingState.Seen(
        name: marker.name, token: marker.token, database: try row.string("name"), writes: try row.string("writes"),
        isServed: try row.bool("is_served"))
    }
  }

  /// How many sessions the server has for environments, without those of others that are open.
  func connections(_ environments: [ServingState.Seen], _ session: some PostgresSession) async throws -> Int {
    let row = try await session.query(
      """
      select current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint
        - count(*) filter (where coalesce(a.backend_type, 'client backend') = 'client backend'
            and a.datname is not null and a.datname <> all ($1::text[])) as room
      from pg_stat_activity a
      """, [.texts(environments.map(\.database))]
    ).first
    return Int(try row?.int("room") ?? 0)
  }

  /// The folder says the same as the mark: nothing is started for a comment alone, which anyone who makes databases can write.
  private func isUsable(_ marker: EnvironmentMarker) -> Bool {
    guard (try? Project.check(environment: marker.name)) != nil,
      let file = try? CopyFile.read(Installation.stateDirectory(directory, environment: marker.name))
    else { return false }
    return file.state == .ready && file.token == marker.token && file.copy.name == marker.name
  }
}
