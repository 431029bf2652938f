import DuckDB
import JobModel
import ObjectStore
import PipelineDefinition

/// What a stream brought, in the order in which its rows count, and the segments that stand for the first of it.
struct StreamHistory: Sendable {
  let stream: CurationStream
  /// By run, then as they were pulled.
  let objects: [CurationObject]
  let shape: HistoryShape
  let engine: String

  init(_ stream: CurationStream, shape: HistoryShape, engine: String) {
    self.stream = stream
    self.shape = shape
    self.engine = engine
    objects = stream.history.sorted { ($0.run, $0.sequence, $0.id) < ($1.run, $1.sequence, $1.id) }
  }

  /// The segments that stand for the first objects without a gap. One that was made of anything else ends the row, and so does one
  /// whose file is not what was stored.
  ///
  /// - Parameter taken: Objects that are read anyway.
  func segments(without taken: Set<Int64>) async throws -> [HistorySegment] {
    guard !stream.segments.isEmpty else { return [] }
    let byFirst = Dictionary(stream.segments.map { ($0.span.first, $0) }) { first, _ in first }
    var found: [HistorySegment] = []
    var index = 0
    while index < objects.count, let segment = byFirst[objects[index].id] {
      let end = index + segment.span.count
      guard segment.span.count > 0, end <= objects.count else { break }
      let slice = objects[index..<end]
      guard !slice.contains(where: { taken.contains($0.id) }), identity(of: slice) == segment.span.identity,
        try await Self.isWhole(segment, slice)
      else { break }
      found.append(segment)
      index = end
    }
    return found
  }

  func identity(of objects: ArraySlice<CurationObject>) -> String? {
    HistoryIdentity.of(objects, stream.definition, shape, engine: engine)
  }

  /// Whether the file is the one that was stored, and the raw that it stands for is there: without its raw no row is seen.
  private static func isWhole(_ segment: HistorySegment, _ objects: ArraySlice<CurationObject>) async throws -> Bool {
    try await BlockingIO.run {
      guard let file = try? FileHash.hash(segment.path), file.sha256 == segment.sha256 else { return false }
      return objects.allSatisfy { object in
        (try? CurationWork.size(of: object.path)).map(Int64.init) == object.content?.bytes
      }
    }
  }

  /// How many of the segments stay when `rows` more follow. The others become one with them.
  ///
  /// Each that stays has at least twice the rows of the next. So there are at most as many as the rows have binary digits, and a row
  /// is written again only into a segment that is half as large again.
  static func kept(_ segments: [HistorySegment], before rows: Int) -> Int {
    var kept = segments.count
    var weight = max(1, rows)
    while kept > 0, max(1, segments[kept - 1].content.rows) < 2 * weight {
      weight += segments[kept - 1].content.rows
      kept -= 1
    }
    return kept
  }
}
