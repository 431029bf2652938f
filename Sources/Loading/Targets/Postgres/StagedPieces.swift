import JobModel
import Postgres

/// Stages pieces of a snapshot, each in one transaction with its row in `staged`.
struct StagedPieces: Sendable {
  let staging: StagingTable
  let copy: PieceCopy

  init(_ staging: StagingTable, target: PostgresTarget, hooks: LoadHooks) {
    self.staging = staging
    copy = PieceCopy(
      target: target, dataset: staging.snapshot.dataset, columns: staging.columns,
      values: staging.columns.map { "\($0.staged) as \($0.sql)" }, names: staging.columns.map(\.sql),
      table: staging.sql, note: "staging \(staging.ledger.table)", hooks: hooks)
  }

  /// Stages one piece; does nothing when it is staged already.
  ///
  /// - Throws: ``StageFailure``, `PostgresError` or `DuckDBError`; nothing is staged then.
  func run(_ piece: LoadPiece, in session: PostgresConnection) async throws {
    try await session.transaction { transaction in
      // Nothing is lost when the server crashes: unlogged tables are emptied then anyway.
      try await transaction.execute("set local synchronous_commit = off")
      try await staging.ledger.checkHead(in: transaction)
      let isMine = try await !transaction.query(
        LedgerSQL.insertStaged,
        [
          .text(staging.snapshot.uuid), .text(staging.ledger.table), .int(Int64(piece.number)), .int(piece.rows),
        ]
      ).isEmpty
      if isMine { try await copy.run(piece, in: transaction) }
    }
    copy.hooks.progress(LoadProgress(rows: piece.rows, chunks: 1, note: copy.note))
  }
}
