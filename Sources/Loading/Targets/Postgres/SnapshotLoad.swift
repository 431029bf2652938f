import DuckDB
import JobModel
import PipelineDefinition
import Postgres

/// One snapshot on its way into one table: check, stage, apply, drop.
struct SnapshotLoad: Sendable {
  let target: PostgresTarget
  let load: TableLoad
  let snapshot: SnapshotToLoad
  let ledger: TargetLedger
  let hooks: LoadHooks

  private var key: [String] { load.table.key.isEmpty ? snapshot.key : load.table.key }
  private var name: TableName { TableName(load.table.schema, load.table.table) }
  /// Only a full snapshot says what is gone.
  private var comparesForDeletes: Bool { load.table.mode == .merge && load.table.deletes != nil && snapshot.isFull }

  func run(in session: PostgresConnection) async throws -> LoadedSnapshot {
    try checkSnapshot()
    let table = try await ensureTable(in: session)
    let columns = try fit(table)

    let staging = StagingTable(ledger: ledger, snapshot: snapshot, columns: columns)
    if try await append(to: table, columns, in: session) {
      return try await end(staging, table, columns, .appended, in: session)
    }
    if let copy = try await straightCopy(into: table, columns, staging, in: session) {
      do {
        return try await end(staging, table, columns, .straight(copy), in: session)
      } catch {
        guard let reason = copy.reasonToStage(after: error) else { throw error }
        try await hooks.event(
          "staged_instead",
          "target \(target.name), table \(name): snapshot \(snapshot.uuid) goes through a staging table, because \(reason)"
        )
      }
    }
    try await staging.prepare(in: session)
    try await stage(staging, in: session)
    // The comparison for deletes joins the two tables; without statistics it is planned for an empty one.
    if comparesForDeletes { try await session.execute("analyze \(staging.sql)") }
    return try await end(staging, table, columns, .staged, in: session)
  }

  /// The final transaction and what comes after it.
  private func end(
    _ staging: StagingTable, _ table: TargetTable, _ columns: [ColumnMapping], _ rows: FinalTransaction.Rows,
    in session: PostgresConnection
  ) async throws -> LoadedSnapshot {
    try await hooks.reached(.loadBeforeFinal)
    do {
      let entry = try await apply(staging, table, columns, rows, in: session)
      try await finish(staging, in: session)
      return entry
    } catch let error as PostgresError where error.kind == .commitUnknown {
      return try await target.withConnection(ledger.loader) { session in
        let entry = try await askLedger(else: error, in: session)
        try await finish(staging, in: session)
        return entry
      }
    }
  }

  /// nil where the rows have to be staged: also where an earlier attempt began to.
  private func straightCopy(
    into table: TargetTable, _ columns: [ColumnMapping], _ staging: StagingTable, in session: PostgresConnection
  ) async throws -> StraightCopy? {
    guard !comparesForDeletes,
      let copy = try StraightCopy(snapshot, into: table, columns, load.table, key: key, target: target, hooks: hooks),
      try await !staging.isBegun(in: session)
    else { return nil }
    guard load.table.mode == .merge else { return copy }
    // There is nothing to compare with in an empty table; what others put in until the COPY is noticed by the key's index.
    let first = SQLStatement(name: "target_first_row", text: "select from \(name.sql) limit 1")
    return try await session.query(first, []).isEmpty ? copy : nil
  }

  /// Checks that the table takes the snapshot: makes it in a transaction that is rolled back where there is none.
  func preview(in session: PostgresConnection) async throws {
    try checkSnapshot()
    do {
      try await session.transaction { transaction in
        if try await table(in: transaction) == nil {
          try await TargetTable.create(name, for: load, like: snapshot, key: key, in: transaction)
        }
        if let table = try await table(in: transaction) { _ = try fit(table) }
        throw Previewed()
      }
    } catch is Previewed {}
  }

  private struct Previewed: Error {}

  private func fit(_ table: TargetTable) throws -> [ColumnMapping] {
    let columns = try table.mappings(snapshot, of: load.table, target: target.name)
    try table.requireNoRules(for: load.table, replaces: !snapshot.replaces.isEmpty, target: target.name)
    if load.table.mode == .merge { try table.requireUniqueKey(key, target: target.name) }
    return columns
  }

  private func table(in session: some PostgresSession) async throws -> TargetTable? {
    try await TargetTable.read(name, target: target.name, in: session)
  }

