import JobModel
import PipelineDefinition
import Postgres

/// What the ledger remembers of a table, so that the next load notices what others did to it.
struct TableMark: Sendable, Equatable {
  /// The last snapshot that the ledger has together with all before it; nil: not known.
  var through: String?
  var identity: TableIdentity?
  /// Rows that loads put in and did not take out again: the table has at least so many unless others deleted some.
  var kept: Int64 = 0
  /// The reload that last had the table's ledger rows forgotten: its own number, or its job's.
  var reload: Int64?

  /// The rows that the table has at least after one more load.
  func kept(inserted: Int64, deleted: Int64, by table: LoadTable) -> Int64 {
    switch table.mode {
    case .replace: inserted
    case .append: max(0, kept + inserted - deleted)
    case .merge: max(0, kept + inserted - (table.deletes?.kind == .soft ? 0 : deleted))
    }
  }
}

/// Which table it is, in PostgreSQL's own numbers.
struct TableIdentity: Sendable, Equatable {
  /// Another one after DROP and CREATE, also by a restore.
  var relation: Int64
  /// Another one after TRUNCATE, and after VACUUM FULL and other rewrites that keep the rows. Zero in a partitioned table.
  var filenode: Int64
  /// The relation in which the mark is. Where this is another one too, the ledger was restored together with the table.
  var ledger: Int64
}

/// How a table that exists compares with its mark.
enum TableComparison: Sendable, Equatable {
  /// The same table and storage: only whether it is empty is asked.
  case same
  /// Rewritten, truncated, or restored together with its ledger: its rows are counted, once.
  case moved
  /// Another table, while the ledger is the same.
  case replaced

  init(_ seen: TableIdentity, marked: TableIdentity?) {
    guard let marked, seen != marked else {
      self = .same
      return
    }
    if seen.relation != marked.relation, seen.ledger == marked.ledger {
      self = .replaced
    } else {
      self = seen.relation == marked.relation && seen.filenode == marked.filenode ? .same : .moved
    }
  }
}

enum MarkSQL {
  static let read = SQLStatement(
    name: "mark_read",
    text: """
      select through::text as through, relation, filenode, ledger, kept, reload from sluice_ledger.mark
      where installation = $1 and environment = $2 and pipeline = $3 and table_name = $4
      """)

  /// The time never goes back, also where the server's clock does: loads that are later than the mark are not in it.
  static let write = SQLStatement(
    name: "mark_write",
    text: """
      insert into sluice_ledger.mark as m
        (installation, environment, pipeline, table_name, through, relation, filenode, ledger, kept, reload)
      values ($1, $2, $3, $4, $5::uuid, $6::bigint, $7::bigint, $8::bigint, $9::bigint, $10::bigint)
      on conflict (installation, environment, pipeline, table_name) do update
        set through = excluded.through, relation = excluded.relation, filenode = excluded.filenode,
          ledger = excluded.ledger, kept = excluded.kept, reload = excluded.reload,
          at = greatest(m.at, now())
      """)

  /// The identity of table $1, which is in quotes; no row where there is none.
  static let identity = SQLStatement(
    name: "mark_identity",
    text: """
      select c.oid::bigint as relation, c.relfilenode::bigint as filenode,
        'sluice_ledger.mark'::regclass::oid::bigint as ledger
      from pg_class c where c.oid = to_regclass($1)
      """)

  /// For a table that an earlier release loaded: how many rows its loads put in, less those that they took out.
  static let loadedRows = SQLStatement(
    name: "mark_loaded_rows",
    text: """
      select coalesce(sum(inserted - deleted), 0)::bigint as kept, coalesce(sum(rows), 0)::bigint as rows
      from sluice_ledger.ledger
      where installation = $1 and environment = $2 and pipeline = $3 and table_name = $4 and status = 'loaded'
        and chunk = -1
      """)

  /// Whether the ledger has a load that is later than the mark. Index: ledger_loads_idx.
  static let isBehind = SQLStatement(
    name: "mark_is_behind",
    text: """
      select coalesce(m.at < (
        select max(l.at) from sluice_ledger.ledger l
        where l.installation = $1 and l.environment = $2 and l.pipeline = $3 and l.table_name = $4
          and l.status = 'loaded' and l.chunk = -1), false) as behind
      from sluice_ledger.mark m
      where m.installation = $1 and m.environment = $2 and m.pipeline = $3 and m.table_name = $4
      """)

