import DuckDB
import JobModel
import PipelineDefinition

/// Where every row went.
extension CurationWork {
  /// Whether the good rows go straight from the reader's files into the data files: nothing but the contract and the layout stands
  /// between them.
  func isStreamed(_ selection: Selection, _ accounting: Accounting) -> Bool {
    guard selection.isProjection, selection.source?.table.violations.isEmpty == true else { return false }
    return isApart(accounting) && hasRoomForContract
  }

  /// Whether each row comes from one record of one stream, whatever other records there are, and stays whatever other rows there are; of a
  /// statement without aggregates.
  func isDivisible(_ selection: Selection, _ statement: SelectStatement?, _ accounting: Accounting) -> Bool {
    selection.source != nil && statement?.isProjection ?? true && request.streams.count == 1 && step.over != .all
      && isApart(accounting)
  }

  /// Whether no row replaces another one, and no check looks at several.
  private func isApart(_ accounting: Accounting) -> Bool {
    accounting.key.isEmpty && step.key.isEmpty && step.replaces.isEmpty && !step.checksLookAtRows
  }

  /// Whether every thread may evaluate the whole contract at once: the engine keeps a vector for each part of its expressions, and a
  /// decimal's or a double's have hundreds. Tables are filled by one thread for each 122,880 rows.
  private var hasRoomForContract: Bool {
    let bytes = step.columns.reduce(0) { sum, column in
      let type = column.type
      return sum + (type.isNumber && !type.isInteger ? 5_000_000 : 500_000)
        * (column.min == nil && column.max == nil ? 1 : 2)
    }
    return bytes * request.limits.threads <= request.limits.memoryBytes / 3
  }

  /// Counts where every row went, each by itself, and holds the sum against the raw.
  ///
  /// - Parameter plan: Of the statement that made the table of all rows.
  /// - Throws: ``StageFailure`` `rows_unaccounted` where it does not come out: a fault of ours, and nothing is committed.
  func count(
    _ selection: Selection, _ accounting: Accounting, _ plan: StatementPlan?
  ) async throws -> CurationCounts {
    var counts = CurationCounts(rowsIn: 0, rowsOut: 0, filtered: nil, deduplicated: 0, quarantined: 0)
    for loaded in selection.read {
      counts.rowsIn += loaded.recordCount
      counts.quarantined += try await rejects(of: loaded)
    }
    counts.rowsOut = try await number("select count(*) as n from \(Accounting.kept) where \(accounting.isRow)")
    counts.deduplicated = try await number(accounting.countLosers)
    let bad = try await number("select count(*) as n from \(ContractPlan.bad)")
    counts.quarantined += bad
    guard let source = selection.source else { return counts }
    // A record may give several rows, or none.
    guard accounting.replaces.isEmpty else { return counts }
    if selection.isProjection, source.table.violations.isEmpty {
      let expected = counts.rowsOut + counts.deduplicated + bad
      counts.filtered = source.rows - (try await passed(selection, source, plan, expected: expected))
      return try balanced(counts)
    }
    if request.sql != nil, try await number(Accounting.multiplied) > 0 { return counts }
    counts.filtered = try await number(Accounting.filtered(source.table))
    return try balanced(counts)
  }

  /// Holds what the engine read of a stream's files against what the reader wrote.
  ///
  /// - Parameter plan: Of the statement that read them; nil: they are counted once more.
  /// - Throws: ``StageFailure`` `rows_unaccounted`.
  func refuseLostRecords(_ source: LoadedStream, _ plan: StatementPlan?) async throws {
    guard source.view != nil, plan.flatMap(Self.rowsRead) != source.rows else { return }
    let found = try await number("select count(_position) as n from \(source.table.name)")
    guard found == source.rows else { throw StreamReader.lostRecords(source, found: found) }
  }

  /// Records behind the filter of a SELECT that gives one row for each.
  ///
  /// - Parameters:
  ///   - plan: Of the statement that evaluated the SELECT and filtered nothing itself.
  ///   - expected: Rows that came of it; where it gave other ones, or there is no plan, the SELECT is evaluated once more.
  func passed(
    _ selection: Selection, _ source: LoadedStream, _ plan: StatementPlan?, expected: Int?
  ) async throws -> Int {
    if request.sql == nil { return source.rows }
    if source.view != nil, let expected, let plan, Self.rowsRead(plan) == source.rows,
      plan.inputs.first?.rows == expected
    {
      return expected
    }
    return try await number("select count(*) as n from (\(selection.text))")
  }

  /// What stands in the plan of a statement that puts the rows of a SELECT of columns and a filter somewhere; under a join are the
  /// objects' runs.
  private static let operators: Set<String> = [
    "BATCH_CREATE_TABLE_AS", "COLUMN_DATA_SCAN", "CREATE_TABLE_AS", "COPY_TO_FILE", "FILTER", "HASH_JOIN", "ORDER_BY",
    "PROJECTION",
    "READ_PARQUET", "SEQ_SCAN", "UNION",
  ]

  /// How many rows of the reader's files a statement read; nil where its plan has something else in it.
  private static func rowsRead(_ plan: StatementPlan) -> Int? {
    plan.names.isSubset(of: operators) && plan.inputs.count == 1 ? plan.rows(of: "READ_PARQUET") : nil
  }

  /// The dataset's rows and the marks of parents without rows.
  func rowsToWrite(_ counts: CurationCounts, _ accounting: Accounting) async throws -> Int {
    accounting.replaces.isEmpty ? counts.rowsOut : try await number("select count(*) as n from \(Accounting.kept)")
  }

  func rejects(of loaded: LoadedStream) async throws -> Int {
    try await number("select count(*) as n from raw.rejects where stream = \(loaded.index)")
  }

  func number(_ sql: String) async throws -> Int { try await session.value(sql).int ?? 0 }

  func balanced(_ counts: CurationCounts) throws -> CurationCounts {
    let sum = counts.rowsOut + (counts.filtered ?? 0) + counts.deduplicated + counts.quarantined
    guard sum == counts.rowsIn, counts.filtered ?? 0 >= 0 else {
      throw StageFailure(
        code: "rows_unaccounted",
        message: "dataset \(step.name): \(counts.rowsIn) records came in and \(sum) are accounted for",
        hint: "this is a fault of Sluice; nothing was committed; please report it with the pipeline")
    }
    return counts
  }
}
