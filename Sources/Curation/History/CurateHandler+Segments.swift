import Catalog
import FoundationEssentials
import JobModel
import JobStore
import Logging
import ObjectStore
import PipelineDefinition

/// Segments of streams' histories: which there are, where their files are, and when they go.
///
/// A segment's file is in the raw zone, because it has what its raw has: a dataset's masks do not hold for it. Only the attempt that
/// has the dataset's permit reads and replaces its segments.
extension CurateHandler {
  /// The segments of one stream that a request may use. One that this engine cannot read is not used.
  static func segments(
    of stream: StreamID, among stored: [StoredSegment], in raw: any ObjectStore
  ) throws -> [HistorySegment] {
    try stored.filter { $0.isLive && $0.stream == stream }.compactMap { segment in
      guard let content = try? JSONDecoder().decode(HistoryContent.self, from: Data(segment.content.utf8)),
        let path = raw.localPath(try ObjectKey(segment.key))
      else { return nil }
      return HistorySegment(
        id: segment.id, path: path, sha256: segment.sha256,
        span: HistorySpan(first: segment.firstObject, count: segment.objects, identity: segment.identity),
        content: content)
    }
  }

  /// Stores the files of new segments. The catalog knows each before its file is there, so that the file of an attempt that does not
  /// complete is found and removed.
  ///
  /// Where the raw zone takes no file, the next run reads more raw; that is no reason to fail this one.
  ///
  /// - Returns: Those whose files are there.
  func store(
    _ segments: [OutputSegment], of pipeline: Pipeline, dataset: String, name: String, _ attempt: JobAttempt
  ) async throws -> [StoredSegment] {
    let raw = try rawStore(pipeline)
    var stored: [StoredSegment] = []
    for (number, segment) in segments.enumerated() {
      let stream = StreamID(pipeline: pipeline.name, source: segment.stream.source, stream: segment.stream.stream)
      let key = "raw/\(stream.pipeline)/\(stream.source)/\(stream.stream)/history/\(dataset)/\(name)-\(number).parquet"
      let (bytes, sha256) = try await BlockingIO.run { try FileHash.hash(segment.path) }
      var row = StoredSegment(
        stream: stream, firstObject: segment.span.first, objects: segment.span.count, identity: segment.span.identity,
        content: String(decoding: try JSONEncoder().encode(segment.content), as: UTF8.self), key: key, bytes: bytes,
        sha256: sha256)
      row.id = try await catalog.announce(row, dataset: dataset)
      do { try await raw.adopt(file: segment.path, as: try ObjectKey(key)) } catch let error as ObjectStoreError {
        attempt.logger.warning("a segment was not stored", metadata: ["error": "\(error)"])
        continue
      }
      stored.append(row)
    }
    return stored
  }

  /// Removes the files of segments that are not live any more. What cannot be removed now is removed after the next run.
  ///
  /// - Parameter live: The segments that the completed job left.
  func removeSegments(
    _ stored: [StoredSegment], but live: [Int64], of pipeline: Pipeline, _ attempt: JobAttempt
  ) async {
    let gone = stored.filter { !live.contains($0.id) }
    guard !gone.isEmpty else { return }
    do {
      let raw = try rawStore(pipeline)
      for segment in gone { try await raw.delete(try ObjectKey(segment.key)) }
      try await catalog.forget(segments: gone.map(\.id))
    } catch {
      attempt.logger.warning("replaced segments were not removed", metadata: ["error": "\(error)"])
    }
  }
}
