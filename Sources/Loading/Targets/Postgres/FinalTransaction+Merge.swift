import JobModel
import PipelineDefinition
import Postgres

/// The statements of a merge, and what they must have done.
extension FinalTransaction {
  /// - Throws: ``StageFailure`` `target_inherited` where a key is in the table and in one that inherits from it.
  func merge(in transaction: PostgresTransaction) async throws -> (inserted: Int64, updated: Int64) {
    let trigger = table.guards.insertTrigger ?? table.guards.updateTrigger
    var wanted: Int64 = 0
    var source: String?
    if try await isMostlyUnchanged(in: transaction) {
      wanted = Int64(try await transaction.query(sql.createChanges, []).affectedRows)
      source = ApplySQL.changes
    } else if trigger != nil {
      wanted = try await rows(sql.countChanges, in: transaction)
    }
    let counts =
      try await table.isPartitioned
      ? mergePartitioned(from: source, in: transaction) : mergePlain(from: source, in: transaction)
    let taken = counts.inserted + counts.updated
    if let trigger, taken < wanted {
      try await hooks.event(
        "rows_not_taken",
        "target \(ledger.target), table \(table.name): \(wanted - taken) of \(wanted) rows that snapshot "
          + "\(staging.snapshot.uuid) adds or changes were left out by a trigger, such as \(trigger)")
    }
    if table.hasChildren, case let inherited = try await rows(sql.countInherited, in: transaction), inherited > 0 {
      throw StageFailure(
        code: "target_inherited",
        message: "target \(ledger.target): \(inherited) keys of snapshot \(staging.snapshot.uuid) are in tables that "
          + "inherit from \(table.name), where a merge does not find them",
        hint: "load into the table that has them, or make \(table.name) a partitioned table")
    }
    return counts
  }

  /// Fewer rows are merged sooner than compared.
  private static let comparedRows: Int64 = 100_000

  /// Whether most staged rows are in the table as they are, so that finding the others first is worth a pass over both.
  ///
  /// Not where the table is much larger than what is staged: each staged row is looked up then. Nor where a trigger sees each row that
  /// is to be inserted: it may change the values that decide.
  private func isMostlyUnchanged(in transaction: PostgresTransaction) async throws -> Bool {
    let rows = staging.snapshot.rows
    guard table.guards.insertTrigger == nil, rows >= Self.comparedRows,
      let sizes = try await transaction.query(sql.compareSizes, []).first,
      try sizes.bool("may_create"), try sizes.int("existing") <= 4 * sizes.int("staged"),
      let sample = try await transaction.query(sql.sampleUnchanged(of: rows), []).first
    else { return false }
    return try 2 * sample.int("unchanged") > sample.int("rows")
  }

  private func mergePlain(
    from source: String?, in transaction: PostgresTransaction
  ) async throws -> (inserted: Int64, updated: Int64) {
    let counts = try await transaction.query(sql.merge(from: source), []).first
    return (try counts?.int("inserted") ?? 0, try counts?.int("updated") ?? 0)
  }

  private func mergePartitioned(
    from source: String?, in transaction: PostgresTransaction
  ) async throws -> (inserted: Int64, updated: Int64) {
    let matching = try await rows(sql.matchingKeys, in: transaction)
    let affected = Int64(try await transaction.query(sql.merge(from: source), []).affectedRows)
    let inserted: Int64
    if table.guards.insertTrigger == nil {
      let staged =
        sql.replaces.isEmpty ? staging.snapshot.rows : try await rows(sql.countRows, in: transaction)
      inserted = staged - matching
    } else {
      // A trigger may have left some out.
      inserted = try await rows(sql.matchingKeys, in: transaction) - matching
    }
    return (inserted, max(0, affected - inserted))
  }

  /// Rows that loads put in, and that the role does not see, would stay where they have to go.
  ///
  /// The rows that it sees are enough where they are as many: the others are of other roles then.
  func requireVisible(_ kept: Int64, in transaction: PostgresTransaction) async throws {
    guard table.guards.hasRowSecurity, try await ledger.hidesRows(table.name, from: .read, in: transaction),
      try await ledger.count(table.name, in: transaction) < kept
    else { return }
    try await ledger.requireAllRows(
      table.name, to: .read, or: "keep the table as it is: \(ledger.reload("--accept"))", in: transaction)
  }

  private var deletion: RowAccess { definition.deletes?.kind == .soft ? .update : .delete }

  func deleteReplaced(in transaction: PostgresTransaction) async throws -> Int64 {
    if let statement = sql.dropOlderParents { try await transaction.query(statement, []) }
    let deleted = Int64(try await transaction.query(sql.deleteReplaced, []).affectedRows)
    try await ledger.requireNoneLeft(sql.countReplaced, of: table, after: deletion, in: transaction)
    return deleted
  }

  func deleteGone(in transaction: PostgresTransaction) async throws -> Int64 {
    if let stopOver = definition.deletes?.stopOver {
      let counts = try await transaction.query(sql.countGone(kept: kept), []).first
      let (live, gone) = (try counts?.int("live") ?? 0, try counts?.int("gone") ?? 0)
      guard Double(gone) <= stopOver * Double(live) else {
        throw StageFailure(
          code: "deletes_stop_over",
          message: "target \(ledger.target): snapshot \(staging.snapshot.uuid) would delete \(gone) of \(live) rows of "
            + "\(table.name), more than stop_over allows (\(Int((stopOver * 100).rounded())) %)",
          hint: "if the rows are really gone from the source, raise deletes.stop_over for one run")
      }
      if gone == 0 { return 0 }
    }
    let deleted = Int64(try await transaction.query(sql.deleteGone(kept: kept), []).affectedRows)
    try await ledger.requireNoneLeft(sql.countLeft(kept: kept), of: table, after: deletion, in: transaction)
    return deleted
  }

  private func rows(_ statement: SQLStatement, in transaction: PostgresTransaction) async throws -> Int64 {
    try await transaction.query(statement, []).first?.int("rows") ?? 0
  }
}
