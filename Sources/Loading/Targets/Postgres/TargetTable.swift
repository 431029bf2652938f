import JobModel
import PipelineDefinition
import Postgres

/// A table of the target as it is, and how the columns of a snapshot go into it.
struct TargetTable: Sendable {
  struct Column: Sendable, Equatable {
    /// The type that stores; of a domain its base type.
    var type: PostgresType
    /// As `format_type` writes it, schema and all: for casts.
    var sqlType: String
    var isEnum: Bool
    /// As SQL, where it is not the database's: a comparison with a staged text has to name it.
    var collation: String?
    var isNotNull: Bool
    var hasDefault: Bool
    var isGenerated: Bool
    var isIdentity: Bool
  }

  static let batch = "_sluice_batch"
  static let deletedAt = "_sluice_deleted_at"

  let name: TableName
  let isPartitioned: Bool
  /// Whether COPY puts the rows in that INSERT would, and counts them: without triggers that change or drop rows, rules, row-level
  /// security and foreign partitions.
  let takesCopy: Bool
  let rules: TargetRules
  let guards: TargetGuards
  /// Whether other tables inherit from it. The key's index does not have their rows.
  let hasChildren: Bool
  let columns: [ExactText: Column]
  /// Column sets of the indexes that `on conflict` can use.
  let uniqueKeys: [Set<ExactText>]

  var hasBatch: Bool { columns[ExactText(Self.batch)] != nil }

  /// Reads the table; nil when there is none.
  ///
  /// - Throws: ``StageFailure`` `target_not_a_table` for a view or a foreign table.
  static func read(_ name: TableName, target: String, in session: some PostgresSession) async throws -> TargetTable? {
    guard let relation = try await session.query(TargetTableSQL.relation, [.text(name.sql)]).first else { return nil }
    let kind = try relation.string("relkind")
    guard kind == "r" || kind == "p" else {
      throw StageFailure(
        code: "target_not_a_table", message: "target \(target): \(name) is not a table",
        hint: "name a table, or drop \(name) so that it is created")
    }
    let oid = PostgresValue.int(try relation.int("oid"))
    var columns: [ExactText: Column] = [:]
    for row in try await session.query(TargetTableSQL.columns, [oid]) {
      columns[ExactText(try row.string("name"))] = Column(
        type: PostgresType(try row.string("type")), sqlType: try row.string("sql_type"),
        isEnum: try row.bool("is_enum"), collation: try row.optionalString("collation"),
        isNotNull: try row.bool("is_not_null"), hasDefault: try row.bool("has_default"),
        isGenerated: try row.bool("is_generated"), isIdentity: try row.bool("is_identity"))
    }
    var keys: [Int64: Set<ExactText>] = [:]
    for row in try await session.query(TargetTableSQL.uniqueKeys, [oid]) {
      keys[try row.int("index"), default: []].insert(ExactText(try row.string("name")))
    }
    return TargetTable(
      name: name, isPartitioned: kind == "p", takesCopy: try relation.bool("takes_copy"),
      rules: TargetRules(
        insert: try relation.optionalString("insert_rule"), delete: try relation.optionalString("delete_rule"),
        merge: try relation.optionalString("merge_rule")),
      guards: TargetGuards(
        hasRowSecurity: try relation.bool("has_row_security"),
        insertTrigger: try relation.optionalString("insert_trigger"),
        updateTrigger: try relation.optionalString("update_trigger"),
        deleteTrigger: try relation.optionalString("delete_trigger")),
      hasChildren: try relation.bool("has_children"), columns: columns, uniqueKeys: Array(keys.values))
  }
}

/// Rewrite rules on a table that a load cannot work with, by name.
struct TargetRules: Sendable {
  /// Does something else in place of an INSERT.
  var insert: String?
  /// Does something else in place of a DELETE.
  var delete: String?
  /// On INSERT or UPDATE, with which PostgreSQL has no ON CONFLICT.
  var merge: String?
}

/// What can leave rows out of a statement without an error.
struct TargetGuards: Sendable {
  /// Whether policies hold for this role.
  var hasRowSecurity = false
  /// Triggers BEFORE the change of a row, by name: one that returns null keeps the row as it is.
  var insertTrigger: String?
  var updateTrigger: String?
  var deleteTrigger: String?
}

/// A table's two names.
struct TableName: Sendable, Hashable, CustomStringConvertible {
  var schema: String
  var table: String

