import FoundationEssentials
import JobModel
import Postgres

/// One committed version of a dataset.
package struct Snapshot: Sendable, Equatable {
  /// Never issued again, so that a ledger that knows it stays right after a restore.
  package var id: String
  /// For people, and the order of loading.
  package var number: Int64
  package var pipeline: String
  package var dataset: String
  package var runID: RunID
  /// Whether it replaces the snapshot before, or adds to it.
  package var isFull: Bool
  package var columns: [SnapshotColumn]
  package var key: [String]
  package var cursorField: String?
  package var counts: SnapshotCounts
  /// The object that holds the quarantined rows; nil where there are none.
  package var quarantineKey: String?
  /// Whether the key of every quarantined row could be read: without it nothing may be deleted.
  package var quarantineKeysReadable: Bool
  package var createdAt: String
  package var files: [DataFile]
}

package struct SnapshotColumn: Sendable, Equatable, Codable {
  package var name: String
  /// A type of the contract, such as `decimal(18,4)`.
  package var type: String
  /// The type of the stream's cursor where the column orders the versions of a row; nil in other columns, and in snapshots of
  /// earlier engines.
  package var cursor: String?
  /// True for the columns by whose values a newer snapshot's rows replace all earlier ones; nil in others.
  package var replaces: Bool?
  package init(name: String, type: String, cursor: String? = nil, replaces: Bool? = nil) {
    self.replaces = replaces
    self.name = name
    self.type = type
    self.cursor = cursor
  }
}

/// Every row that came in is in exactly one of the others; `filtered` is nil where the SELECT aggregates.
package struct SnapshotCounts: Sendable, Equatable {
  package var rowsIn: Int64
  package var rowsOut: Int64
  package var filtered: Int64?
  package var deduplicated: Int64
  package var quarantined: Int64

  package init(rowsIn: Int64, rowsOut: Int64, filtered: Int64?, deduplicated: Int64, quarantined: Int64) {
    self.rowsIn = rowsIn
    self.rowsOut = rowsOut
    self.filtered = filtered
    self.deduplicated = deduplicated
    self.quarantined = quarantined
  }
}

/// One Parquet file of a snapshot.
package struct DataFile: Sendable, Equatable, Codable {
  package var chunk: Int
  package var key: String
  package var partition: String
  package var rows: Int64
  package var bytes: Int64
  package var sha256: String

  package init(chunk: Int, key: String, partition: String, rows: Int64, bytes: Int64, sha256: String) {
    self.chunk = chunk
    self.key = key
    self.partition = partition
    self.rows = rows
    self.bytes = bytes
    self.sha256 = sha256
  }
}

/// A snapshot that is about to be committed, with what it takes from raw.
package struct NewSnapshot: Sendable {
  /// A fresh UUID.
  package var id: String
  package var pipeline: String
  package var dataset: String
  package var runID: RunID
  package var jobID: JobID
  package var isFull: Bool
  package var columns: [SnapshotColumn]
  package var key: [String]
  package var cursorField: String?
  package var counts: SnapshotCounts
  package var quarantineKey: String?
  package var quarantineKeysReadable: Bool
  package var previousID: String?
  package var files: [DataFile]
  package var taken: [DueRaw]

  package init(
    id: String, pipeline: String, dataset: String, runID: RunID, jobID: JobID, isFull: Bool, columns: [SnapshotColumn],
    key: [String], cursorField: String?, counts: SnapshotCounts, quarantineKey: String?, quarantineKeysReadable: Bool,
    previousID: String?, files: [DataFile], taken: [DueRaw]
  ) {
    self.id = id
    self.pipeline = pipeline
    self.dataset = dataset
    self.runID = runID
    self.jobID = jobID
    self.isFull = isFull
    self.columns = columns
    self.key = key
    self.cursorField = cursorField
    self.counts = counts
    self.quarantineKey = quarantineKey
    self.quarantineKeysReadable = quarantineKeysReadable
    self.previousID = previousID
    self.files = files
    self.taken = taken
  }
}

extension Snapshot {
  init(row: PostgresRow) throws {
    let decoder = JSONDecoder()
    self.init(
      id: try row.string("snapshot_id"), number: try row.int("number"), pipeline: try row.string("pipeline"),
      dataset: try row.string("dataset"), runID: RunID(try row.int("run_id")), isFull: try row.bool("is_full"),
      columns: try decoder.decode([SnapshotColumn].self, from: Data(try row.string("columns").utf8)),
      key: try decoder.decode([String].self, from: Data(try row.string("key").utf8)),
      cursorField: try row.optionalString("cursor_field"),
      counts: SnapshotCounts(
        rowsIn: try row.int("rows_in"), rowsOut: try row.int("rows_out"), filtered: try row.optionalInt("filtered"),
        deduplicated: try row.int("deduplicated"), quarantined: try row.int("quarantined")),
      quarantineKey: try row.optionalString("quarantine_key"),
      quarantineKeysReadable: try row.bool("quarantine_keys_readable"), createdAt: try row.string("created_at"),
      files: [])
  }
}
