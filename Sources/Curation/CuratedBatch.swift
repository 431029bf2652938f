import Catalog
import JobModel
import PipelineDefinition

/// What a curate job is about.
struct CurateBatch: Sendable {
  var pipeline: Pipeline
  var step: CurateStep
  var run: RunID
  /// The rules that the run's definition was checked by.
  var edition: Edition
  /// Reads the project's files as they were when the run began.
  var read: CurateHandler.SQLReader

  var streams: [StreamID] {
    step.from.map { StreamID(pipeline: pipeline.name, source: $0.source, stream: $0.stream) }
  }

  /// The dataset's SQL; nil where it has none.
  var sql: String? { get throws { try step.sqlPath.map(read) } }
}

/// What a batch came to, with its files in the store: a snapshot that is about to be committed.
struct CuratedBatch: Sendable {
  var files: [DataFile]
  var columns: [SnapshotColumn]
  var key: [String]
  var cursorField: String?
  var counts: SnapshotCounts
  var quarantineKey: String?
  var quarantineKeysReadable: Bool
  var events: [CurationEvent]
  /// The fields that each stream's records had this time.
  var fields: [StreamReference: [String]]
  /// Records by raw object, the malformed ones included.
  var recordsByObject: [Int64: Int]
}

extension CuratedBatch {
  /// - Parameter quarantine: Where the quarantine was stored, if there is one.
  init(_ result: CurationResult, files: [DataFile], quarantine: String) {
    self.init(
      files: files, columns: result.snapshotColumns, key: result.key, cursorField: result.cursorField,
      counts: SnapshotCounts(result.counts), quarantineKey: result.quarantine == nil ? nil : quarantine,
      quarantineKeysReadable: result.quarantineKeysReadable, events: result.events, fields: result.fields,
      recordsByObject: result.recordsByObject)
  }
}
