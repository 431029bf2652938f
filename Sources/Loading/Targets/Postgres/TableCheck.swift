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
  /// - Throws: ``StageFailure`` `target_changed`, with the command that loads the table again; `target_rows_hidden` where rows that are
  ///   missing may be hidden.
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
      guard try await ledger.isFilled(name, in: session) else {
        try await ledger.requireAllRows(name, to: .read, in: session)
        throw failure("table \(name) is empty, and the ledger has at least \(next.kept) rows in it")
      }
    case .replaced:
      throw failure(
        "table \(name) is another table than the one that was loaded: it was dropped and made again, or restored")
    case .moved:
      let rows = try await ledger.count(name, in: session)
      guard rows >= next.kept else {
        try await ledger.requireAllRows(name, to: .read, in: session)
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
    next.kept = next.identity == nil ? 0 : try await ledger.count(name, in: session)
    return next
  }

  /// Refuses to replace the rows of another pipeline, or to delete them as gone: each of the two would empty the other's table.
  ///
  /// Only before the first load by this pipeline, and before anything is changed. Later both are in the table by decision.
  func refuseOthersRows(before load: TableLoad, in session: PostgresConnection) async throws {
    guard definition.mode == .replace || definition.deletes != nil, load.repair != .accept,
      try await isFirstLoad(in: session), let other = try await ledger.rowsOfOtherPipeline(name, in: session),
      try await isPending(load, in: session)
    else { return }
    throw StageFailure(
      code: "table_shared",
      message: "target \(ledger.target): pipeline \(other.pipeline) has loaded \(other.rows) rows into \(name), which "
        + (definition.mode == .replace ? "a replacement" : "deletes") + " by \(ledger.loader.pipeline) would remove",
      hint: "give each pipeline a table of its own; or where \(other.pipeline) no longer loads this one: "
        + ledger.reload("--accept"))
  }

  /// Whether this pipeline neither loaded the table, nor accepted it, nor began to reload it.
  private func isFirstLoad(in session: PostgresConnection) async throws -> Bool {
    if let mark = try await ledger.mark(in: session), mark.identity != nil || mark.reload != nil { return false }
    return try await keptByEarlierReleases(in: session) == 0
  }

  private func isPending(_ load: TableLoad, in session: PostgresConnection) async throws -> Bool {
    let all = try await load.list(nil).uuids
    let known = load.repair == .reload ? [:] : try await ledger.entries(of: all, in: session)
    let leftOut = load.repair == .leaveOut ? Set(load.named) : []
    return all.contains { known[$0] == nil && !leftOut.contains($0) }
  }

  func failure(_ message: String) -> StageFailure {
    StageFailure(
      code: "target_changed", message: "target \(ledger.target): \(message)",
      hint: "load it again: \(ledger.reload()); or keep the table as it is: \(ledger.reload("--accept"))")
  }

  /// What loads of a release that kept no mark put in; zero where there was none.
  private func keptByEarlierReleases(in session: PostgresConnection) async throws -> Int64 {
    guard let row = try await session.query(MarkSQL.loadedRows, ledger.key).first, try row.int("rows") > 0 else {
      return 0
    }
    // A replacement counts as deleted what others put in, so the sum says nothing there.
    return definition.mode == .replace ? 1 : max(1, try row.int("kept"))
  }
}
