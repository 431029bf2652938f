import FoundationEssentials
import JobModel
import JobStore
import Postgres

extension Catalog {
  /// Commits a snapshot with its files and what it took from raw, in the transaction that completes its job.
  ///
  /// - Returns: The snapshot's number.
  /// - Source: `snapshot_lock.sql`, `snapshot_insert.sql`, `data_file_insert.sql`, `consumed_insert.sql`.
  @discardableResult
  package func commit(_ snapshot: NewSnapshot, in session: some PostgresSession) async throws -> Int64 {
    try await session.query(Statement.snapshotLock, [.text(snapshot.pipeline), .text(snapshot.dataset)])
    let encoder = JSONEncoder()
    let columns = String(decoding: try encoder.encode(snapshot.columns), as: UTF8.self)
    let key = String(decoding: try encoder.encode(snapshot.key), as: UTF8.self)
    let rows = try await session.query(
      Statement.snapshotInsert,
      [
        .text(snapshot.id), .text(snapshot.pipeline), .text(snapshot.dataset), .int(snapshot.runID.rawValue),
        .int(snapshot.jobID.rawValue), .bool(snapshot.isFull), .json(columns), .json(key),
        .optional(snapshot.cursorField), .int(snapshot.counts.rowsIn), .int(snapshot.counts.rowsOut),
        .optional(snapshot.counts.filtered), .int(snapshot.counts.deduplicated), .int(snapshot.counts.quarantined),
        .optional(snapshot.quarantineKey), .bool(snapshot.quarantineKeysReadable), .optional(snapshot.previousID),
      ])
    try await insertFiles(snapshot, in: session)
    try await consume(
      snapshot.taken, pipeline: snapshot.pipeline, dataset: snapshot.dataset, snapshot: snapshot.id, in: session)
    return try rows.only.int("number")
  }

  /// Keeps snapshots of a dataset from being committed by others until the transaction ends.
  ///
  /// - Source: `snapshot_lock.sql`.
  package func lockSnapshots(pipeline: String, dataset: String, in session: some PostgresSession) async throws {
    try await session.query(Statement.snapshotLock, [.text(pipeline), .text(dataset)])
  }

  /// Notes that a dataset has taken raw which brought no new version of it: there was no new object.
  package func consume(
    _ taken: [DueRaw], pipeline: String, dataset: String, snapshot: String?, in session: some PostgresSession
  ) async throws {
    let streams = taken.flatMap { due in
      due.runs.map { (due.stream, $0.id, true) } + due.superseded.map { (due.stream, $0, false) }
    }
    guard !streams.isEmpty else { return }
    try await session.query(
      Statement.consumedInsert,
      [
        .text(pipeline), .text(dataset), .optional(snapshot), .texts(streams.map(\.0.source)),
        .texts(streams.map(\.0.stream)), .ints(streams.map(\.1.rawValue)),
        .texts(streams.map { $0.2 ? "true" : "false" }),
      ])
  }

  /// Notes that a snapshot has what another one took, which it replaces.
  ///
  /// - Source: `consumed_move.sql`.
  package func moveTaken(
    from replaced: String, to snapshot: NewSnapshot, in session: some PostgresSession
  ) async throws {
    try await session.query(
      Statement.consumedMove,
      [.text(snapshot.pipeline), .text(snapshot.dataset), .text(replaced), .text(snapshot.id)])
  }

  private func insertFiles(_ snapshot: NewSnapshot, in session: some PostgresSession) async throws {
    let files = snapshot.files
    guard !files.isEmpty else { return }
    try await session.query(
      Statement.dataFileInsert,
      [
        .text(snapshot.id), .ints(files.map { Int64($0.chunk) }), .texts(files.map(\.key)),
        .texts(files.map(\.partition)), .ints(files.map(\.rows)), .ints(files.map(\.bytes)),
        .texts(files.map(\.sha256)),
      ])
  }

  /// The snapshots of a dataset from a number on, oldest first, with their files.
  ///
  /// - Parameters:
  ///   - pipeline: nil: of all pipelines.
  ///   - dataset: nil: all datasets.
  ///   - run: nil: of any run.
  package func snapshots(
    pipeline: String?, dataset: String?, from number: Int64 = 0, run: RunID? = nil
  ) async throws -> [Snapshot] {
    let rows = try await database.query(
      Statement.snapshotList, [.optional(pipeline), .optional(dataset), .int(number), .optional(run?.rawValue)])
    return try await withFiles(try rows.map(Snapshot.init(row:)))
  }

  private func withFiles(_ snapshots: [Snapshot]) async throws -> [Snapshot] {
    guard !snapshots.isEmpty else { return [] }
    var snapshots = snapshots
    let fileRows = try await database.query(Statement.dataFileList, [.texts(snapshots.map(\.id))])
    var files: [String: [DataFile]] = [:]
    for row in fileRows {
      files[try row.string("snapshot_id"), default: []].append(
        DataFile(
          chunk: Int(try row.int("chunk")), key: try row.string("key"), partition: try row.string("partition"),
          rows: try row.int("rows"), bytes: try row.int("bytes"), sha256: try row.string("sha256")))
    }
    for index in snapshots.indices { snapshots[index].files = files[snapshots[index].id] ?? [] }
    return snapshots
  }

  /// The newest snapshot of a dataset, without its files; nil where there is none.
  ///
  /// - Source: `snapshot_last.sql`.
  package func lastSnapshot(pipeline: String, dataset: String) async throws -> Snapshot? {
    try await database.query(Statement.snapshotLast, [.text(pipeline), .text(dataset)]).first.map(Snapshot.init(row:))
  }
}
