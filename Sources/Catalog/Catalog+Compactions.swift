import JobModel
import JobStore
import Postgres

/// The files of neighbouring snapshots that are to become fewer files.
package struct NewCompaction: Sendable, Equatable {
  package var pipeline: String
  package var dataset: String
  package var numbers: ClosedRange<Int64>
  /// How many snapshots these are.
  package var count: Int
  /// The begin of its objects' keys, which no other compaction has.
  package var folder: String
  package var jobID: JobID

  package init(
    pipeline: String, dataset: String, numbers: ClosedRange<Int64>, count: Int, folder: String, jobID: JobID
  ) {
    self.pipeline = pipeline
    self.dataset = dataset
    self.numbers = numbers
    self.count = count
    self.folder = folder
    self.jobID = jobID
  }

  fileprivate var name: [PostgresValue] { [.text(pipeline), .text(dataset)] }
  fileprivate var range: [PostgresValue] { name + [.int(numbers.lowerBound), .int(numbers.upperBound)] }
}

/// What keeps snapshots from a compaction.
package struct HeldNumbers: Sendable, Equatable {
  /// Whether a compaction of them is under way; otherwise one failed a short while ago.
  package var isUnderWay: Bool
  package var numbers: ClosedRange<Int64>
}

extension Catalog {
  /// Whether so many small snapshots have come since a dataset's last compaction that it is worth looking at all of them.
  ///
  /// - Source: `compaction_due.sql`.
  package func isCompactionDue(
    pipeline: String, dataset: String, snapshots: Int, below bytes: Int64
  ) async throws -> Bool {
    try await database.query(
      Statement.compactionDue, [.text(pipeline), .text(dataset), .int(Int64(snapshots)), .int(bytes)]
    ).only.bool("due")
  }

  /// Snapshots of a dataset that no compaction may begin with now.
  ///
  /// - Source: `compaction_held.sql`.
  package func heldNumbers(
    pipeline: String, dataset: String, now: String? = nil
  ) async throws -> [HeldNumbers] {
    try await database.query(Statement.compactionHeld, [.text(pipeline), .text(dataset), .optional(now)]).map { row in
      HeldNumbers(
        isUnderWay: try row.string("state") == "open",
        numbers: try row.int("first_number")...(try row.int("last_number")))
    }
  }

  /// How many rows the catalog says that each of these snapshots has, by number; those without rows are left out.
  ///
  /// - Source: `snapshot_file_rows.sql`.
  package func rows(of compaction: NewCompaction) async throws -> [Int64: Int64] {
    let rows = try await database.query(Statement.snapshotFileRows, compaction.range)
    return Dictionary(uniqueKeysWithValues: try rows.map { (try $0.int("number"), try $0.int("rows")) })
  }

  /// Notes that a compaction begins. Nothing reads it before ``commit(_:id:files:)``.
  ///
  /// - Source: `compaction_open.sql`.
  package func open(_ compaction: NewCompaction) async throws -> Int64 {
    let values = compaction.range + [.int(Int64(compaction.count)), .text(compaction.folder)]
    return try await database.query(Statement.compactionOpen, values + [.int(compaction.jobID.rawValue)]).only.int(
      "compaction_id")
  }

  /// Makes readers open the files of a compaction instead of those of its snapshots, in one transaction.
  ///
  /// - Returns: Whether it did: not where a full snapshot came, a snapshot is gone, or another compaction was faster. Nothing changes
  ///   then.
  /// - Source: `snapshot_lock.sql`, `compaction_fits.sql`, `compaction_supersede.sql`, `compaction_end.sql`,
  ///   `compacted_file_insert.sql`.
  package func commit(_ compaction: NewCompaction, id: Int64, files: [DataFile]) async throws -> Bool {
    try await database.transaction { transaction in
      try await transaction.query(Statement.snapshotLock, compaction.name)
      let fits = try await transaction.query(
        Statement.compactionFits, compaction.range + [.int(Int64(compaction.count))])
      guard try fits.only.bool("fits") else { return false }
      try await transaction.query(Statement.compactionSupersede, compaction.range)
      let ended = try await transaction.query(
        Statement.compactionEnd, [.int(id), .text("open"), .text("current"), .null])
      // Its objects may be gone with it.
      guard !ended.isEmpty else { throw CompactionForgotten() }
      guard !files.isEmpty else { return true }
      try await transaction.query(
        Statement.compactedFileInsert,
        [
          .int(id), .ints(files.map { Int64($0.chunk) }), .texts(files.map(\.key)), .ints(files.map(\.rows)),
          .ints(files.map(\.bytes)), .texts(files.map(\.sha256)),
        ])
      return true
    }
  }

  /// Ends a compaction that is not to be read.
  ///
  /// - Parameter error: Why it failed; nil: it is not needed.
  /// - Source: `compaction_end.sql`.
  package func abandon(compaction id: Int64, error: String?, in session: some PostgresSession) async throws {
    try await session.query(
      Statement.compactionEnd,
      [.int(id), .text("open"), .text(error == nil ? "superseded" : "failed"), .optional(error)])
  }

  /// Takes a compaction out of use whose objects are gone.
  ///
  /// - Source: `compaction_end.sql`.
  package func retire(lost id: Int64) async throws {
    try await database.query(
      Statement.compactionEnd, [.int(id), .text("current"), .text("superseded"), .text("an object of it is gone")])
  }

  /// Takes the compactions of a dataset out of use that no reader opens.
  ///
  /// - Source: `compaction_retire.sql`.
  package func retireCompactions(pipeline: String, dataset: String) async throws {
    try await database.query(Statement.compactionRetire, [.text(pipeline), .text(dataset)])
  }

  /// The compactions of a dataset whose objects can be removed, and the folder of each.
  ///
  /// - Source: `compaction_outlived.sql`.
  package func outlivedCompactions(
    pipeline: String, dataset: String, now: String? = nil
  ) async throws -> [(id: Int64, folder: String)] {
    try await database.query(
      Statement.compactionOutlived, [.text(pipeline), .text(dataset), .optional(now)]
    ).map { (id: try $0.int("compaction_id"), folder: try $0.string("folder")) }
  }

  /// - Source: `compaction_forget.sql`.
  package func forget(compaction id: Int64) async throws {
    try await database.query(Statement.compactionForget, [.int(id)])
  }
}

/// A compaction took so long that it was taken for one that a crash left, and was removed.
package struct CompactionForgotten: Failure {
  package init() {}
  package var code: String { "compaction_forgotten" }
  package var message: String { "the compaction took more than two days" }
  package var hint: String? { nil }
  package var isTransient: Bool { true }
}
