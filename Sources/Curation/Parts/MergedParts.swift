import Catalog
import DuckDB
import FoundationEssentials
import JobModel
import PipelineDefinition

/// The results of all parts of a batch as one: what one job would have made of it.
///
/// What only the whole batch can decide is decided here. Where that is not certain to be what one job decides, there is an obstacle, and one job
/// curates the whole batch.
struct MergedParts {
  let step: CurateStep
  /// The stream with all objects of the batch.
  let stream: CurationStream
  let hasSQL: Bool
  /// Rows of the snapshot before; nil before the first.
  let rowsBefore: Int?
  let results: [PartResult]
  private let contents: [HistoryContent]

  /// - Parameter parts: In any order, each with what it came to.
  /// - Throws: ``PartObstacle``.
  init(
    _ parts: [(part: CuratePart, result: PartResult)], step: CurateStep, stream: CurationStream, hasSQL: Bool,
    rowsBefore: Int?
  ) throws(PartObstacle) {
    self.step = step
    self.stream = stream
    self.hasSQL = hasSQL
    self.rowsBefore = rowsBefore
    let sorted = parts.sorted { $0.part.number < $1.part.number }
    results = sorted.map(\.result)
    var contents: [HistoryContent] = []
    var place = 0
    for (number, (part, result)) in sorted.enumerated() {
      guard part.number == number, part.count == parts.count, part.first == place, part.batch == sorted[0].part.batch,
        part.knownFields == sorted[0].part.knownFields
      else { throw PartObstacle("the parts are not those of one batch") }
      place = part.end
      guard let content = try? JSONDecoder().decode(HistoryContent.self, from: Data(result.content.utf8)),
        result.records.count == part.end - part.first
      else { throw PartObstacle("what a part has left cannot be read") }
      contents.append(content)
    }
    guard place == stream.objects.count, !results.isEmpty else { throw PartObstacle("the parts are not all there") }
    self.contents = contents
  }

  /// The objects with quarantined rows, in the order of the parts.
  var quarantineKeys: [String] { results.compactMap(\.quarantineKey) }
  var quarantined: Int64 { results.reduce(0) { $0 + $1.quarantined } }

  /// - Parameter quarantine: The one object with all quarantined rows.
  /// - Throws: ``PartObstacle``.
  func batch(quarantine: String?) throws(PartObstacle) -> CuratedBatch {
    let first = results[0]
    guard results.allSatisfy({ $0.columns == first.columns && $0.cursorField == first.cursorField }) else {
      throw PartObstacle("the parts have different columns")
    }
    let found = try fields()
    let counts = SnapshotCounts(
      rowsIn: results.reduce(0) { $0 + $1.rowsIn }, rowsOut: results.reduce(0) { $0 + $1.rowsOut },
      filtered: results.reduce(0) { $0 + $1.filtered }, deduplicated: 0, quarantined: quarantined)
    try refuseDoubtful(counts)
    var events = try drift(found)
    events += dropped.map { CurationEvent(.droppedColumn, $0) }
    events += CurationWork.unstorable(badReasons, dataset: step.name)
    events += try checks(rowsOut: Int(counts.rowsOut))
    let files = results.flatMap(\.files).enumerated().map { chunk, file in
      var file = file
      file.chunk = chunk
      return file
    }
    guard Set(files.map(\.partition)).count <= ParquetLayout.maximumPartitions else {
      throw PartObstacle("the parts have too many partitions together")
    }
    let records = zip(stream.objects.map(\.id), results.flatMap(\.records))
    return CuratedBatch(
      files: files, columns: first.columns, key: [], cursorField: first.cursorField, counts: counts,
      quarantineKey: quarantine, quarantineKeysReadable: results.allSatisfy(\.quarantineKeysReadable), events: events,
      fields: [stream.reference: found.names], recordsByObject: Dictionary(records) { $0 + $1 })
  }

  /// The fields of all records, as one reader of the whole batch meets them.
  ///
  /// Each part must have seen its rows with the same columns: else a value stands elsewhere, or a record in quarantine reads differently.
  private func fields() throws(PartObstacle) -> FoundFields {
    let names = StreamFields(stream, contents.flatMap { $0.fields.map(\.name) })
    let isTyped = stream.definition.columns.contains { $0.type != nil && $0.type != .text }
    let contract = Set(step.columns.map { SQLName($0.name) })
    func seen(_ fields: [RecordTable.Field]) -> [RecordTable.Field] {
      // Without a SELECT, nothing reads what the contract does not list.
      fields.filter { hasSQL || isTyped || contract.contains(SQLName($0.name)) }.enumerated().map {
        RecordTable.Field(name: $0.element.name, type: $0.element.type, column: "\($0.offset)")
      }
    }
    let all = seen(names.fields)
    for content in contents {
      let isSame = content.fields.allSatisfy { field in
        switch (names.name(of: field.name), field.column) {
        case (nil, nil): true
        case (let merged?, let own?): ExactText(merged) == ExactText(own)
        default: false
        }
      }
      guard isSame, seen(StreamFields(stream, content.fields.map(\.name)).fields) == all else {
        throw PartObstacle("the parts have different fields")
      }
    }
    return StreamReader.found(names, contents)
  }

  private func drift(_ found: FoundFields) throws(PartObstacle) -> [CurationEvent] {
    do { return try step.drift(of: stream, found) } catch { throw PartObstacle("the fields have changed") }
  }

  /// Rows that the run before had in quarantine already count as neither bad nor read. Without them a batch is only better, so one that is good
  /// enough with them is so in any case.
  private func refuseDoubtful(_ counts: SnapshotCounts) throws(PartObstacle) {
    if let limit = step.badRows.stopOver, Double(counts.quarantined) > limit * Double(counts.rowsIn) {
      throw PartObstacle("the batch may have more bad rows than `stop_over` allows")
    }
    if let minimum = step.minRows, counts.rowsIn > 0, counts.rowsOut < minimum {
      throw PartObstacle("the batch may have fewer rows than `min_rows`")
    }
  }

  private func checks(rowsOut: Int) throws(PartObstacle) -> [CurationEvent] {
    var events: [CurationEvent] = []
    for check in step.checks {
      guard case .rowsChange(let range) = check.rule else { throw PartObstacle("a check reads several rows") }
      guard let broken = DatasetChecks.tooLargeChange(to: rowsOut, from: rowsBefore, range) else { continue }
      guard check.severity == .warn else { throw PartObstacle("a check fails") }
      events.append(CurationEvent(.checkWarning, "dataset \(step.name): \(broken)"))
    }
    return events
  }

  private var dropped: [String] {
    var seen: Set<ExactText> = []
    return results.flatMap(\.dropped).filter { seen.insert(ExactText($0)).inserted }
  }

  private var badReasons: [BadReason] {
    var rows: [ExactText: Int] = [:]
    for bad in results.flatMap(\.badReasons) { rows[ExactText(bad.reason), default: 0] += bad.rows }
    return rows.sorted { $0.key < $1.key }.map { BadReason(reason: $0.key.text, rows: $0.value) }
  }
}
