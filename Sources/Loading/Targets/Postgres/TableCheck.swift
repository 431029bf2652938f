import JobModel
import PipelineDefinition
import Postgres

/// Compares a table with what its ledger says, before anything is loaded.
///
/// The ledger knows which snapshots are in, but others can truncate, drop or restore the table. Then the next load would add its
/// new rows to a table that lacks the old ones. An ordinary load pays for two reads of the catalog and the search for one row; all rows are
/// counted only where the table's storage is another one.
struct TableCheck: Sendable {
  let ledger: TargetLedger
  let name: TableName
  let definition: LoadTable
  /// Whether the pending snapshots replace everything in the table, whatever is in it.
  let isReplaced: Bool

  /// - Returns: The mark as it is to be.
  /// - Throws: ``StageFailure`` `target_changed`, with the command that loads the table again.
  func run(_ mark: TableMark?, in session: PostgresConnection) async throws -> TableMark {
    var next: TableMark
    if let mark { next = mark } else { next = TableMark(kept: try await keptByEarlierReleases(in: session)) }
    let seen = try await ledger.identity(of: name, in: session)
    guard next.kept > 0, !isReplaced else { return next }
    guard let seen else {
      throw failure("table \(name) is gone, in which the ledger has at least \(next.kept) rows")
    }
    switch TableComparison(seen, marked: next.identity) {
    case .same:
      guard try await isFilled(in: session) else {
        throw failure("table \(name) is empty, and the ledger has at least \(next.kept) rows in it")
      }
    case .replaced:
      throw failure(
        "table \(name) is another table than the one that was loaded: it was dropped and made again, or restored")
    case .moved:
      let rows = try await count(in: session)
      guard rows >= next.kept else {
        throw failure(
          "table \(name) was truncated, restored or written again since the last load: it has \(rows) rows, the ledger has at "
            + "least \(next.kept)")
      }
    }
    next.identity = seen
    return next
  }

  /// Takes the table as it is.
  func accept(_ mark: TableMark?, in session: PostgresConnection) async throws -> TableMark {
    var next = mark ?? TableMark()
    next.identity = try await ledger.identity(of: name, in: session)
    next.kept = next.identity == nil ? 0 : try await count(in: session)
    return next
  }

  /// Refuses to append to a table that has rows of these snapshots although its ledger knows nothing: it was restored without it.
  func refuseKnownBatches(_ snapshots: [String], in session: PostgresConnection) async throws {
    guard definition.mode == .append, !snapshots.isEmpty,
      let table = try await TargetTable.read(name, target: ledger.target, in: session), table.hasBatch
    else { return }
    let batch = quoteIdentifier(TargetTable.batch)
    let found = try await session.query(
      SQLStatement(
        name: "mark_known_batch", text: "select from \(name.sql) where \(batch) = any($1::uuid[]) limit 1"),
      [.texts(snapshots)])
    guard found.isEmpty else {
      throw failure(
        "table \(name) has rows of snapshots that its ledger does not know: it was restored without schema sluice_ledger"
      )
    }
  }

  private func failure(_ message: String) -> StageFailure {
    let loader = ledger.loader
    let environment = loader.environment == "local" ? "" : " --env \(loader.environment)"
    let command = "sluice reload \(loader.pipeline) --target \(ledger.target) --table '\(name)'\(environment)"
    return StageFailure(
      code: "target_changed", message: "target \(ledger.target): \(message)",
      hint: "load it again: \(command); or keep the table as it is: \(command) --accept")
  }

  /// What loads of a release that kept no mark put in; zero where there was none.
  private func keptByEarlierReleases(in session: PostgresConnection) async throws -> Int64 {
    guard let row = try await session.query(MarkSQL.loadedRows, ledger.key).first, try row.int("rows") > 0 else {
      return 0
    }
    // A replacement counts as deleted what others put in, so the sum says nothing there.
    return definition.mode == .replace ? 1 : max(1, try row.int("kept"))
  }

  /// Reads up to the first row; a table of dead rows is read until vacuum has removed them.
  private func isFilled(in session: PostgresConnection) async throws -> Bool {
    try await !session.query(SQLStatement(name: "mark_is_filled", text: "select from \(name.sql) limit 1"), []).isEmpty
  }

  private func count(in session: PostgresConnection) async throws -> Int64 {
    let counted = SQLStatement(name: "mark_count", text: "select count(*) as rows from \(name.sql)")
    return try await session.query(counted, []).first?.int("rows") ?? 0
  }
}

extension TargetLedger {
  /// Forgets what is in the table, once for each job, so that every visible snapshot is loaded again.
  ///
  /// Merges and replacements can be repeated over what is there. Of a table that keeps every batch, the rows of `snapshots` are deleted.
  ///
  /// - Throws: ``StageFailure`` `reload_refused` where the rows of those snapshots cannot be told from others.
  func forget(_ name: TableName, mode: LoadTable.Mode, snapshots: [String], in session: PostgresConnection) async throws
  {
    try await session.transaction { transaction in
      try await lockHead(in: transaction)
      try await transaction.query(MarkSQL.forget, key)
      if mode == .append, let table = try await TargetTable.read(name, target: target, in: transaction) {
        try await deleteBatches(snapshots, of: table, in: transaction)
      }
      try await write(TableMark(reload: loader.jobID.rawValue), in: transaction)
    }
  }

  private func deleteBatches(
    _ snapshots: [String], of table: TargetTable, in transaction: PostgresTransaction
  ) async throws {
    if table.hasBatch {
      let text = "delete from \(table.name.sql) where \(quoteIdentifier(TargetTable.batch)) = any($1::uuid[])"
      try await transaction.query(SQLStatement(name: "mark_delete_batches", text: text), [.texts(snapshots)])
      return
    }
    let any = SQLStatement(name: "mark_is_filled", text: "select from \(table.name.sql) limit 1")
    guard try await transaction.query(any, []).isEmpty else {
      throw StageFailure(
        code: "reload_refused",
        message:
          "target \(target): without a column \(TargetTable.batch) the rows that loads appended to \(table.name) cannot be "
          + "told from others",
        hint: "empty it, and reload it then: truncate \(table.name.sql)")
    }
  }
}
