import DuckDB
import FoundationEssentials
import JobModel
import ObjectStore
import PipelineDefinition
import Records

/// Rows that go from the reader's files into the data files in one pass.
///
/// The COPY sets bad rows aside into a folder of their own, with their places. Only their lines of the reader's files are read once
/// more, for the reasons and the originals.
extension CurationWork {
  /// What was written of a stream's rows.
  private struct Written {
    var files: [OutputFile]
    /// Rows that the COPY set aside; nil where the bad rows are found by a second pass over all.
    var bad: Int?
    /// Of the statement that read each record once and filtered none by its verdict.
    var plan: StatementPlan?
    var rows: Int { files.reduce(0) { $0 + $1.rows } }
  }

  /// Writes the good rows without keeping them, and counts: the records are counted by the reader, those that the engine read and
  /// those behind the filter by the engine, those in the files by their metadata, and the bad ones as they are taken for the
  /// quarantine.
  func stream(_ selection: Selection) async throws -> (files: [OutputFile], counts: CurationCounts) {
    guard let source = selection.source else { preconditionFailure("only rows of one stream are streamed") }
    report.step("parquet")
    let written = try await write(try await layout(of: selection), of: source)
    try await refuseLostRecords(source, written.plan)
    let passed = try await passed(
      selection, source, written.plan, expected: written.bad.map { written.rows + $0 })
    if written.bad == nil { try await session.run(ContractPlan.takeBad(any: passed != written.rows)) }
    let bad = try await number("select count(*) as n from \(ContractPlan.bad)")
    let rejected = try await rejects(of: source)
    let counts = try balanced(
      CurationCounts(
        rowsIn: source.recordCount, rowsOut: written.rows, filtered: source.rows - passed, deduplicated: 0,
        quarantined: bad + rejected))
    return (written.files, counts)
  }

  private func write(_ layout: ParquetLayout, of source: LoadedStream) async throws -> Written {
    if layout.partitions.isEmpty {
      // A COPY that sets rows aside makes one file, which must not become too large.
      guard layout.canBeOneCopy, let bytes = try source.view?.bytes(), bytes <= 2 * layout.files.targetBytes else {
        return Written(files: try await writeAtOnce(layout))
      }
      return try await writeApart(layout, [], of: source)
    }
    if layout.canBeOneCopy, let known = try await partitions(of: layout, source),
      layout.fits(partitions: known.count + 2, request.limits)
    {
      return try await writeApart(layout, known, of: source)
    }
    return try await gather(layout)
  }

  /// Rows of which partitions are looked for in all of them.
  private static let fewRows = 20_000
  /// Rows that are looked at of more.
  static let sampledRows = 4_000

  /// The partitions of all good rows, or of a sample of them; nil where there are more than one COPY may write.
  ///
  /// A partition that the sample does not have costs a second writing of its rows and no more: the COPY sets them aside.
  private func partitions(of layout: ParquetLayout, _ source: LoadedStream) async throws -> [KnownPartition]? {
    guard let view = source.view, source.rows > Self.fewRows else {
      return try await partitions(in: Accounting.kept, layout)
    }
    let samples = view.files.compactMap { files in
      files.records.sample.map { sample in
        var files = files
        files.rows = sample
        return files
      }
    }
    try await show(samples, of: source, view)
    let known = try await partitions(in: Accounting.kept, layout)
    try await show(view.files, of: source, view)
    return known
  }

  /// Writes the rows of known partitions, and sets the others aside.
  private func writeApart(
    _ layout: ParquetLayout, _ known: [KnownPartition], of source: LoadedStream
  ) async throws -> Written {
    let (files, plan) = try await copyApart(layout, known, from: ContractPlan.table, rows: source.rows)
    let bad = files[.bad, default: []]
    let good = RowFolder.all(known: known.count).dropFirst(2).flatMap { files[$0, default: []] }
    var written = Written(files: try await divided(good, layout), plan: plan)
    written.files += try await writeOthers(files[.other, default: []], layout)
    let count = bad.reduce(0) { $0 + $1.rows }
    if count == 0 {
      try await session.run(ContractPlan.takeBad(any: false))
    } else if let view = source.view, try isLittle(count, of: source, view) {
      try await takeBad(at: bad.map(\.path), of: source, view)
    } else {
      try await session.run(ContractPlan.takeBad(any: true))
    }
    for file in bad { try FileManager.default.removeItem(atPath: file.path) }
    written.bad = count
    return written
  }