  private func finish(_ staging: StagingTable, in session: PostgresConnection) async throws {
    try await hooks.reached(.loadCommitted)
    try await StagingTable.drop(staging.name, snapshot: snapshot.uuid, of: ledger, in: session)
  }

  private func checkSnapshot() throws {
    let place = "target \(target.name), table \(name)"
    if load.table.mode == .merge, key.isEmpty {
      throw StageFailure(
        code: "key_missing",
        message: "\(place): merge needs a key, and neither the table nor dataset \(snapshot.dataset) has one",
        hint: "add key: [COLUMN] to the table")
    }
    if let column = key.first(where: { name in !snapshot.columns.contains { $0.name.isExactly(name) } }),
      load.table.mode == .merge
    {
      throw StageFailure(
        code: "key_missing", message: "\(place): the key column \(column) is not in dataset \(snapshot.dataset)",
        hint: "add it to the dataset, or change the table's key")
    }
    if load.table.mode == .replace, !snapshot.isFull {
      throw StageFailure(
        code: "replace_needs_full",
        message:
          "\(place): dataset \(snapshot.dataset) is incremental: replacing the table by one of its snapshots would "
          + "lose the others",
        hint: "use mode: merge with a key, or mode: append")
    }
    if snapshot.isFull, snapshot.rows == 0, load.table.mode == .replace || load.table.deletes != nil {
      throw StageFailure(
        code: "full_snapshot_empty",
        message:
          "\(place): the full snapshot \(snapshot.uuid) of dataset \(snapshot.dataset) has no rows, so every row of "
          + "the table would go",
        hint: "if the source is really empty, empty the table by hand; otherwise fix the source and run again")
    }
  }

  private func ensureTable(in session: PostgresConnection) async throws -> TargetTable {
    if let table = try await table(in: session) { return table }
    try await session.transaction { transaction in
      try await TargetTable.create(name, for: load, like: snapshot, key: key, in: transaction)
    }
    guard let table = try await table(in: session) else {
      throw StageFailure(
        code: "target_changed", message: "target \(target.name): table \(name) was created and is gone again",
        hint: "another program drops it", isTransient: true)
    }
    return table
  }

  /// Appends the pieces that are not in yet, where the definition says `apply: per_chunk`, or did when the snapshot was begun.
  ///
  /// - Returns: Whether the rows are in the table.
  private func append(
    to table: TargetTable, _ columns: [ColumnMapping], in session: PostgresConnection
  ) async throws -> Bool {
    guard load.table.mode == .append, snapshot.replaces.isEmpty else { return false }
    let done = try await ledger.pieces(of: snapshot, in: session)
    guard load.table.apply == .perChunk || !done.isEmpty else { return false }
    // Asked before the first rows are visible.
    _ = try await FinalTransaction.repeatedBatches(of: snapshot, in: table, ledger, session)
    let pieces = AppendedPieces(snapshot, into: table, columns, ledger, target: target, hooks: hooks)
    try await eachPiece(butFor: Set(done.keys), note: pieces.copy.note) { piece, session in
      try await pieces.run(piece, in: session)
    }
    return true
  }

  /// Stages the pieces that are not staged yet.
  private func stage(_ staging: StagingTable, in session: PostgresConnection) async throws {
    let staged = try await staging.stagedChunks(in: session)
    let pieces = StagedPieces(staging, target: target, hooks: hooks)
    try await eachPiece(butFor: Set(staged.keys), note: pieces.copy.note) { piece, session in
      try await pieces.run(piece, in: session)
    }
  }

