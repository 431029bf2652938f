import DuckDB
import JobModel
import PipelineDefinition

extension StreamReader {
  /// Reads the objects of a history that are not `taken`: by segments where there are any that can be used, and the rest as raw.
  ///
  /// - Returns: The stream, and the segments that were used.
  func read(
    _ history: StreamHistory, without taken: Set<Int64>, _ stream: CurationStream, into name: String, index: Int
  ) async throws -> LoadedStream {
    let segments = try await history.segments(without: taken)
    let covered = segments.reduce(0) { $0 + $1.span.count }
    let rest = history.objects[covered...].filter { !taken.contains($0.id) }
    let past = Past(segments: segments, objects: Array(history.objects[..<covered]), shape: history.shape)
    if !segments.isEmpty, let loaded = try await read(stream, rest, after: past, into: name, index: index) {
      return loaded
    }
    return try await read(stream, history.objects.filter { !taken.contains($0.id) }, into: name, index: index)
  }

  /// What stands before the raw that is read.
  struct Past: Sendable {
    var segments: [HistorySegment] = []
    /// The objects that the segments stand for.
    var objects: [CurationObject] = []
    var shape = HistoryShape(keepsRecords: false, keepsBad: false)
  }
}

/// The SQL that takes a segment's rows in.
enum SegmentRows {
  static func scan(_ path: String) -> String { "read_parquet(\(quoteLiteral(path)), hive_partitioning = false)" }

  static func insert(_ segment: HistorySegment, _ shape: HistoryShape, into table: RecordTable) -> String {
    var list = [SystemColumn.object, SystemColumn.position]
    if table.keepsRecords { list.append(shape.keepsRecords ? SystemColumn.record : "null") }
    for field in table.fields {
      let place = segment.content.columns.firstIndex { $0.isExactly(field.name) }
      list.append(place.map { "c\($0)" } ?? "null")
    }
    return """
      insert into \(table.name) select \(list.joined(separator: ", ")) from \(scan(segment.path)) where _reason is null
      """
  }

  static func insertRejects(_ segment: HistorySegment, stream index: Int) -> String {
    """
    insert into raw.rejects
    select \(index), _object, null, _line, _byte, [_reason], _reject, null from \(scan(segment.path)) where _reason is not null
    """
  }

  /// What a file holds: rows of records, and others.
  static func count(_ path: String) -> String {
    "select count(*) filter (_reason is null) as rows, count(_reason) as rejects from \(scan(path))"
  }
}
