import JobModel
import PipelineDefinition
import Postgres

/// What an operator has done to a table's ledger: everything is forgotten, or a snapshot is left out.
extension TargetLedger {
  /// The command that repairs this table.
  func reload(_ options: String...) -> String {
    let quoted = "'" + table.replacing("'", with: #"'\''"#) + "'"
    var words = ["sluice reload \(loader.pipeline) --target \(target) --table \(quoted)"]
    if loader.environment != "local" { words.append("--env \(loader.environment)") }
    return (words + options).joined(separator: " ")
  }

  /// Forgets what is in the table, once for each reload, so that every visible snapshot is loaded again.
  ///
  /// Merges and replacements can be repeated over what is there. Of a table that keeps every batch, the rows of `snapshots` and of all
  /// that the ledger has are deleted: a catalog that was restored does not know them all. What was left out stays so, but for `wanted`.
  ///
  /// - Parameter forgetInCatalog: Has the catalog forget the loads too; called once the reload cannot be refused any more.
  /// - Throws: ``StageFailure`` `reload_refused` where the rows of those snapshots cannot be told from others, `target_rule`,
  ///   `target_rows_hidden`; nothing is changed then.
  func forget(
    _ name: TableName, mode: LoadTable.Mode, snapshots: [String], wanted: [String], reload id: Int64,
    andCatalog forgetInCatalog: @Sendable () async throws -> Void, in session: PostgresConnection
  ) async throws {
    try await session.transaction { transaction in
      try await lockHead(in: transaction)
      if mode == .append, let table = try await TargetTable.read(name, target: target, in: transaction) {
        let loaded = try await transaction.query(RepairSQL.snapshots, key).map { try $0.string("snapshot") }
        try await deleteAllBatches(snapshots + loaded, of: table, in: transaction)
      }
      for uuid in wanted { try await transaction.query(RepairSQL.forgetSnapshot, key + [.text(uuid)]) }
      try await transaction.query(RepairSQL.forget, key)
      try await write(TableMark(reload: id), in: transaction)
      // Last, because nothing is refused from here on; before the commit, because a catalog that lags behind the ledger is told again.
      try await forgetInCatalog()
    }
  }

  private func deleteAllBatches(
    _ snapshots: [String], of table: TargetTable, in transaction: PostgresTransaction
  ) async throws {
    if table.hasBatch {
      _ = try await deleteBatches(snapshots, of: table, in: transaction)
      return
    }
    guard try await !isFilled(table.name, in: transaction) else {
      throw StageFailure(
        code: "reload_refused",
        message:
          "target \(target): without a column \(TargetTable.batch) the rows that loads appended to \(table.name) cannot be "
          + "told from others",
        hint: "empty it, and reload it then: truncate \(table.name.sql)")
    }
    try await requireAllRows(table.name, to: .read, in: transaction)
  }

  /// Takes the rows of snapshots out of a table that keeps their batch.
  ///
  /// - Throws: ``StageFailure`` `target_rule` where there are some and a rule keeps them; `target_rows_hidden` where row-level security
  ///   may keep some; `target_rows_kept` where a trigger does.
  func deleteBatches(
    _ snapshots: [String], of table: TargetTable, in transaction: PostgresTransaction
  ) async throws -> Int64 {
    try await requireAllRows(table.name, to: .delete, in: transaction)
    let rows = "from \(table.name.sql) where \(quoteIdentifier(TargetTable.batch)) = any($1::uuid[])"
    if table.rules.delete != nil {
      let any = SQLStatement(name: "repair_any_of_batches", text: "select \(rows) limit 1")
      if try await !transaction.query(any, [.texts(snapshots)]).isEmpty { try table.requireDeletes(target: target) }
    }
    let deleted = try await transaction.query(
      SQLStatement(name: "repair_delete_batches", text: "delete \(rows)"), [.texts(snapshots)])
    try await requireNoneLeft(
      SQLStatement(name: "repair_count_batches", text: "select count(*) as rows \(rows)"), [.texts(snapshots)],
      of: table,
      after: .delete, in: transaction)
    return Int64(deleted.affectedRows)
  }

  /// Reads up to the first row; a table of dead rows is read until vacuum has removed them.
  func isFilled(_ name: TableName, in session: some PostgresSession) async throws -> Bool {
    let any = SQLStatement(name: "mark_is_filled", text: "select from \(name.sql) limit 1")
    return try await !session.query(any, []).isEmpty
  }

  /// Reads the whole table.
  func count(_ name: TableName, in session: some PostgresSession) async throws -> Int64 {
    let counted = SQLStatement(name: "mark_count", text: "select count(*) as rows from \(name.sql)")
    return try await session.query(counted, []).first?.int("rows") ?? 0
  }

  /// Rows of snapshots that are in the table piece by piece, and not whole.
  func begun(in session: some PostgresSession) async throws -> [String: Int64] {
    var begun: [String: Int64] = [:]
    for row in try await session.query(RepairSQL.begun, key) {
      begun[try row.string("snapshot")] = try row.int("rows")
    }
    return begun
  }

  /// Forgets that pieces of these snapshots are in the table.
  func forgetPieces(of snapshots: [String], in transaction: PostgresTransaction) async throws {
    try await transaction.query(RepairSQL.forgetPieces, key + [.texts(snapshots)])
  }

  /// Takes the rows of a snapshot out of the table, and writes down that it is not to be loaded.
  ///
  /// - Parameters:
  ///   - listed: The snapshot; nil where the catalog does not have it.
  ///   - staysOut: Whether a reload leaves it out too. Not where its rows are in the table as those of a snapshot that only the ledger
  ///     knows: a reload takes these out.
  /// - Returns: The ledger's row, and how many rows of the snapshot may be left in the table, where they cannot be told from others.
  /// - Throws: ``StageFailure`` `leave_out_refused`, `snapshot_unknown`, `target_rows_hidden`; nothing is changed then.
  func leaveOut(
    _ uuid: String, listed: SnapshotToLoad?, staysOut: Bool, of name: TableName, mode: LoadTable.Mode,
    in session: PostgresConnection
  ) async throws -> (entry: LoadedSnapshot, staying: Int64) {
    try await session.transaction { transaction in
      try await lockHead(in: transaction)
      let entry = try await entries(of: [uuid], in: transaction)[uuid]
      let begun = try await begun(in: transaction)[uuid]
      guard entry != nil || begun != nil || listed != nil else {
        throw StageFailure(
          code: "snapshot_unknown",
          message: "target \(target): neither the dataset nor the ledger of \(name) has a snapshot \(uuid)",
          hint: "list the snapshots of each dataset: sluice catalog --json")
      }
      // Of an earlier attempt.
      if begun == nil, var entry, entry.status == .superseded {
        entry.isNew = true
        return (entry, 0)
      }
      let isLoaded = entry.map { $0.status == .loaded && $0.rows > 0 } ?? false
      var left = LoadedSnapshot(uuid: uuid, status: .superseded, isNew: true)
      var staying: Int64 = 0
      if let table = try await TargetTable.read(name, target: target, in: transaction) {
        if table.hasBatch, mode == .append || !isLoaded {
          left.deleted = try await deleteBatches([uuid], of: table, in: transaction)
        } else if isLoaded {
          throw StageFailure(
            code: "leave_out_refused",
            message:
              "target \(target): snapshot \(uuid) is in \(name) already, and its rows cannot be told from others",
            hint: "only a snapshot that is not in, or that is in a table with mode: append and a column "
              + "\(TargetTable.batch), can be left out")
        } else if let begun, begun > 0 {
          if try await isFilled(name, in: transaction) {
            left.deleted = try await deleteBegun(uuid, rows: begun, of: table, in: transaction)
            staying = begun - left.deleted
          } else {
            try await requireAllRows(name, to: .read, in: transaction)
          }
        }
      }
      try await transaction.query(RepairSQL.forgetSnapshot, key + [.text(uuid)])
      try await insertSuperseded([(uuid, listed?.number ?? 0, listed.map(Self.content) ?? "")], in: transaction)
      if staysOut { try await transaction.query(RepairSQL.noteLeftOut, key + [.text(uuid)]) }
      if var mark = try await mark(in: transaction) {
        mark.kept = max(0, mark.kept - left.deleted)
        if listed == nil, mark.through == uuid { mark.through = nil }
        if isLoaded, try await forgetRepeated(by: listed, in: transaction) { mark.through = nil }
        try await write(mark, in: transaction)
      }
      return (left, staying)
    }
  }

  /// Forgets the snapshot whose rows `snapshot` took out by repeating it, so that it is loaded again.
  private func forgetRepeated(by snapshot: SnapshotToLoad?, in transaction: PostgresTransaction) async throws -> Bool {
    guard let repeats = snapshot?.repeats, !repeats.isEmpty else { return false }
    let entries = try await entries(of: repeats, in: transaction)
    guard let last = repeats.last(where: { entries[$0]?.status == .loaded }) else { return false }
    try await transaction.query(RepairSQL.forgetSnapshot, key + [.text(last)])
    return true
  }

  /// Deletes the rows that the transactions of a snapshot's pieces wrote, each of which wrote a row of the ledger too.
  ///
  /// A restore gives rows other transaction numbers. So nothing is deleted unless exactly as many rows have them as the pieces had.
  ///
  /// - Returns: How many rows; zero where they could not be told from others.
  private func deleteBegun(
    _ uuid: String, rows: Int64, of table: TargetTable, in transaction: PostgresTransaction
  ) async throws -> Int64 {
    guard !table.isPartitioned else { return 0 }
    let isOfPieces = """
      from \(table.name.sql) where xmin::text in (
        select l.xmin::text from sluice_ledger.ledger l
        where l.installation = $1 and l.environment = $2 and l.pipeline = $3 and l.table_name = $4 and l.snapshot = $5::uuid
          and l.chunk >= 0)
      """
    let count = SQLStatement(name: "repair_count_begun", text: "select count(*) as rows \(isOfPieces)")
    let values = key + [.text(uuid)]
    guard try await transaction.query(count, values).first?.int("rows") == rows else { return 0 }
    let delete = SQLStatement(name: "repair_delete_begun", text: "delete \(isOfPieces)")
    let deleted = Int64(try await transaction.query(delete, values).affectedRows)
    try await requireNoneLeft(count, values, of: table, after: .delete, in: transaction)
    return deleted
  }
}

enum RepairSQL {
  /// All but what was left out.
  static let forget = SQLStatement(
    name: "repair_forget",
    text: """
      delete from sluice_ledger.ledger l
      where l.installation = $1 and l.environment = $2 and l.pipeline = $3 and l.table_name = $4
        and not exists (
          select from sluice_ledger.ledger o
          where o.installation = $1 and o.environment = $2 and o.pipeline = $3 and o.table_name = $4
            and o.snapshot = l.snapshot and o.chunk = -2)
      """)

