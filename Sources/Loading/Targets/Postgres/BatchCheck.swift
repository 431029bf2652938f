import JobModel
import Postgres

/// Compares a table that is appended to with what the ledger has of the snapshots that are to be loaded next.
///
/// A row is appended twice where the ledger is older than its table, or the catalog older than the ledger. Each can be restored by
/// itself. An ordinary load pays for one read of the ledger; the table's rows are counted only where something says that a part was
/// restored: another table, storage or ledger than the mark has, or a load that the catalog knows and the ledger does not.
struct BatchCheck: Sendable {
  let table: TableCheck
  let listing: TableLoad.Listing
  let pending: [SnapshotToLoad]
  let mark: TableMark?
  /// Whether the ledger has neither a mark nor a row of the listed snapshots.
  let knowsNothing: Bool

  private var ledger: TargetLedger { table.ledger }
  private var name: TableName { table.name }
  private var recorded: [SnapshotToLoad] { pending.filter { listing.recorded.contains($0.uuid) } }

  /// - Throws: ``StageFailure`` `target_changed`, with the commands that work; `target_rows_hidden` where hidden rows could make a
  ///   difference.
  func run(in session: PostgresConnection) async throws {
    guard !pending.isEmpty else { return }
    let begun = try await begun(in: session)
    guard listing.knowsHead else { throw olderCatalog(pending[0]) }
    guard let seen = try await ledger.identity(of: name, in: session) else { return }
    if knowsNothing, let other = try await ledger.rowsOfOtherInstallation(seen, in: session) {
      guard try await ledger.isFilled(name, in: session) else {
        return try await ledger.requireAllRows(name, to: .read, in: session)
      }
      throw StageFailure(
        code: "target_changed",
        message:
          "target \(ledger.target): table \(name) has \(other.rows) rows that this pipeline loaded as installation "
          + "\(other.installation): where that one's control database was lost, this one would append everything again",
        hint: "empty the table, and run again: truncate \(name.sql); or keep its rows and append to them: "
          + ledger.reload("--accept"))
    }
    let isOther = mark?.identity.map { $0 != seen } ?? false
    // Another storage alone says that the table was written again, not that the ledger is older.
    let isRestored = mark?.identity.map { $0.relation != seen.relation || $0.ledger != seen.ledger } ?? false
    guard knowsNothing || isOther || !recorded.isEmpty,
      let found = try await TargetTable.read(name, target: ledger.target, in: session)
    else { return }
    if found.hasBatch {
      let rows = try await rows(in: session)
      let differing = pending.first { rows[$0.uuid, default: 0] != begun[$0.uuid, default: 0] }
      let (inTable, inLedger) = differing.map { (rows[$0.uuid, default: 0], begun[$0.uuid, default: 0]) } ?? (0, 0)
      // Where nothing says that the ledger lost loads, a hidden row makes no difference.
      if inTable <= inLedger, differing != nil || isRestored || !recorded.isEmpty {
        try await ledger.requireAllRows(name, to: .read, in: session)
      }
      if let differing {
        throw table.failure(
          "table \(name) has \(inTable) rows of snapshot \(differing.uuid), its ledger has \(inLedger): one of the two was "
            + "lost, or restored to an older state")
      }
    } else if !recorded.isEmpty || (!begun.isEmpty && (knowsNothing || isRestored)) {
      let rows = try await ledger.count(name, in: session)
      // A ledger that lacks loads says nothing of how many rows there are: others may have deleted some since.
      guard rows > (recorded.isEmpty ? mark?.kept ?? 0 : 0) else {
        return try await ledger.requireAllRows(name, to: .read, in: session)
      }
      var failure = table.failure(
        "table \(name) has \(rows) rows, its ledger has \(mark?.kept ?? 0) and lacks \(max(1, recorded.count)) snapshots that "
          + "were loaded before: one of the two was lost, or restored to an older state")
      failure.hint =
        "if these snapshots are in the table, keep it as it is: \(ledger.reload("--accept")); if they are not, let rows of "
        + "snapshots be told from others, and run again: alter table \(name.sql) add column "
        + "\(quoteIdentifier(TargetTable.batch)) uuid; or empty the table and load it again: \(ledger.reload())"
      throw failure
    }
  }

  /// Writes into the ledger which of the snapshots are in the table, as its rows say; where these do not, as the catalog does.
  ///
  /// - Returns: The ledger's new rows. What is in the table in part is either continued or loaded again whole.
  /// - Throws: ``StageFailure`` `accept_refused` where a snapshot is there in part and the ledger does not have its pieces;
  ///   `target_rows_hidden` where that cannot be told.
  func accept(in session: PostgresConnection) async throws -> [LoadedSnapshot] {
    let begun = try await begun(in: session)
    guard !pending.isEmpty else { return [] }
    return try await session.transaction { transaction in
      try await ledger.lockHead(in: transaction)
      // What is hidden would be taken as not loaded, and be loaded again.
      if !recorded.isEmpty || !begun.isEmpty {
        try await ledger.requireAllRows(name, to: .read, in: transaction)
      }
      guard let found = try await TargetTable.read(name, target: ledger.target, in: transaction),
        try await ledger.isFilled(name, in: transaction)
      else {
        try await ledger.forgetPieces(of: Array(begun.keys), in: transaction)
        return []
      }
      let isIn =
        found.hasBatch
        ? try await snapshotsByBatch(found, begun: begun, in: transaction)
        : try await snapshotsByRecord(begun: begun, in: transaction)
      var entries: [LoadedSnapshot] = []
      for (snapshot, rows) in isIn {
        let entry = LoadedSnapshot(uuid: snapshot.uuid, status: .loaded, rows: snapshot.rows, inserted: rows)
        try await ledger.record(entry, of: snapshot, in: transaction)
        entries.append(entry)
      }
      try await transaction.query(MarkSQL.touch, ledger.key)
      // A snapshot that repeats others took their rows out.
      let repeated = Set(isIn.flatMap(\.0.repeats)).subtracting(entries.map(\.uuid))
      let gone = pending.filter { repeated.contains($0.uuid) }
      try await ledger.insertSuperseded(
        gone.map { ($0.uuid, $0.number, TargetLedger.content(of: $0)) }, in: transaction)
      return entries + gone.map { LoadedSnapshot(uuid: $0.uuid, status: .superseded, isNew: true) }
    }
  }