  /// Rows of partitions that the sample did not have.
  private func writeOthers(_ files: [OutputFile], _ layout: ParquetLayout) async throws -> [OutputFile] {
    guard !files.isEmpty else { return [] }
    var layout = layout
    layout.rows = ParquetLayout.rows(of: files.map(\.path))
    let written = try await writeByPartition(layout)
    guard written.reduce(0, { $0 + $1.rows }) == files.reduce(0, { $0 + $1.rows }) else { throw lostRows }
    for file in files { try FileManager.default.removeItem(atPath: file.path) }
    return written
  }

  /// All rows with their verdicts into a table in the order of their partitions, of which the good ones are written and the bad ones
  /// are the quarantine's.
  private func gather(_ layout: ParquetLayout) async throws -> Written {
    var layout = layout
    layout.rows = ContractPlan.table
    layout.hasVerdicts = true
    var plan: StatementPlan?
    if let statement = layout.gather { plan = try await session.plan(of: statement) }
    let files = try await writeGathered(layout)
    try await session.run(ParquetLayout.findBad)
    return Written(files: files, bad: try await number("select count(*) as n from \(ContractPlan.bad)"), plan: plan)
  }

  /// Places that are in memory at a time.
  private static let maximumPlaces = 500_000

  /// Whether the lines of so many bad rows are worth a copy; else they are found by a second pass over all.
  private func isLittle(_ count: Int, of source: LoadedStream, _ view: RowsView) throws -> Bool {
    let bytes = try view.bytes() / max(1, source.rows) * count
    return count <= Self.maximumPlaces && bytes <= request.limits.temporaryBytes / 10
  }

  /// Evaluates the bad rows once more, from their lines of the reader's files.
  private func takeBad(at paths: [String], of source: LoadedStream, _ view: RowsView) async throws {
    let list = "\(request.scratch)/bad-places"
    try await session.run(ParquetLayout.copyPlaces(of: paths, to: list))
    let scratch = request.scratch
    let taken = try await withThrowingTaskGroup(of: (Int, ReadFiles)?.self) { tasks in
      let places = try await BlockingIO.run { try RowFile.places(in: list) }
      for (index, files) in view.files.enumerated() where files.rows.count > 0 {
        tasks.addTask {
          var bad = files
          bad.rows = try await BlockingIO.run {
            try files.rows.take(places, before: files.recordsBefore, to: "\(scratch)/bad-\(index)")
          }
          return bad.rows.count > 0 ? (index, bad) : nil
        }
      }
      var taken: [(Int, ReadFiles)] = []
      for try await files in tasks { if let files { taken.append(files) } }
      return taken.sorted { $0.0 < $1.0 }.map(\.1)
    }
    try await show(taken, of: source, view)
    try await session.run(ContractPlan.takeBad(any: true))
    try await show(view.files, of: source, view)
  }

  /// Has the stream's view give the rows of these files.
  private func show(_ files: [ReadFiles], of source: LoadedStream, _ view: RowsView) async throws {
    try await session.run(ReadRows.createView(source.table, files, view.names))
  }

  private var lostRows: StageFailure {
    StageFailure(
      code: "rows_unaccounted", message: "dataset \(step.name): rows were lost while they were written",
      hint: "this is a fault of Sluice; nothing was committed; please report it with the pipeline")
  }
}

/// The reader's files behind a view, and what its fields are called.
struct RowsView: Sendable {
  var files: [ReadFiles]
  var names: StreamFields

  func bytes() throws -> Int { try files.flatMap(\.rows.paths).reduce(0) { $0 + (try CurationWork.size(of: $1)) } }
}
