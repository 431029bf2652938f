import ObjectStore
import PipelineDefinition

/// A hash over everything that decides which rows a segment has, and what they are.
///
/// What is in no segment's hash must not change its rows: a change of how records are read, of which version of a key is the latest
/// or of how a segment is written comes with a higher ``version``.
enum HistoryIdentity {
  static let version = 1

  /// - Parameters:
  ///   - objects: In the order of the history.
  ///   - engine: The version of the SQL engine.
  /// - Returns: nil where the bytes of an object are not known.
  static func of(
    _ objects: ArraySlice<CurationObject>, _ stream: Stream, _ shape: HistoryShape, engine: String
  ) -> String? {
    var parts = ["\(version)", engine, "\(shape.keepsRecords) \(shape.keepsBad)"]
    parts += ["\(stream.records)", "\(stream.maximumRecordBytes) \(stream.fixesColumns)"]
    parts += [stream.columns.count.description] + stream.columns.flatMap { [$0.name, $0.type?.name ?? ""] }
    parts += [stream.key.count.description] + stream.key
    parts += stream.cursor.map { [$0.field, $0.type.name, $0.sourceTimezone ?? ""] } ?? []
    for object in objects {
      guard let content = object.content else { return nil }
      parts += ["\(object.id) \(object.run) \(object.sequence)", "\(content.bytes)", content.sha256]
    }
    var hasher = SHA256Hasher()
    for part in parts { hasher.update(Array("\(part.utf8.count):\(part)".utf8)) }
    return hasher.finalizeHex()
  }
}