  /// A second row next to that of a superseded snapshot, which a reload keeps: its chunk is -2.
  static let noteLeftOut = SQLStatement(
    name: "repair_note_left_out",
    text: """
      insert into sluice_ledger.ledger (installation, environment, pipeline, table_name, snapshot, chunk, number, ticket,
        status, rows, inserted, updated, deleted, content_hash)
      select installation, environment, pipeline, table_name, snapshot, -2, number, ticket, status, 0, 0, 0, 0, content_hash
      from sluice_ledger.ledger
      where installation = $1 and environment = $2 and pipeline = $3 and table_name = $4 and snapshot = $5::uuid and chunk = -1
      on conflict do nothing
      """)

  static let forgetSnapshot = SQLStatement(
    name: "repair_forget_snapshot",
    text: """
      delete from sluice_ledger.ledger
      where installation = $1 and environment = $2 and pipeline = $3 and table_name = $4 and snapshot = $5::uuid
      """)

  static let forgetPieces = SQLStatement(
    name: "repair_forget_pieces",
    text: """
      delete from sluice_ledger.ledger
      where installation = $1 and environment = $2 and pipeline = $3 and table_name = $4 and snapshot = any($5::uuid[])
        and chunk >= 0
      """)

  static let snapshots = SQLStatement(
    name: "repair_snapshots",
    text: """
      select distinct snapshot::text as snapshot from sluice_ledger.ledger
      where installation = $1 and environment = $2 and pipeline = $3 and table_name = $4
      """)

  /// Snapshots with pieces and without the row of the whole. Index: ledger_pieces_idx.
  static let begun = SQLStatement(
    name: "repair_begun",
    text: """
      select l.snapshot::text as snapshot, sum(l.inserted)::bigint as rows from sluice_ledger.ledger l
      where l.installation = $1 and l.environment = $2 and l.pipeline = $3 and l.table_name = $4 and l.chunk >= 0
        and not exists (
          select from sluice_ledger.ledger w
          where w.installation = $1 and w.environment = $2 and w.pipeline = $3 and w.table_name = $4
            and w.snapshot = l.snapshot and w.chunk = -1)
      group by l.snapshot
      """)
}
