import JobModel
import JobStore
import Postgres

/// What the catalog keeps of a segment of a stream's history.
package struct StoredSegment: Sendable {
  package var id: Int64
  package var stream: StreamID
  package var firstObject: Int64
  package var objects: Int
  package var identity: String
  /// JSON of the curation's own.
  package var content: String
  /// In the raw zone.
  package var key: String
  package var bytes: Int64
  package var sha256: String
  /// False: its file is to be removed.
  package var isLive: Bool

  /// - Parameter id: Drawn by the catalog: ``Catalog/announce(_:dataset:)``.
  package init(
    id: Int64 = 0, stream: StreamID, firstObject: Int64, objects: Int, identity: String, content: String, key: String,
    bytes: Int64, sha256: String, isLive: Bool = false
  ) {
    self.id = id
    self.stream = stream
    self.firstObject = firstObject
    self.objects = objects
    self.identity = identity
    self.content = content
    self.key = key
    self.bytes = bytes
    self.sha256 = sha256
    self.isLive = isLive
  }
}

extension Catalog {
  /// The segments of a dataset, also those that are to be removed.
  ///
  /// - Source: `history_segment_list.sql`.
  package func segments(pipeline: String, dataset: String) async throws -> [StoredSegment] {
    try await database.query(Statement.historySegmentList, [.text(pipeline), .text(dataset)]).map { row in
      StoredSegment(
        id: try row.int("segment_id"),
        stream: StreamID(pipeline: pipeline, source: try row.string("source"), stream: try row.string("stream")),
        firstObject: try row.int("first_object"), objects: Int(try row.int("objects")),
        identity: try row.string("identity"), content: try row.string("content"), key: try row.string("key"),
        bytes: try row.int("bytes"), sha256: try row.string("sha256"), isLive: try row.bool("is_live"))
    }
  }

  /// Notes a segment before its file is stored. It counts from ``settle(_:pipeline:dataset:in:)`` on.
  ///
  /// - Returns: Its number.
  /// - Source: `history_segment_announce.sql`.
  package func announce(_ segment: StoredSegment, dataset: String) async throws -> Int64 {
    try await database.query(
      Statement.historySegmentAnnounce,
      [
        .text(segment.stream.pipeline), .text(dataset), .text(segment.stream.source), .text(segment.stream.stream),
        .int(segment.firstObject), .int(Int64(segment.objects)), .text(segment.identity), .text(segment.content),
        .text(segment.key), .int(segment.bytes), .text(segment.sha256),
      ]
    ).only.int("segment_id")
  }

  /// Says which segments a dataset has, in the transaction that completes its job.
  ///
  /// - Source: `history_segment_settle.sql`.
  package func settle(
    _ live: [Int64], pipeline: String, dataset: String, in session: some PostgresSession
  ) async throws {
    try await session.query(Statement.historySegmentSettle, [.text(pipeline), .text(dataset), .ints(live)])
  }

  /// Forgets segments whose files are gone.
  ///
  /// - Source: `history_segment_forget.sql`.
  package func forget(segments: [Int64]) async throws {
    guard !segments.isEmpty else { return }
    try await database.query(Statement.historySegmentForget, [.ints(segments)])
  }
}
