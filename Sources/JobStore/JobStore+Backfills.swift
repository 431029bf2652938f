import JobModel
import Postgres

extension JobStore {
  /// A run over a range of a cursor.
  package struct Backfill: Sendable, Equatable {
    package var from: String
    /// Not part of it.
    package var to: String
    /// `source.stream`
    package var streams: [String]

    package init(from: String, to: String, streams: [String]) {
      self.from = from
      self.to = to
      self.streams = streams
    }
  }

  /// Enqueues a run as a backfill: no scheduled time is skipped because of it.
  ///
  /// - Source: `run_insert.sql`, `backfill_insert.sql`.
  package func enqueue(
    _ plan: RunPlan, as backfill: Backfill, with assignment: RunAssignment, now: String? = nil
  ) async throws -> EnqueuedRun {
    try await database.transaction { transaction in
      let run = try await enqueue(plan, with: assignment, in: transaction, now: now)
      try await transaction.query(
        Statement.backfillInsert,
        [.int(run.runID.rawValue), .text(backfill.from), .text(backfill.to), .texts(backfill.streams)])
      return run
    }
  }

  /// The backfills of a pipeline that began in the last days.
  ///
  /// - Source: `backfill_ids.sql`.
  package func backfills(of pipeline: String, days: Int = 90) async throws -> [RunID] {
    try await database.query(Statement.backfillIds, [.text(pipeline), .int(Int64(days))]).map {
      RunID(try $0.int("run_id"))
    }
  }

  /// The range of a run; nil where it is no backfill.
  ///
  /// - Source: `backfill_of_run.sql`.
  package func backfill(ofRun run: RunID) async throws -> Backfill? {
    try await database.query(Statement.backfillOfRun, [.int(run.rawValue)]).first.map { row in
      Backfill(
        from: try row.string("range_from"), to: try row.string("range_to"),
        streams: try row.string("streams").split(separator: ",").map(String.init))
    }
  }
}
