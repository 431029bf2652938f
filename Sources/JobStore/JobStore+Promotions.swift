import JobModel
import Postgres

/// What keeps a dataset from being curated while a snapshot that was made elsewhere is committed.
extension JobStore {
  /// Keeps permits of a key from being given until the transaction ends.
  ///
  /// Taken last in a transaction: jobs that end take it after their own locks.
  /// - Source: `permit_lock.sql`.
  package func withholdPermits(_ key: String, in transaction: PostgresTransaction) async throws {
    try await transaction.query(Statement.permitLock, [.texts([key])])
  }

  /// A batch of a pipeline that has not ended, or has a job of this kind and label at work; nil: there is none.
  ///
  /// - Source: `run_busy.sql`.
  package func busyRun(
    of pipeline: String, kind: String, label: String, in session: some PostgresSession
  ) async throws -> RunID? {
    try await session.query(
      Statement.runBusy, [.text(pipeline), .text(kind), .text(Self.boundedLabel(label))]
    ).first.map { RunID(try $0.int("run_id")) }
  }

  /// A run for a snapshot that was computed in another environment: it has ended.
  ///
  /// - Source: `run_promoted.sql`.
  package func recordPromotion(
    pipeline: String, release: Int64, in transaction: PostgresTransaction
  ) async throws -> RunID {
    RunID(
      try await transaction.query(Statement.runPromoted, [.text(pipeline), .int(release)]).only.int("run_id"))
  }
}
