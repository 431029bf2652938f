import FoundationEssentials
import JobModel
import JobStore
import Postgres

/// What a reader of a dataset opens for one snapshot, or for neighbouring snapshots that a compaction has in fewer files.
package struct DatasetPart: Sendable, Equatable {
  /// The newest one. Its `files` are the files to open; those of a compaction have the number of each row's snapshot in a column.
  package var snapshot: Snapshot
  package var firstNumber: Int64
  /// How many snapshots it has.
  package var count: Int
  /// nil: the snapshot's own files.
  package var compaction: Int64?

  /// A snapshot with its own files.
  package init(_ snapshot: Snapshot) {
    self.init(snapshot: snapshot, firstNumber: snapshot.number, count: 1, compaction: nil)
  }

  package init(snapshot: Snapshot, firstNumber: Int64, count: Int, compaction: Int64?) {
    self.snapshot = snapshot
    self.firstNumber = firstNumber
    self.count = count
    self.compaction = compaction
  }

  package var isCompacted: Bool { compaction != nil }
  package var lastNumber: Int64 { snapshot.number }
  package var bytes: Int64 { snapshot.files.reduce(0) { $0 + $1.bytes } }
}

extension Catalog {
  /// What a reader of a dataset opens, oldest first: of the newest full snapshot and everything added since, or of all of an
  /// incremental dataset. One view of the catalog: each snapshot is in exactly one part.
  ///
  /// - Parameters:
  ///   - pipeline: nil: of all pipelines.
  ///   - dataset: nil: all datasets.
  /// - Source: `dataset_part_list.sql`.
  package func parts(pipeline: String?, dataset: String?) async throws -> [DatasetPart] {
    let decoder = JSONDecoder()
    return try await database.query(Statement.datasetPartList, [.optional(pipeline), .optional(dataset)]).map { row in
      var snapshot = try Snapshot(row: row)
      snapshot.files = try decoder.decode([DataFile].self, from: Data(try row.string("files").utf8))
      return DatasetPart(
        snapshot: snapshot, firstNumber: try row.int("first_number"), count: Int(try row.int("snapshots")),
        compaction: try row.optionalInt("compaction_id"))
    }
  }
}
