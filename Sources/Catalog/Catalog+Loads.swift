import JobModel
import JobStore
import Postgres

/// What a target's ledger confirmed of one snapshot and table.
package struct LoadRecord: Sendable, Equatable {
  package enum Status: String, Sendable { case loaded, superseded }
  package var snapshotID: String
  package var target: String
  package var table: String
  package var status: Status
  package var rows: Int64
  package var inserted: Int64
  package var updated: Int64
  package var deleted: Int64

  package init(
    snapshotID: String, target: String, table: String, status: Status, rows: Int64, inserted: Int64, updated: Int64,
    deleted: Int64
  ) {
    self.snapshotID = snapshotID
    self.target = target
    self.table = table
    self.status = status
    self.rows = rows
    self.inserted = inserted
    self.updated = updated
    self.deleted = deleted
  }
}

extension Catalog {
  /// Records what a target's ledger confirmed, all of it with one statement.
  ///
  /// - Parameter isNew: Whether this job loaded it. Then it replaces what an earlier load of the same snapshot recorded;
  ///   otherwise a row that exists stays.
  /// - Source: `loaded_record.sql`.
  package func recordLoads(
    _ loads: [LoadRecord], isNew: Bool, ticket: Int64, run: RunID?, in session: some PostgresSession
  ) async throws {
    guard !loads.isEmpty else { return }
    try await session.query(
      Statement.loadedRecord,
      [
        .texts(loads.map(\.snapshotID)), .texts(loads.map(\.target)), .texts(loads.map(\.table)),
        .texts(loads.map(\.status.rawValue)), .ints(loads.map(\.rows)), .ints(loads.map(\.inserted)),
        .ints(loads.map(\.updated)), .ints(loads.map(\.deleted)), .int(ticket), .optional(run?.rawValue), .bool(isNew),
      ])
  }

  /// What targets confirmed of the snapshots that a run made, or that it loaded again.
  ///
  /// - Source: `loaded_list.sql`.
  package func loads(ofRun run: RunID) async throws -> [LoadRecord] {
    try await database.query(Statement.loadedList, [.int(run.rawValue)]).map { row in
      LoadRecord(
        snapshotID: try row.string("snapshot_id"), target: try row.string("target"),
        table: try row.string("table_name"), status: try row.string("status") == "loaded" ? .loaded : .superseded,
        rows: try row.int("rows"), inserted: try row.int("inserted"), updated: try row.int("updated"),
        deleted: try row.int("deleted"))
    }
  }

  /// Forgets what is recorded of loads of a dataset into a table, before the table's ledger is forgotten.
  ///
  /// - Source: `loaded_forget.sql`.
  package func forgetLoads(pipeline: String, dataset: String, target: String, table: String) async throws {
    try await database.query(
      Statement.loadedForget, [.text(pipeline), .text(dataset), .text(target), .text(table)])
  }

  /// Those of these snapshots of which a load into this table is recorded, superseded ones left out.
  ///
  /// - Source: `snapshot_recorded.sql`.
  package func recordedLoads(of snapshots: [String], target: String, table: String) async throws -> Set<String> {
    guard !snapshots.isEmpty else { return [] }
    let rows = try await database.query(
      Statement.snapshotRecorded, [.texts(snapshots), .text(target), .text(table)])
    return Set(try rows.map { try $0.string("snapshot_id") })
  }

  /// Those of these UUIDs that are no snapshot of any dataset.
  ///
  /// - Source: `snapshot_unknown.sql`.
  package func unknownSnapshots(_ snapshots: [String]) async throws -> [String] {
    try await database.query(Statement.snapshotUnknown, [.texts(snapshots)]).map { try $0.string("snapshot_id") }
  }

  /// The number of a dataset's snapshot; nil where the dataset has no such snapshot.
  ///
  /// - Source: `snapshot_number.sql`.
  package func number(ofSnapshot id: String, pipeline: String, dataset: String) async throws -> Int64? {
    try await database.query(Statement.snapshotNumber, [.text(id), .text(pipeline), .text(dataset)]).first?.int(
      "number")
  }

  /// The snapshots of a dataset up to a number for which no load into this table is recorded.
  ///
  /// - Source: `snapshot_unrecorded.sql`.
  package func unrecordedSnapshots(
    pipeline: String, dataset: String, upTo number: Int64, target: String, table: String
  ) async throws -> [String] {
    try await database.query(
      Statement.snapshotUnrecorded, [.text(pipeline), .text(dataset), .int(number), .text(target), .text(table)]
    ).map { try $0.string("snapshot_id") }
  }

  /// The snapshots of a dataset that these runs made, oldest first: several of one run where it was repeated.
  ///
  /// - Source: `snapshot_of_runs.sql`.
  package func snapshots(
    pipeline: String, dataset: String, ofRuns runs: [RunID]
  ) async throws -> [(id: String, run: RunID, number: Int64)] {
    guard !runs.isEmpty else { return [] }
    return try await database.query(
      Statement.snapshotOfRuns, [.text(pipeline), .text(dataset), .ints(runs.map(\.rawValue))]
    ).map { (try $0.string("snapshot_id"), RunID(try $0.int("run_id")), try $0.int("number")) }
  }
}
