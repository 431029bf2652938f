import JobModel
import PipelineDefinition
import Postgres

extension PostgresTarget {
  package func diagnose(_ tables: [LoadTable]) async -> TargetDiagnosis {
    do {
      return try await withConnection(nil) { session in
        let facts = try await session.query(DiagnosisSQL.database, [])
        guard let facts = facts.first else { return TargetDiagnosis(checks: [], grants: "") }
        let role = try facts.string("role")
        let database = try facts.string("database")
        var checks = [
          check("connect", true, "\(role) on \(database), PostgreSQL \(try facts.string("version"))"),
          try checkVersion(facts), try checkPrimary(facts),
          check(
            "schema sluice_ledger", try facts.bool("ledger"), "for the ledger and the staging tables",
            fix: "create schema sluice_ledger authorization \(quoteIdentifier(role))"),
        ]
        for table in tables { checks.append(try await diagnose(table, role: role, in: session)) }
        return TargetDiagnosis(
          checks: checks, grants: Self.grants(database: database, role: role, tables: tables))
      }
    } catch {
      let failure = TargetFailure.translate(error, target: name, table: nil)
      let detail = (failure as? any Failure)?.message ?? "it cannot be used"
      return TargetDiagnosis(
        checks: [
          TargetDiagnosis.Check(
            name: "connect", ok: false, detail: detail,
            fix: "start the server, and check host, user, password and database of the target's url")
        ],
        grants: Self.grants(database: "DATABASE", role: "ROLE", tables: tables))
    }
  }

  private func check(_ name: String, _ ok: Bool, _ detail: String, fix: String? = nil) -> TargetDiagnosis.Check {
    TargetDiagnosis.Check(name: name, ok: ok, detail: detail, fix: ok ? nil : fix)
  }

  private func checkVersion(_ facts: PostgresRow) throws -> TargetDiagnosis.Check {
    check(
      "version", try facts.int("version_number") >= 140_000, "14 or newer",
      fix: "upgrade the server to PostgreSQL 14 or newer")
  }

  private func checkPrimary(_ facts: PostgresRow) throws -> TargetDiagnosis.Check {
    check("writable", try facts.bool("writable"), "a primary that accepts writes", fix: "point the url at the primary")
  }

  private func diagnose(
    _ table: LoadTable, role: String, in session: PostgresConnection
  ) async throws -> TargetDiagnosis.Check {
    let name = TableName(table.schema, table.table)
    let facts = try await session.query(DiagnosisSQL.table, [.text(name.schema), .text(name.table)])
    let exists = try facts.first?.bool("exists") ?? false
    let ok = try facts.first?.bool(exists ? "may_write" : "may_create") ?? false
    let detail = exists ? "exists" : "will be created"
    return check("table \(name)", ok, detail, fix: Self.grants(of: table, role: role).joined(separator: "; "))
  }

  /// The least that loading needs. The two schemas belong to the role or are granted to it; the rest is per table.
  ///
  /// Ending the sessions of a hung worker needs nothing: a role may always end its own.
  static func grants(database: String, role: String, tables: [LoadTable]) -> String {
    var lines = [
      "grant connect, temporary on database \(quoteIdentifier(database)) to \(quoteIdentifier(role));",
      "create schema if not exists sluice_ledger authorization \(quoteIdentifier(role));",
    ]
    var seen: Set<String> = []
    for table in tables {
      for line in grants(of: table, role: role) where seen.insert(line).inserted { lines.append(line + ";") }
    }
    return lines.joined(separator: "\n")
  }

  private static func grants(of table: LoadTable, role: String) -> [String] {
    let name = TableName(table.schema, table.table)
    return [
      "create schema if not exists \(quoteIdentifier(table.schema))",
      "grant usage, create on schema \(quoteIdentifier(table.schema)) to \(quoteIdentifier(role))",
      "grant select, insert, update, delete on \(name.sql) to \(quoteIdentifier(role))",
    ]
  }
}

enum DiagnosisSQL {
  static let database = SQLStatement(
    name: "target_diagnose",
    text: """
      select current_user as role, current_database() as database, current_setting('server_version') as version,
        current_setting('server_version_num')::integer as version_number,
        not pg_is_in_recovery() and current_setting('default_transaction_read_only') = 'off' as writable,
        case when to_regnamespace('sluice_ledger') is null then has_database_privilege(current_database(), 'create')
             else has_schema_privilege('sluice_ledger', 'usage') and has_schema_privilege('sluice_ledger', 'create')
        end as ledger
      """)

  /// By the catalogs alone: `to_regclass` fails where the role may not use the schema, which is what is asked here.
  static let table = SQLStatement(
    name: "target_diagnose_table",
    text: """
      select c.oid is not null as exists,
        coalesce(has_schema_privilege(n.oid, 'usage')
          and has_table_privilege(c.oid, 'select') and has_table_privilege(c.oid, 'insert')
          and has_table_privilege(c.oid, 'update') and has_table_privilege(c.oid, 'delete'), false) as may_write,
        case when n.oid is null then has_database_privilege(current_database(), 'create')
             else has_schema_privilege(n.oid, 'usage') and has_schema_privilege(n.oid, 'create') end as may_create
      from (values ($1, $2)) as wanted (schema, name)
      left join pg_namespace n on n.nspname = wanted.schema
      left join pg_class c on c.relnamespace = n.oid and c.relname = wanted.name
      """)
}