  /// Does what is left of the snapshot's pieces, several at once, each stream over its own connection.
  private func eachPiece(
    butFor done: Set<Int>, note: String,
    _ body: @escaping @Sendable (LoadPiece, PostgresConnection) async throws -> Void
  ) async throws {
    let pieces = snapshot.pieces
    hooks.progress(LoadProgress(plannedChunks: pieces.count, note: note))
    for piece in pieces where done.contains(piece.number) {
      hooks.progress(LoadProgress(rows: piece.rows, chunks: 1, note: note))
    }
    let missing = pieces.filter { !done.contains($0.number) }
    let queue = LoadPieces(missing)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<min(target.streams, missing.count) {
        group.addTask {
          try await target.withConnection(ledger.loader) { session in
            while let piece = queue.next() {
              try Task.checkCancellation()
              try await body(piece, session)
              try await hooks.reached(.loadChunkStaged)
            }
          }
        }
      }
      try await group.waitForAll()
    }
  }

  private func apply(
    _ staging: StagingTable, _ table: TargetTable, _ columns: [ColumnMapping],
    _ rows: FinalTransaction.Rows, in session: PostgresConnection
  ) async throws -> LoadedSnapshot {
    let sql = ApplySQL(
      table: table, staging: staging.sql, columns: columns, key: key,
      // A full snapshot is the source as it is now, whatever its cursors say.
      cursorField: snapshot.isFull ? nil : snapshot.cursorField, textCursor: snapshot.textCursor,
      deletes: load.table.deletes?.kind,
      replaces: snapshot.replaces,
      markedBy: snapshot.replaces.isEmpty ? nil : snapshot.key.first { !snapshot.replaces.contains($0) })
    var mayDelete = comparesForDeletes
    var kept: String?
    if comparesForDeletes {
      switch snapshot.quarantinedKeys {
      case .none: break
      case .unreadable: mayDelete = false
      case .file(let path):
        kept = try await copyKept(path, sql, columns, in: session)
        mayDelete = kept != nil
      }
      if !mayDelete {
        try await hooks.event(
          "deletes_left_out",
          "target \(target.name), table \(name): nothing was deleted for snapshot \(snapshot.uuid), because a row in "
            + "quarantine has no readable key and might be any of the missing ones")
      }
    }
    hooks.progress(LoadProgress(note: "applying \(name)"))
    let final = FinalTransaction(
      ledger: ledger, staging: staging, table: table, definition: load.table, sql: sql, kept: kept,
      mayDelete: mayDelete, rows: rows, hooks: hooks)
    do {
      let entry = try await hooks.waiting(for: .target) { try await final.run(in: session) }
      if let kept { try await session.execute("drop table \(kept)") }
      return entry
    } catch let error as StageFailure where error.code == StagingTable.rowsDiffer {
      // What is staged cannot be trusted; the next attempt stages it again.
      try await StagingTable.drop(staging.name, snapshot: snapshot.uuid, of: ledger, in: session)
      throw error
    }
  }

  /// The reply to COMMIT was lost with its session: only the ledger knows. Its head stays locked until the lost
  /// transaction has ended.
  private func askLedger(else error: PostgresError, in session: PostgresConnection) async throws -> LoadedSnapshot {
    try await session.transaction { transaction in
      try await ledger.lockHead(in: transaction)
      guard var entry = try await ledger.entries(of: [snapshot.uuid], in: transaction)[snapshot.uuid] else {
        throw error
      }
      entry.isNew = true
      return entry
    }
  }

  /// Copies the keys in quarantine into a temporary table of this session.
  ///
  /// - Returns: The table; nil when a key is null or no value of its column's type: it cannot be read then.
  private func copyKept(
    _ path: String, _ sql: ApplySQL, _ columns: [ColumnMapping], in session: PostgresConnection
  ) async throws -> String? {
    let select = QuarantineFile.selectKeys(key, path: path)
    let place = DuckDBPlace(
      directory: target.directory, files: [path, PieceCopy.output], extensions: ["postgres_scanner"],
      keepsInsertionOrder: false)
    let values = key.compactMap { name in columns.first { $0.name.isExactly(name) } }.map { column in
      "try_cast(\(quoteIdentifier(column.name)) as \(column.dataset.duckType ?? "VARCHAR"))"
    }
    let isUnreadable = values.map { "\($0) is null" }.joined(separator: " or ")
    let unreadable = try await target.duckDB.query(
      "select count(*) as n from (\(select)) as kept where \(isUnreadable)", in: place, limits: target.limits)
    guard unreadable.rows.first?["n"]?.int == 0 else { return nil }

    let kept = "pg_temp.sluice_kept_keys"
    try await session.execute("drop table if exists \(kept); \(sql.createKept(kept))")
    let script = """
      copy (select \(values.joined(separator: ", ")) from (\(select)) as kept)
      to '\(PieceCopy.output)' (format postgres_binary, use_tmp_file false)
      """
    _ = try await target.duckDB.withStream(of: script, in: place, limits: target.limits) { bytes in
      try await session.copyIn("copy \(kept) from stdin (format binary)", from: bytes)
    }
    return kept
  }
}
