import Catalog
import FoundationEssentials
import JobModel
import Migrations
import PipelineDefinition
import Postgres

/// Tests what the control database must be able to do. It creates nothing there.
struct DatabaseDoctor {
  let installation: Installation
  /// This host's clock, in seconds since 1970.
  var clock: @Sendable () -> Double = { Date().timeIntervalSince1970 }

  /// How far the clocks may be apart. The database's decides; the host's is in logs and in requests to sources.
  private static let clockTolerance = 2.0

  func examine() async throws -> [DoctorCommand.Check] {
    let connection = try await PostgresConnection.connect(installation.settings)
    do {
      let checks = try await examine(connection)
      await connection.close()
      return checks
    } catch {
      await connection.close()
      throw error
    }
  }

  private func examine(_ connection: PostgresConnection) async throws -> [DoctorCommand.Check] {
    let version = try await connection.query("show server_version", [])
    var checks = [
      DoctorCommand.Check(
        name: "database", ok: true,
        detail: "PostgreSQL \(version.first?.optionalString(at: 0) ?? "?"), \(installation.settings)")
    ]
    checks.append(try await encoding(connection))
    let rights = try await rights(connection)
    checks += rights
    // Without rights nothing in the schema can be looked at.
    if rights.allSatisfy({ $0.ok || $0.name != "rights" }) { checks.append(try await owner()) }
    checks.append(try await sessions())
    checks.append(try await timeZones(connection))
    checks.append(try await Self.clock(connection, host: clock))
    return checks
  }

  private func owner() async throws -> DoctorCommand.Check {
    do {
      guard try await installation.knowsOwner(), let owner = try await installation.catalog.projectFolder()
      else {
        return DoctorCommand.Check(name: "identity", ok: true, detail: "no project folder has the database yet")
      }
      try await installation.confirmIdentity(.writing)
      return DoctorCommand.Check(name: "identity", ok: true, detail: "the database belongs to \(owner.folder)")
    } catch let refusal as Refusal {
      return DoctorCommand.Check(name: "identity", ok: false, detail: refusal.message, fix: refusal.hint)
    }
  }

  private func encoding(_ connection: PostgresConnection) async throws -> DoctorCommand.Check {
    do {
      try await Migrator().requireEncoding(connection)
      return DoctorCommand.Check(name: "encoding", ok: true, detail: "UTF8")
    } catch let refusal as EncodingRefused {
      return DoctorCommand.Check(name: "encoding", ok: false, detail: refusal.message, fix: refusal.hint)
    }
  }

  /// What migrate needs where there is no schema yet, and what work needs where there is one.
  private func rights(_ connection: PostgresConnection) async throws -> [DoctorCommand.Check] {
    let row = try await connection.query(
      """
      select quote_ident(current_user) as role, quote_ident(current_database()) as database,
        has_database_privilege(current_database(), 'CREATE') as may_create,
        to_regnamespace('sluice') is not null as has_schema,
        coalesce(has_schema_privilege(to_regnamespace('sluice'), 'USAGE'), false) as may_use,
        coalesce(has_schema_privilege(to_regnamespace('sluice'), 'CREATE'), false) as may_extend,
        (select string_agg(c.relname, ', ' order by c.relname) from pg_class c
          where c.relnamespace = to_regnamespace('sluice') and case
            when c.relkind in ('r', 'p') then
              not (has_table_privilege(c.oid, 'SELECT') and has_table_privilege(c.oid, 'INSERT')
                and has_table_privilege(c.oid, 'UPDATE') and has_table_privilege(c.oid, 'DELETE'))
            -- That of an identity column needs no right of its own.
            when c.relkind = 'S' then
              not has_sequence_privilege(c.oid, 'USAGE')
              and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'i')
            else false end) as closed,
        (select string_agg(distinct quote_ident(pg_get_userbyid(c.relowner)), ', ') from pg_class c
          where c.relnamespace = to_regnamespace('sluice') and c.relkind in ('r', 'p')
            and not pg_has_role(c.relowner, 'MEMBER')) as owners
      """, []
    ).first
    guard let row else { return [] }
    let (role, database) = (try row.string("role"), try row.string("database"))
    guard try row.bool("has_schema") else {
      return [
        DoctorCommand.Check(
          name: "rights", ok: try row.bool("may_create"),
          detail: try row.bool("may_create")
            ? "\(role) may create the schema sluice" : "\(role) may not create a schema in the database \(database)",
          fix: "as its owner: grant create on database \(database) to \(role)")
      ]
    }
    var checks: [DoctorCommand.Check] = []
    let closed = try row.optionalString("closed")
    let mayUse = try row.bool("may_use") && closed == nil
    checks.append(
      DoctorCommand.Check(
        name: "rights", ok: mayUse,
        detail: mayUse
          ? "\(role) may read and write the schema sluice"
          : "\(role) may not read and write in the schema sluice\(closed.map { ": \($0)" } ?? "")",
        fix: "as their owner: grant usage, create on schema sluice to \(role); "
          + "grant select, insert, update, delete on all tables in schema sluice to \(role); "
          + "grant usage on all sequences in schema sluice to \(role)"))
    let owners = try row.optionalString("owners")
    let mayMigrate = try row.bool("may_extend") && owners == nil
    checks.append(
      DoctorCommand.Check(
        name: "migrations", ok: mayMigrate,
        detail: mayMigrate
          ? "\(role) may change the schema sluice"
          : "\(role) cannot apply the next migration: \(owners.map { "the tables belong to \($0)" } ?? "it may not create tables there")",
        fix: owners.map { "grant \($0) to \(role); or run sluice migrate as \($0)" }
          ?? "as its owner: grant create on schema sluice to \(role)"))
    return checks
  }

