import JobModel
import PipelineDefinition
import Postgres

/// The one transaction that makes a staged snapshot visible together with its ledger row.
struct FinalTransaction: Sendable {
  let ledger: TargetLedger
  let staging: StagingTable
  let table: TargetTable
  let definition: LoadTable
  let sql: ApplySQL
  /// A temporary table with the keys in quarantine; nil: there are none.
  let kept: String?
  /// Off where the keys in quarantine cannot be read.
  let mayDelete: Bool
  let rows: Rows
  let hooks: LoadHooks

  /// Where the snapshot's rows come from.
  enum Rows: Sendable {
    case staged
    /// They are in the table already, piece by piece.
    case appended
    case straight(StraightCopy)
  }

  /// The target checks deferred constraints and runs deferred triggers in the COMMIT, over all that the snapshot changed. A shorter
  /// limit would end every attempt at the same place. A COMMIT that hangs on the server ends earlier by `pg_terminate_backend`.
  private static let commitLimit = Duration.seconds(6 * 3600)

  private var snapshot: SnapshotToLoad { staging.snapshot }

  /// Locks the head, checks ticket and counts, applies, writes the ledger, commits.
  ///
  /// - Returns: The ledger's row: this call's, or the one that was there already.
  /// - Throws: ``StageFailure`` or `PostgresError`; `.commitUnknown` means that only the ledger knows.
  func run(in session: PostgresConnection) async throws -> LoadedSnapshot {
    try await session.transaction(commitWithin: Self.commitLimit) { transaction in
      // The rows and the ledger must survive a crash once the control database was told.
      try await transaction.execute("set local synchronous_commit = on")
      try await ledger.lockHead(in: transaction)
      if let entry = try await ledger.entries(of: [snapshot.uuid], in: transaction)[snapshot.uuid] { return entry }
      var mark = try await ledger.hold(table.name, isReplaced: definition.mode == .replace, in: transaction)
      switch rows {
      case .staged: try await checkStaged(in: transaction)
      case .appended: try await checkAppended(in: transaction)
      case .straight: break
      }
      var entry = LoadedSnapshot(uuid: snapshot.uuid, status: .loaded, rows: snapshot.rows, isNew: true)
      switch definition.mode {
      case .append: (entry.inserted, entry.deleted) = try await append(in: transaction)
      case .replace:
        entry.deleted = Int64(try await transaction.query(sql.deleteAll, []).affectedRows)
        try await requireDeleted(mark.kept, entry.deleted, in: transaction)
        try await ledger.requireNoneLeft(sql.countAll, of: table, after: .delete, in: transaction)
        entry.inserted = try await insert(in: transaction)
      case .merge:
        if case .straight(let copy) = rows {
          entry.inserted = try await copy.run(in: transaction)
          break
        }
        if mayDelete || !sql.replaces.isEmpty { try await requireVisible(mark.kept, in: transaction) }
        if mayDelete { entry.deleted = try await deleteGone(in: transaction) }
        if !sql.replaces.isEmpty { entry.deleted += try await deleteReplaced(in: transaction) }
        (entry.inserted, entry.updated) = try await merge(in: transaction)
      }
      mark.kept = mark.kept(
        // The rows of pieces are in the mark already.
        inserted: rows.areCounted ? 0 : entry.inserted, deleted: entry.deleted, by: definition)
      mark.through = snapshot.uuid
      try await ledger.write(mark, in: transaction)
      try await ledger.record(entry, of: snapshot, in: transaction)
      // The row of the whole says what these said: the ledger grows by a row for each load.
      if case .appended = rows { try await ledger.forgetPieces(of: [snapshot.uuid], in: transaction) }
      try await hooks.reached(.loadInsideFinal)
      return entry
    }
  }

  private func checkAppended(in transaction: PostgresTransaction) async throws {
    let pieces = try await ledger.pieces(of: snapshot, in: transaction)
    guard pieces == Dictionary(uniqueKeysWithValues: snapshot.pieces.map { ($0.number, $0.rows) }) else {
      throw StageFailure(
        code: "ledger_changed",
        message: "target \(ledger.target): the ledger has \(pieces.count) chunks of snapshot \(snapshot.uuid) in "
          + "\(table.name), the catalog has \(snapshot.pieces.count)",
        hint: "only sluice may write to schema sluice_ledger; load the table again: "
          + "sluice reload \(ledger.loader.pipeline) --target \(ledger.target) --table '\(table.name)'")
    }
  }

