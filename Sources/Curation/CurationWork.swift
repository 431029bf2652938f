import DuckDB
import FoundationEssentials
import JobModel
import PipelineDefinition
import Synchronization

/// One curation from its raw to its files, step by step, in one session.
struct CurationWork: Sendable {
  let request: CurationRequest
  let session: DuckDBSession
  let report: ProgressReport
  let began = ContinuousClock.now
  /// Is set when the dataset's files are written; what follows is no reason to give them up.
  let isWhole: SharedFlag

  init(
    request: CurationRequest, session: DuckDBSession, isWhole: SharedFlag,
    progress: @escaping @Sendable (CurationProgress) -> Void
  ) {
    self.isWhole = isWhole
    var request = request
    request.streams = request.step.withOrderingCursors(request.streams, hasSQL: request.sql != nil)
    self.request = request
    self.session = session
    report = ProgressReport(progress)
  }

  var step: CurateStep { request.step }

  func run() async throws -> CurationResult {
    try await session.run(StreamReader.schema)
    let statement = try await parseAndLint()
    try await refuseUnreadableLimits()
    let isRowByRow = try await isRowByRow(statement)
    let streams = try await readStreams(statement, isRowByRow: isRowByRow)
    try refuseUnknownKeys(of: streams)
    var events = try drift(of: streams)
    let histories = try await createViews(streams, statement, isRowByRow: isRowByRow)
    report.step("sql")
    let selection = try await select(streams, statement, isRowByRow: isRowByRow)
    try refuseUnknownColumns(selection)
    let plan = selection.plan
    let accounting = try accounting(for: selection)
    let isStreamed = isStreamed(selection, accounting)
    let read = try await session.plan(
      of: plan.statement(select: selection.text, isProjection: selection.isProjection, asView: isStreamed))
    if !isStreamed { for loaded in streams { try await refuseLostRecords(loaded, read) } }
    events += plan.droppedNames.map {
      CurationEvent(.droppedColumn, "dataset \(step.name): the SELECT's column \"\($0)\" is not in `columns`")
    }
    try await refuseRepeatedKeys(accounting)
    try await completeParents(selection, statement, accounting)
    try await findLosers(accounting)
    try await session.run(accounting.keep)
    let quarantine = quarantine(for: selection, key: accounting.key)
    let streamed = isStreamed ? try await stream(selection) : nil
    if !isStreamed { try await session.run(ContractPlan.findBad) }
    let counts =
      if let streamed { streamed.counts } else { try await count(selection, accounting, read) }
    try await refuseBadBatch(counts, quarantine)
    let reasons = counts.quarantined > 0 ? try await badReasons() : []
    events += Self.unstorable(reasons, dataset: step.name)
    events += try await check(plan, accounting, selection, rowsOut: counts.rowsOut, streams)
    report.rows(counts.rowsOut)
    report.step("parquet")
    let files =
      if let streamed { streamed.files } else {
        try await write(selection, expected: try await rowsToWrite(counts, accounting))
      }
    let bad = try await write(quarantine)
    let columns = try await outputColumns(selection)
    // Last of all: the engine may find no room for it and end.
    isWhole.set()
    let segments = try await writeSegments(of: histories)
    return CurationResult(
      files: files, counts: counts, columns: columns, key: accounting.key,
      cursor: cursor(of: selection), replaces: accounting.replaces, quarantine: bad.file,
      quarantineKeysReadable: bad.keysReadable,
      events: events, fields: fields(of: streams), recordsByObject: recordsByObject(streams),
      keptSegments: segments.kept, newSegments: segments.new,
      content: isDivisible(selection, statement, accounting) ? streams.first?.read : nil, badReasons: reasons)
  }
}

/// The SELECT that runs, and what is known of its rows.
struct Selection: Sendable {
  var text: String
  var plan: ContractPlan
  /// The one stream whose records the result's rows are; nil where the SELECT aggregates, unites or joins streams.
  var source: LoadedStream?
  /// Streams whose records the SELECT reads.
  var read: [LoadedStream]
  /// Whether each record of the source gives one row at most, which has its place: columns and a filter, nothing else.
  var isProjection = false
}

/// Counts that only grow, told as they change.
final class ProgressReport: Sendable {
  private let state = Mutex(CurationProgress(step: "reading", objects: 0, rows: 0))
  private let tell: @Sendable (CurationProgress) -> Void
  init(_ tell: @escaping @Sendable (CurationProgress) -> Void) { self.tell = tell }

  private func change(_ body: (inout CurationProgress) -> Void) {
    tell(
      state.withLock {
        body(&$0)
        return $0
      })
  }
  func step(_ name: String) { change { $0.step = name } }
  func objects(_ count: Int) { change { $0.objects += count } }
  func rows(_ count: Int) { change { $0.rows = count } }
}