  /// What engines that keep no mark have loaded since it was written. An engine that keeps it writes both in one transaction, at one time.
  static let loadsWithoutMark = SQLStatement(
    name: "mark_loads_without",
    text: """
      select l.inserted, l.deleted
      from sluice_ledger.mark m
      join sluice_ledger.ledger l using (installation, environment, pipeline, table_name)
      where m.installation = $1 and m.environment = $2 and m.pipeline = $3 and m.table_name = $4
        and l.status = 'loaded' and l.chunk = -1 and l.at > m.at
      order by l.at, l.number
      """)

  /// The ledger's rows so far are in the mark.
  static let touch = SQLStatement(
    name: "mark_touch",
    text: """
      update sluice_ledger.mark set at = greatest(at, now())
      where installation = $1 and environment = $2 and pipeline = $3 and table_name = $4
      """)

  /// The table is $6 to $8, and has $5 rows more.
  static let add = SQLStatement(
    name: "mark_add",
    text: """
      update sluice_ledger.mark
      set kept = kept + $5::bigint, relation = $6::bigint, filenode = $7::bigint, ledger = $8::bigint,
        at = greatest(at, now())
      where installation = $1 and environment = $2 and pipeline = $3 and table_name = $4
      """)
}

extension TargetLedger {
  func mark(in session: some PostgresSession) async throws -> TableMark? {
    guard let row = try await session.query(MarkSQL.read, key).first else { return nil }
    var identity: TableIdentity?
    if let relation = try row.optionalInt("relation") {
      identity = TableIdentity(
        relation: relation, filenode: try row.int("filenode"), ledger: try row.int("ledger"))
    }
    return TableMark(
      through: try row.optionalString("through"), identity: identity, kept: try row.int("kept"),
      reload: try row.optionalInt("reload"))
  }

  /// The mark with what an older engine, which keeps none, has loaded and deleted since it was written.
  func caughtUpMark(_ table: LoadTable, in session: PostgresConnection) async throws -> TableMark? {
    let isBehind = try await session.query(MarkSQL.isBehind, key).first?.bool("behind") ?? false
    guard isBehind else { return try await mark(in: session) }
    return try await session.transaction { transaction in
      try await lockHead(in: transaction)
      guard var mark = try await mark(in: transaction) else { return nil }
      for row in try await transaction.query(MarkSQL.loadsWithoutMark, key) {
        mark.kept = mark.kept(inserted: try row.int("inserted"), deleted: try row.int("deleted"), by: table)
      }
      try await write(mark, in: transaction)
      return mark
    }
  }

  /// The caller holds the head's lock.
  func write(_ mark: TableMark, in transaction: PostgresTransaction) async throws {
    try await transaction.query(
      MarkSQL.write,
      key + [
        .optional(mark.through), .optional(mark.identity?.relation), .optional(mark.identity?.filenode),
        .optional(mark.identity?.ledger), .int(mark.kept), .optional(mark.reload),
      ])
  }

  /// Locks the table against TRUNCATE and DROP until the transaction ends, and refuses it where one came during the load. After a
  /// rewrite that kept the rows, such as VACUUM FULL, they are counted.
  ///
  /// - Returns: The mark, with the identity of the table as it is.
  func hold(_ name: TableName, isReplaced: Bool, in transaction: PostgresTransaction) async throws -> TableMark {
    try await transaction.execute("lock table \(name.sql) in row exclusive mode")
    var mark = try await mark(in: transaction) ?? TableMark()
    let seen = try await identity(of: name, in: transaction)
    var isSame = mark.kept == 0 || seen == mark.identity || isReplaced
    if !isSame, let seen, TableComparison(seen, marked: mark.identity) == .moved {
      isSame = try await count(name, in: transaction) >= mark.kept
    }
    guard isSame else {
      throw StageFailure(
        code: "target_changed",
        message: "target \(target): table \(name) was truncated, replaced or restored during the load",
        hint: "the next attempt looks at its rows", isTransient: true)
    }
    mark.identity = seen
    return mark
  }

  /// Notes rows that were added to the table. It locks the mark until the transaction ends, so it comes last.
  func add(_ rows: Int64, to identity: TableIdentity?, in transaction: PostgresTransaction) async throws {
    try await transaction.query(
      MarkSQL.add,
      key + [
        .int(rows), .optional(identity?.relation), .optional(identity?.filenode), .optional(identity?.ledger),
      ])
  }

  func identity(of name: TableName, in session: some PostgresSession) async throws -> TableIdentity? {
    try await session.query(MarkSQL.identity, [.text(name.sql)]).first.map { row in
      TableIdentity(
        relation: try row.int("relation"), filenode: try row.int("filenode"), ledger: try row.int("ledger"))
    }
  }
}
