import DuckDB
import JobModel
import PipelineDefinition

/// Where every row went.
extension CurationWork {
  /// Whether the good rows go straight from the reader's files into the data files: nothing but the contract and the layout stands
  /// between them.
  func isStreamed(_ selection: Selection, _ accounting: Accounting) -> Bool {
    guard selection.isProjection, selection.source?.table.violations.isEmpty == true else { return false }
    return accounting.key.isEmpty && step.key.isEmpty && step.replaces.isEmpty && !step.checksLookAtRows
      && hasRoomForContract
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
  /// - Throws: ``StageFailure`` `rows_unaccounted` where it does not come out: a fault of ours, and nothing is committed.
  func count(
    _ selection: Selection, _ accounting: Accounting, _ streams: [LoadedStream]
  ) async throws -> CurationCounts {
    var counts = CurationCounts(rowsIn: 0, rowsOut: 0, filtered: nil, deduplicated: 0, quarantined: 0)
    for loaded in selection.read {
      counts.rowsIn += loaded.recordCount
      counts.quarantined += try await rejects(of: loaded)
    }
    counts.rowsOut = try await number("select count(*) as n from \(Accounting.kept) where \(accounting.isRow)")
    counts.deduplicated = try await number(accounting.countLosers)
    counts.quarantined += try await number("select count(*) as n from \(ContractPlan.bad)")
    guard let source = selection.source else { return counts }
    // A record may give several rows, or none.
    guard accounting.replaces.isEmpty else { return counts }
    if selection.isProjection, source.table.violations.isEmpty {
      counts.filtered = source.rows - (try await passed(selection, source))
      return try balanced(counts)
    }
    if request.sql != nil, try await number(Accounting.multiplied) > 0 { return counts }
    counts.filtered = try await number(Accounting.filtered(source.table))
    return try balanced(counts)
  }

  /// Writes the good rows without keeping them, and counts: the records are counted by the reader, those behind the filter by the
  /// engine, those in the files by their metadata, and the bad ones as they are taken for the quarantine.
  func stream(_ selection: Selection) async throws -> (files: [OutputFile], counts: CurationCounts) {
    guard let source = selection.source else { preconditionFailure("only rows of one stream are streamed") }
    report.step("parquet")
    let layout = try await layout(of: selection)
    let passed: Int
    var partitions: Int?
    if layout.partitions.isEmpty || !layout.canBeOneCopy {
      passed = try await self.passed(selection, source)
    } else {
      let survey = try await session.rows(layout.survey(of: ContractPlan.table)).first ?? [:]
      passed = survey["n"]?.int ?? -1
      partitions = survey["partitions"]?.int
    }
    let files = try await write(layout, partitions: partitions)
    let written = files.reduce(0) { $0 + $1.rows }
    try await session.run(ContractPlan.takeBad(any: passed != written))
    let bad = try await number("select count(*) as n from \(ContractPlan.bad)")
    let rejected = try await rejects(of: source)
    let counts = try balanced(
      CurationCounts(
        rowsIn: source.recordCount, rowsOut: written, filtered: source.rows - passed, deduplicated: 0,
        quarantined: bad + rejected))
    return (files, counts)
  }

  /// Records behind the filter of a SELECT that gives one row for each.
  private func passed(_ selection: Selection, _ source: LoadedStream) async throws -> Int {
    request.sql == nil ? source.rows : try await number("select count(*) as n from (\(selection.text))")
  }

  /// The dataset's rows and the marks of parents without rows.
  func rowsToWrite(_ counts: CurationCounts, _ accounting: Accounting) async throws -> Int {
    accounting.replaces.isEmpty ? counts.rowsOut : try await number("select count(*) as n from \(Accounting.kept)")
  }

  private func rejects(of loaded: LoadedStream) async throws -> Int {
    try await number("select count(*) as n from raw.rejects where stream = \(loaded.index)")
  }

  private func number(_ sql: String) async throws -> Int { try await session.value(sql).int ?? 0 }

  private func balanced(_ counts: CurationCounts) throws -> CurationCounts {
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