  private func olderCatalog(_ first: SnapshotToLoad) -> StageFailure {
    StageFailure(
      code: "target_changed",
      message:
        "target \(ledger.target): the ledger of table \(name) has snapshots that the control database does not know: that was "
        + "restored to an older state, and what it has read again since may be in the table already",
      hint: "load the table again: \(ledger.reload()); or leave a snapshot out whose rows are in: "
        + "\(ledger.reload("--without \(first.uuid)")); or append the new snapshots to what is there: \(ledger.reload("--accept"))"
    )
  }

  /// What is in the table in part.
  ///
  /// - Throws: ``StageFailure`` `target_changed` where that is a snapshot that will not be loaded: the catalog does not have it.
  private func begun(in session: PostgresConnection) async throws -> [String: Int64] {
    let begun = try await ledger.begun(in: session)
    let lost = begun.keys.sorted().first { uuid in !pending.contains { $0.uuid == uuid } }
    guard let lost else { return begun }
    throw StageFailure(
      code: "target_changed",
      message:
        "target \(ledger.target): table \(name) has a part of snapshot \(lost) (\(begun[lost] ?? 0) rows), which the "
        + "dataset does not have: the control database was restored to an older state, or the table is loaded from another "
        + "dataset than before",
      hint: "take the part out of the table: \(ledger.reload("--without \(lost)"))")
  }

  /// By batch, the rows of the pending snapshots that are in the table.
  private func rows(in session: some PostgresSession) async throws -> [String: Int64] {
    let batch = quoteIdentifier(TargetTable.batch)
    let counted = SQLStatement(
      name: "batch_rows",
      text:
        "select \(batch)::text as snapshot, count(*) as rows from \(name.sql) where \(batch) = any($1::uuid[]) group by 1"
    )
    var rows: [String: Int64] = [:]
    for row in try await session.query(counted, [.texts(pending.map(\.uuid))]) {
      rows[try row.string("snapshot")] = try row.int("rows")
    }
    return rows
  }

  private func snapshotsByBatch(
    _ found: TargetTable, begun: [String: Int64], in transaction: PostgresTransaction
  ) async throws -> [(SnapshotToLoad, Int64)] {
    let rows = try await rows(in: transaction)
    var isIn: [(SnapshotToLoad, Int64)] = []
    for snapshot in pending {
      let uuid = snapshot.uuid
      let count = rows[uuid, default: 0]
      if let begun = begun[uuid] {
        // What is as the ledger says is continued.
        if count == begun { continue }
        _ = try await ledger.deleteBatches([uuid], of: found, in: transaction)
        try await ledger.forgetPieces(of: [uuid], in: transaction)
      } else if listing.recorded.contains(uuid), count <= snapshot.rows {
        // It was in whole: what is missing was deleted since.
        isIn.append((snapshot, count))
      } else if count > 0, count == snapshot.rows || (!snapshot.replaces.isEmpty && count < snapshot.rows) {
        // Marks of parents without rows are in the snapshot and not in the table.
        isIn.append((snapshot, count))
      } else if count > 0 {
        throw StageFailure(
          code: "accept_refused",
          message:
            "target \(ledger.target): table \(name) has \(count) rows of snapshot \(uuid), which has \(snapshot.rows): it "
            + "cannot be taken as it is",
          hint: "load the table again: \(ledger.reload()); or take these rows out, and accept the others then: "
            + ledger.reload("--without \(uuid)"))
      }
    }
    return isIn
  }

  private func snapshotsByRecord(
    begun: [String: Int64], in transaction: PostgresTransaction
  ) async throws -> [(SnapshotToLoad, Int64)] {
    if let first = begun.keys.sorted().first {
      // Where the table is the one that was loaded, and has all rows, the half is continued.
      let seen = try await ledger.identity(of: name, in: transaction)
      let rows = try await ledger.count(name, in: transaction)
      guard let mark, seen == mark.identity, rows >= mark.kept else {
        throw StageFailure(
          code: "accept_refused",
          message: "target \(ledger.target): a part of snapshot \(first) was in table \(name), and without a column "
            + "\(TargetTable.batch) it cannot be told whether it still is",
          hint:
            "leave the snapshot out, and accept the table then: \(ledger.reload("--without \(first)")); or empty the table "
            + "and load it again: \(ledger.reload())")
      }
    }
    return recorded.filter { begun[$0.uuid] == nil }.map { ($0, $0.rows) }
  }
}
