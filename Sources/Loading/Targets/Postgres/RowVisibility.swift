import JobModel
import Postgres

/// What a load has to do with all rows of a table, and row-level security can keep from some of them without an error.
enum RowAccess: Sendable {
  case read
  /// By a condition, so the rows are read too.
  case delete
  /// By a condition, as a soft delete is.
  case update

  /// As `pg_policy` has them.
  fileprivate var commands: [String] {
    switch self {
    case .read: ["r"]
    case .delete: ["r", "d"]
    case .update: ["r", "w"]
    }
  }

  fileprivate static let names = ["r": "select", "d": "delete", "w": "update"]
}

/// Where row-level security hides rows, what a load counts is a lower bound: enough to say that rows are there, not that they are gone.
extension TargetLedger {
  /// Refuses to go on where rows that were not found, or not deleted, may be hidden from the role.
  ///
  /// Called only where a count says that rows are missing, or where one row more would change the decision.
  ///
  /// - Parameter otherWay: What the hint names as well.
  /// - Throws: ``StageFailure`` `target_rows_hidden`, with the statements that show the rows.
  func requireAllRows(
    _ name: TableName, to access: RowAccess, or otherWay: String? = nil, in session: some PostgresSession
  ) async throws {
    guard let hidden = try await hiddenRows(name, from: access, in: session) else { return }
    let what =
      switch access {
      case .read: "hide rows of table \(name) from role \(hidden.role), so it cannot be told which rows are in"
      case .delete:
        "keep rows of table \(name) from a DELETE by role \(hidden.role), so rows that have to go would stay"
      case .update: "keep rows of table \(name) from an UPDATE by role \(hidden.role), so they would stay as they are"
      }
    throw StageFailure(
      code: "target_rows_hidden", message: "target \(target): row-level security can \(what)",
      hint: "\(hidden.fix); then run again\(otherWay.map { "; or \($0)" } ?? "")")
  }

  /// Whether the role may lack rows of the table; false where it has none at all.
  func hidesRows(_ name: TableName, from access: RowAccess, in session: some PostgresSession) async throws -> Bool {
    try await hiddenRows(name, from: access, in: session) != nil
  }

  private func hiddenRows(
    _ name: TableName, from access: RowAccess, in session: some PostgresSession
  ) async throws -> (role: String, fix: String)? {
    let row = try await session.query(VisibilitySQL.hidden, [.text(name.sql), .texts(access.commands)]).first
    guard let row else { return nil }
    let role = try row.string("role")
    let bypass = "alter role \(quoteIdentifier(role)) bypassrls"
    if let policy = try row.optionalString("restrictive") {
      return (role, "change the restrictive policy \(quoteIdentifier(policy)); or: \(bypass)")
    }
    let policies = access.commands.compactMap { RowAccess.names[$0] }.map { command in
      "create policy \(quoteIdentifier("sluice_\(command)_\(role)")) on \(name.sql) for \(command) to \(quoteIdentifier(role)) using (true)"
    }
    return (role, "let the role have all rows: \(policies.joined(separator: "; ")); or: \(bypass)")
  }
}

enum VisibilitySQL {
  /// A row where policies of table $1 can keep rows from the commands $2 of this role. A policy `using (true)` shows all rows. A table
  /// without a byte, in all of its partitions, has no row to hide. Reads the catalog only.
  static let hidden = SQLStatement(
    name: "visibility_hidden",
    text: """
      with recursive tree as (
        select c.oid, c.relkind from pg_class c where c.oid = to_regclass($1)
        union
        select c.oid, c.relkind from tree t join pg_inherits i on i.inhparent = t.oid join pg_class c on c.oid = i.inhrelid
      ), policy as (
        select w.command, p.polname, p.polpermissive, pg_get_expr(p.polqual, p.polrelid) as condition
        from unnest($2::text[]) as w (command)
        left join pg_policy p on p.polrelid = to_regclass($1) and p.polcmd in ('*', w.command::"char")
          and (0::oid = any(p.polroles)
            or exists (select from unnest(p.polroles) r where pg_has_role(current_user, r, 'usage')))
      ), verdict as (
        select command, coalesce(bool_or(polpermissive and condition = 'true'), false) as shows_all,
          min(polname::text) filter (where not polpermissive and condition <> 'true') as restrictive
        from policy group by command
      )
      select current_user::text as role, min(restrictive) as restrictive
      from verdict
      where row_security_active(to_regclass($1)::oid)
        and exists (select from tree t where t.relkind = 'f' or pg_relation_size(t.oid) > 0)
      having bool_or(not shows_all or restrictive is not null)
      """)
}
