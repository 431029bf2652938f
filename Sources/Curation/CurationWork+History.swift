import DuckDB
import FoundationEssentials
import JobModel
import PipelineDefinition

/// A stream whose earlier records were read, and where they are.
struct ReadHistory: Sendable {
  var history: StreamHistory
  /// What was read of the history, by segments and as raw.
  var earlier: LoadedStream
  /// What was read apart; nil where the history is all.
  var due: LoadedStream?
  /// All of it, with the fields that are needed.
  var tables: [RecordTable]
}

/// Segments of streams' histories.
extension CurationWork {
  /// Writes what was read as raw into segments, so that the next run has only its own raw to read.
  ///
  /// - Returns: The numbers of the segments that stay, and the new ones.
  func writeSegments(of histories: [ReadHistory]) async throws -> (kept: [Int64], new: [OutputSegment]) {
    var kept: [Int64] = []
    var new: [OutputSegment] = []
    for (index, read) in histories.enumerated() {
      report.step("history")
      let past = read.earlier.past.segments
      var content = read.earlier.read
      if let due = read.due {
        let known = Set(read.history.objects.map(\.id))
        guard content.add(due.read), due.table.stream.objects.allSatisfy({ known.contains($0.id) }) else { continue }
      }
      let covered = past.reduce(0) { $0 + $1.span.count }
      guard covered < read.history.objects.count else {
        kept += past.map(\.id)
        continue
      }
      let staying = StreamHistory.kept(past, before: content.rows)
      let path = "\(request.scratch)/out/segment-\(index).parquet"
      // The dataset is whole. Where there is no room or no time for a segment, the next run reads this raw again.
      guard !request.scratchLimit.isHalfUsed, began.duration(to: .now) < request.limits.time / 2 else {
        kept += past.map(\.id)
        continue
      }
      do {
        if let segment = try await write(read, replacing: past[staying...], content, to: path) { new.append(segment) }
        kept += past[..<staying].map(\.id)
      } catch let error where Self.isNoRoom(error) && !Task.isCancelled {
        try? FileManager.default.removeItem(atPath: path)
        // The engine may have ended.
        kept += histories[index...].flatMap { $0.earlier.past.segments.map(\.id) }
        break
      }
    }
    return (kept, new)
  }

  private static func isNoRoom(_ error: any Error) -> Bool {
    switch error {
    case let error as DuckDBError: [.memoryLimit, .killed, .diskFull].contains(error.kind)
    case let error as StageFailure: error.code == "temp_limit"
    default: false
    }
  }

  /// Writes one segment of everything from the first of `replaced` on; nil where it cannot be told from others.
  private func write(
    _ read: ReadHistory, replacing replaced: ArraySlice<HistorySegment>, _ fresh: HistoryContent, to path: String
  ) async throws -> OutputSegment? {
    let history = read.history
    let begin = read.earlier.past.segments[..<replaced.startIndex].reduce(0) { $0 + $1.span.count }
    let objects = history.objects[begin...]
    var content = HistoryContent()
    guard let first = objects.first, let identity = history.identity(of: objects),
      (replaced.map(\.content) + [fresh]).allSatisfy({ content.add($0) })
    else { return nil }
    // No record of a stream had the key yet.
    let given = Set(read.tables.flatMap(\.fields).map { SQLName($0.name) })
    guard history.stream.definition.key.allSatisfy({ given.contains(SQLName($0)) }) else { return nil }
    let found = Set(content.fields.compactMap { $0.column.map { ExactText($0) } })
    var names: Set<ExactText> = []
    content.columns = read.tables.flatMap(\.fields).map(\.name).filter { name in
      found.contains(ExactText(name)) && names.insert(ExactText(name)).inserted
    }
    let rows = SegmentFile(read: read, columns: content.columns, first: begin == 0 ? nil : first.id)
    try await session.run("copy (\(rows.select)) to \(quoteLiteral(path)) (format parquet, compression zstd)")
    try request.scratchLimit.check()
    let counts = try await session.rows(SegmentRows.count(path)).first ?? [:]
    content.rows = counts["rows"]?.int ?? -1
    let rejects = history.shape.keepsBad ? content.rejects : 0
    content.rejects = counts["rejects"]?.int ?? -1
    guard content.rejects == rejects else {
      throw StageFailure(
        code: "rows_unaccounted",
        message:
          "\(history.stream.reference): \(rejects) bad records were read, and \(content.rejects) are in the segment",
        hint: "this is a fault of Sluice; nothing was committed; please report it with the pipeline")
    }
    return OutputSegment(
      stream: history.stream.reference, path: path,
      span: HistorySpan(first: first.id, count: objects.count, identity: identity), content: content)
  }
}

/// The rows of a new segment.
private struct SegmentFile {
  let read: ReadHistory
  let columns: [String]
  /// The object with which it begins; nil: with the first one.
  let first: Int64?

  private var shape: HistoryShape { read.history.shape }

  /// The latest rows; with them what a dataset that is computed from everything counts as bad.
  var select: String {
    let good = read.tables.map(\.goodRecords).joined(separator: " union all by name ")
    let places = StreamViews.latestPlaces(of: good, read.history.stream.definition, from: first)
    let latest = read.tables.map { table in
      """
      select \(list(of: table)) from \(table.name) r
      semi join latest l on l._object = r._object and l._position = r._position
      """
    }
    let bad = shape.keepsBad ? read.tables.compactMap(violations) + [rejects] : []
    return "with latest as materialized (\(places)) \((latest + bad).joined(separator: " union all "))"
  }

  private func list(of table: RecordTable) -> String {
    var list = ["r._object", "r._position"]
    if shape.keepsRecords { list.append("\(table.keepsRecords ? "r._record" : "null::VARCHAR") as _record") }
    for (index, name) in columns.enumerated() {
      let field = table.fields.first { $0.name.isExactly(name) }
      list.append("\(field.map { "r.\($0.column)" } ?? "null::VARCHAR") as c\(index)")
    }
    list += ["null::BIGINT as _line", "null::BIGINT as _byte", "null::VARCHAR as _reason", "null::VARCHAR as _reject"]
    return list.joined(separator: ", ")
  }

  private var range: String { first.map { "o.ordinal >= \(StreamViews.ordinal(of: $0))" } ?? "true" }

  private func violations(_ table: RecordTable) -> String? {
    guard !table.violations.isEmpty else { return nil }
    return """
      select \(list(of: table)) from \(table.name) r join raw.objects o on o.id = r._object
      where (\(table.violations.joined(separator: " or "))) and \(range)
      """
  }

  private var rejects: String {
    let nulls = (shape.keepsRecords ? ", null" : "") + columns.map { _ in ", null" }.joined()
    return """
      select r.object, null\(nulls), r.line, r.byte, r.reasons[1], r.record
      from raw.rejects r join raw.objects o on o.id = r.object
      where r.stream = \(read.earlier.index) and r.position is null and \(range)
      """
  }
}