  private func checkStaged(in transaction: PostgresTransaction) async throws {
    let count = try await transaction.query(sql.countStaged, []).first
    try await staging.requireComplete(counted: try count?.int("rows") ?? 0, in: transaction)
    guard definition.mode == .merge else { return }
    if let nulls = try count?.int("nulls"), nulls > 0 {
      throw StageFailure(
        code: "key_null",
        message: "target \(ledger.target): \(nulls) rows of snapshot \(snapshot.uuid) have no key "
          + "(\(sql.key.joined(separator: ", "))) to merge into \(table.name) by",
        hint: "make the key columns required in dataset \(snapshot.dataset): such rows go to quarantine then")
    }
    // A dataset's own key is unique in each of its snapshots; so is every key that contains it.
    let isUnique = !snapshot.key.isEmpty && Set(snapshot.key).isSubset(of: sql.key)
    if !isUnique, try await !transaction.query(sql.repeatedKey, []).isEmpty {
      throw Self.repeatedKey(ledger, key: sql.key, dataset: snapshot.dataset)
    }
  }

  static func repeatedKey(_ ledger: TargetLedger, key: [String], dataset: String) -> StageFailure {
    StageFailure(
      code: "key_repeated",
      message:
        "target \(ledger.target): dataset \(dataset) has several rows of one key (\(key.joined(separator: ", "))), "
        + "so merging into \(ledger.table) could keep any of them",
      hint: "give the stream this key, so that the latest row wins, or make the dataset's SQL return one row a key")
  }

  /// Adds the batch, and takes out what the snapshots that it repeats put in.
  ///
  /// The batch itself cannot be in already, because the ledger would have it: so a large table is not searched for it.
  private func append(in transaction: PostgresTransaction) async throws -> (inserted: Int64, deleted: Int64) {
    let repeated = try await Self.repeatedBatches(of: snapshot, in: table, ledger, transaction)
    var deleted: Int64 = 0
    if !repeated.isEmpty {
      deleted = Int64(try await transaction.query(sql.deleteBatches, [.texts(repeated)]).affectedRows)
      let entries = try await ledger.entries(of: repeated, in: transaction)
      try await requireDeleted(entries.values.reduce(0) { $0 + $1.inserted }, deleted, in: transaction)
      try await ledger.requireNoneLeft(
        sql.countBatches, [.texts(repeated)], of: table, after: .delete, in: transaction)
    }
    return (try await insert(in: transaction), deleted)
  }

  /// Others may have deleted rows before; row-level security may have kept them, and then they would be there twice.
  private func requireDeleted(_ loaded: Int64, _ deleted: Int64, in transaction: PostgresTransaction) async throws {
    if deleted < loaded { try await ledger.requireAllRows(table.name, to: .delete, in: transaction) }
  }

  /// - Returns: The rows that the table took, now or before.
  private func insert(in transaction: PostgresTransaction) async throws -> Int64 {
    switch rows {
    case .appended: return try await ledger.insertedByPieces(of: snapshot, in: transaction)
    case .straight(let copy): return try await copy.run(in: transaction)
    case .staged:
      let hasBatch = definition.mode == .append && table.hasBatch
      let values: [PostgresValue] = hasBatch ? [.text(snapshot.uuid)] : []
      return Int64(try await transaction.query(sql.append(batch: hasBatch), values).affectedRows)
    }
  }

  /// What the snapshots put in that this one repeats.
  ///
  /// - Throws: ``StageFailure`` `append_repeat_refused` where their rows cannot be told from others, `target_rule` where they cannot be
  ///   deleted.
  static func repeatedBatches(
    of snapshot: SnapshotToLoad, in table: TargetTable, _ ledger: TargetLedger, _ session: some PostgresSession
  ) async throws -> [String] {
    guard !snapshot.repeats.isEmpty else { return [] }
    let repeated = try await ledger.entries(of: snapshot.repeats, in: session).values
      .filter { $0.status == .loaded && $0.rows > 0 }.map(\.uuid)
    guard repeated.isEmpty || table.hasBatch else {
      throw StageFailure(
        code: "append_repeat_refused",
        message: "target \(ledger.target): snapshot \(snapshot.uuid) repeats a batch that is in \(table.name), and "
          + "without a column \(TargetTable.batch) its rows cannot be told from others",
        hint: "alter table \(table.name.sql) add column \(quoteIdentifier(TargetTable.batch)) uuid; "
          + "fill it for the rows that are there; or skip the run")
    }
    if !repeated.isEmpty { try table.requireDeletes(target: ledger.target) }
    return repeated
  }
}

extension FinalTransaction.Rows {
  /// Whether the mark has them already.
  fileprivate var areCounted: Bool {
    if case .appended = self { true } else { false }
  }
}