  private func sessions() async throws -> DoctorCommand.Check {
    let finding = try await PoolerProbe(settings: installation.settings).look()
    let isPollOnly = installation.settings.isPooled
    let connection = try await PostgresConnection.connect(installation.settings)
    var detail: String?
    do {
      // Twice: the second one uses what the session has kept.
      for _ in 1...2 { try await connection.query(SQLStatement(text: "select 1 as doctor_probe").prepared, []) }
    } catch let error as PostgresError { detail = "prepared statements are lost: \(error.message)" }
    await connection.close()
    let text =
      switch finding {
      case .direct: "sessions and their prepared statements are kept"
      case .sessionPooler: "a pooler that keeps sessions"
      case .transactionPooler:
        "a pooler that lends sessions for a transaction" + (isPollOnly ? ", SLUICE_POLL_ONLY=1" : "")
      }
    return DoctorCommand.Check(
      name: "sessions", ok: detail == nil && (isPollOnly || finding != .transactionPooler), detail: detail ?? text,
      fix: Installation.poolerHint)
  }

  /// Of the schedules of the project: the database turns local times into instants.
  private func timeZones(_ connection: PostgresConnection) async throws -> DoctorCommand.Check {
    let zones = Set(installation.project.pipelines.compactMap { $0.schedule?.timeZone }).sorted()
    var unknown: [String] = []
    for zone in zones {
      do { try await connection.query("select now() at time zone $1 as here", [.text(zone)]) } catch let error
        as PostgresError
        where error.kind == .statement
      { unknown.append(zone) }
    }
    return DoctorCommand.Check(
      name: "time zones", ok: unknown.isEmpty,
      detail: unknown.isEmpty
        ? "\(zones.isEmpty ? "no schedule names one" : zones.joined(separator: ", "))"
        : "the database does not know \(unknown.joined(separator: ", "))",
      fix: "write a name of: select name from pg_timezone_names; or update the time zone data of the database's host")
  }

  /// The host's clock is read before and after the database's, so that the time of the query counts for neither side.
  static func clock(_ connection: PostgresConnection, host: () -> Double) async throws -> DoctorCommand.Check {
    let before = host()
    let row = try await connection.query(
      "select extract(epoch from clock_timestamp())::double precision as seconds", []
    ).first
    let after = host()
    let database = try row?.double("seconds") ?? before
    let difference = database < before ? database - before : max(0, database - after)
    let rounded = (difference * 10).rounded() / 10
    return DoctorCommand.Check(
      name: "clock", ok: abs(difference) <= clockTolerance,
      detail: abs(difference) <= clockTolerance
        ? "this host and the database agree"
        : "the database's clock is \(abs(rounded)) s \(rounded > 0 ? "ahead of" : "behind") this host's",
      fix: "synchronise both: timedatectl set-ntp true, or the clock of the container's host")
  }
}