  init(_ schema: String, _ table: String) {
    self.schema = schema
    self.table = table
  }

  /// For people, and the ledger's key.
  var description: String { "\(schema).\(table)" }
  var sql: String { "\(quoteIdentifier(schema)).\(quoteIdentifier(table))" }
}

enum TargetTableSQL {
  /// The table, with what stands against a COPY into it, and what can leave rows out: on itself, and for triggers also on the tables
  /// below it. Bits of a trigger: 1 each row, 2 before, 4 INSERT, 8 DELETE, 16 UPDATE.
  static let relation = SQLStatement(
    name: "target_relation",
    text: """
      with recursive tree as (
        select to_regclass($1)::oid as oid
        union select i.inhrelid from tree join pg_inherits i on i.inhparent = tree.oid
      ), before as (
        select g.tgname::text as name, g.tgtype as bits from pg_trigger g join tree t on t.oid = g.tgrelid
        where not g.tgisinternal and g.tgenabled <> 'D' and g.tgtype & 3 = 3
      )
      select c.oid::bigint as oid, c.relkind::text as relkind,
        not row_security_active(c.oid)
          and not exists (select from pg_rewrite r where r.ev_class = c.oid and r.ev_type = '3' and r.ev_enabled <> 'D')
          and not exists (select from pg_trigger g join tree t on t.oid = g.tgrelid
            where not g.tgisinternal and g.tgenabled <> 'D' and g.tgtype & 4 <> 0)
          and not exists (select from pg_class p join tree t on t.oid = p.oid where p.relkind = 'f') as takes_copy,
        (select min(r.rulename) from pg_rewrite r where r.ev_class = c.oid and r.ev_type = '3'
           and r.ev_enabled <> 'D' and r.is_instead)::text as insert_rule,
        (select min(r.rulename) from pg_rewrite r where r.ev_class = c.oid and r.ev_type = '4'
           and r.ev_enabled <> 'D' and r.is_instead)::text as delete_rule,
        (select min(r.rulename) from pg_rewrite r where r.ev_class = c.oid and r.ev_type in ('2', '3')
           and r.ev_enabled <> 'D')::text as merge_rule,
        row_security_active(c.oid) as has_row_security,
        (select min(name) from before where bits & 4 <> 0) as insert_trigger,
        (select min(name) from before where bits & 16 <> 0) as update_trigger,
        (select min(name) from before where bits & 8 <> 0) as delete_trigger,
        c.relkind = 'r' and exists (select from pg_inherits i where i.inhparent = c.oid) as has_children
      from pg_class c where c.oid = to_regclass($1)
      """)

  /// Columns with the type that stores them: a domain is looked through, once.
  static let columns = SQLStatement(
    name: "target_columns",
    text: """
      select a.attname as name, format_type(a.atttypid, a.atttypmod) as sql_type,
        case when t.typtype = 'd' then format_type(t.typbasetype, t.typtypmod)
             else format_type(a.atttypid, a.atttypmod) end as type,
        coalesce(b.typtype, t.typtype) = 'e' as is_enum,
        (select quote_ident(n.nspname) || '.' || quote_ident(l.collname)
          from pg_collation l join pg_namespace n on n.oid = l.collnamespace
          where l.oid = a.attcollation and l.oid <> 'pg_catalog."default"'::regcollation) as collation,
        a.attnotnull or t.typnotnull as is_not_null,
        a.atthasdef or a.attidentity <> '' or t.typdefault is not null as has_default,
        a.attgenerated <> '' or a.attidentity = 'a' as is_generated, a.attidentity = 'a' as is_identity
      from pg_attribute a
      join pg_type t on t.oid = a.atttypid
      left join pg_type b on b.oid = t.typbasetype
      where a.attrelid = $1::bigint::oid and a.attnum > 0 and not a.attisdropped
      """)

  /// Unique indexes that `on conflict (columns)` infers: whole, valid, immediate, of plain columns.
  static let uniqueKeys = SQLStatement(
    name: "target_unique_keys",
    text: """
      select i.indexrelid::bigint as index, a.attname as name
      from pg_index i
      cross join lateral unnest(i.indkey::smallint[]) with ordinality as k (attnum, position)
      join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
      where i.indrelid = $1::bigint::oid and i.indisunique and i.indisvalid and i.indimmediate and i.indpred is null
        and i.indexprs is null and k.position <= i.indnkeyatts
      """)
}
