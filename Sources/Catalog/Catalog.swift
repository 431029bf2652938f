import JobModel
import JobStore
import Postgres

/// What is known of the data: raw objects and their manifest, cursors, datasets, snapshots, and what targets confirmed.
///
/// Functions that write take the transaction of the checkpoint or completion that their rows belong to.
package struct Catalog: Sendable {
  package let database: PostgresPool

  package init(database: PostgresPool) { self.database = database }

  /// The name under which the ledgers of targets know this installation; drawn at the first call and kept.
  ///
  /// - Parameter proposal: What it is called when this is the first call.
  package func installation(proposal: String) async throws -> String {
    let rows = try await database.query(Statement.installation, [.text(proposal)])
    if let row = rows.first { return try row.string("installation") }
    // Another process drew it between this statement's snapshot and its insert; it is there now.
    return try await database.query(Statement.installation, [.text(proposal)]).only.string("installation")
  }

  /// What the stages of one run moved; null counts are zero.
  package func totals(run: RunID) async throws -> RunTotals {
    let row = try await database.query(Statement.runTotals, [.int(run.rawValue)]).only
    return RunTotals(
      objects: try row.int("objects"), bytes: try row.int("bytes"), records: try row.int("records"),
      snapshots: try row.int("snapshots"), rowsIn: try row.int("rows_in"), rowsOut: try row.int("rows_out"),
      filtered: try row.optionalInt("filtered"), deduplicated: try row.int("deduplicated"),
      quarantined: try row.int("quarantined"))
  }
}

/// Sums over a run's objects and snapshots.
package struct RunTotals: Sendable, Equatable {
  package var objects: Int64
  package var bytes: Int64
  package var records: Int64
  package var snapshots: Int64
  package var rowsIn: Int64
  package var rowsOut: Int64
  /// nil where a SELECT aggregates, or gives several rows of a record.
  package var filtered: Int64?
  package var deduplicated: Int64
  package var quarantined: Int64
}

/// A stream of a pipeline: the key of its state.
package struct StreamID: Sendable, Hashable, CustomStringConvertible {
  package var pipeline: String
  package var source: String
  package var stream: String

  package init(pipeline: String, source: String, stream: String) {
    self.pipeline = pipeline
    self.source = source
    self.stream = stream
  }

  package var description: String { "\(source).\(stream)" }
  var values: [PostgresValue] { [.text(pipeline), .text(source), .text(stream)] }
}
