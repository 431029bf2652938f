import JobModel
import PipelineDefinition
import Postgres

/// Appends pieces of a snapshot to the table, each in one transaction with its ledger row: `apply: per_chunk`.
///
/// Where every column can be read as DuckDB writes it, and COPY does in the table what INSERT does, the rows go straight into it. Otherwise
/// each piece goes through a temporary table.
struct AppendedPieces: Sendable {
  let ledger: TargetLedger
  let snapshot: SnapshotToLoad
  let table: TargetTable
  let sql: ApplySQL
  let copy: PieceCopy
  /// The layout of the temporary table; nil: none is needed.
  let detour: String?

  private static let detourTable = "pg_temp.sluice_piece"

  init(
    _ snapshot: SnapshotToLoad, into table: TargetTable, _ columns: [ColumnMapping], _ ledger: TargetLedger,
    target: PostgresTarget, hooks: LoadHooks
  ) {
    self.ledger = ledger
    self.snapshot = snapshot
    self.table = table
    let direct = columns.compactMap { column in column.direct.map { "\($0) as \(column.sql)" } }
    let isDirect = direct.count == columns.count && table.takesCopy
    detour =
      isDirect ? nil : columns.map { "\($0.sql) \($0.dataset.stagingType)" }.joined(separator: ", ")
    var values = isDirect ? direct : columns.map { "\($0.staged) as \($0.sql)" }
    var names = columns.map(\.sql)
    if isDirect, table.hasBatch {
      let batch = quoteIdentifier(TargetTable.batch)
      values.append("\(quoteLiteral(snapshot.uuid))::UUID as \(batch)")
      names.append(batch)
    }
    sql = ApplySQL(
      table: table, staging: Self.detourTable, columns: columns, key: [], cursorField: nil, textCursor: nil,
      deletes: nil)
    copy = PieceCopy(
      target: target, dataset: snapshot.dataset, columns: columns, values: values, names: names,
      table: isDirect ? table.name.sql : Self.detourTable, note: "loading \(table.name)", hooks: hooks)
  }

  /// Appends one piece; does nothing when it is in already.
  ///
  /// - Throws: ``Fenced``, ``StageFailure``, `PostgresError` or `DuckDBError`; nothing of the piece is in then.
  func run(_ piece: LoadPiece, in session: PostgresConnection) async throws {
    try await session.transaction { transaction in
      // The transaction that ends the snapshot waits for the disk; what is written before it is on the disk then too.
      try await transaction.execute("set local synchronous_commit = off")
      try await ledger.holdHead(in: transaction)
      let mark = try await ledger.hold(table.name, isReplaced: false, in: transaction)
      guard try await ledger.record(piece, of: snapshot, in: transaction) else { return }
      if let detour {
        try await transaction.execute("create temporary table sluice_piece (\(detour)) on commit drop")
        try await copy.run(piece, in: transaction)
        let values: [PostgresValue] = table.hasBatch ? [.text(snapshot.uuid)] : []
        let result = try await transaction.query(sql.append(batch: table.hasBatch), values)
        let inserted = Int64(result.affectedRows)
        if inserted != piece.rows { try await ledger.correct(piece, of: snapshot, inserted, in: transaction) }
        try await ledger.add(inserted, to: mark.identity, in: transaction)
      } else {
        try await copy.run(piece, in: transaction)
        try await ledger.add(piece.rows, to: mark.identity, in: transaction)
      }
    }
    copy.hooks.progress(LoadProgress(rows: piece.rows, chunks: 1, note: copy.note))
  }
}

extension TargetLedger {
  /// Notes how many rows of a recorded piece the table took: its triggers may drop some.
  fileprivate func correct(
    _ piece: LoadPiece, of snapshot: SnapshotToLoad, _ inserted: Int64, in transaction: PostgresTransaction
  ) async throws {
    try await transaction.query(
      Self.correctPiece, key + [.text(snapshot.uuid), .int(Int64(piece.number)), .int(inserted)])
  }

  /// The rows that the table took of a snapshot's pieces.
  func insertedByPieces(of snapshot: SnapshotToLoad, in session: some PostgresSession) async throws -> Int64 {
    try await session.query(Self.insertedByPieces, key + [.text(snapshot.uuid)]).first?.int("inserted") ?? 0
  }

  private static let correctPiece = SQLStatement(
    name: "ledger_correct_piece",
    text: """
      update sluice_ledger.ledger set inserted = $7::bigint
      where installation = $1 and environment = $2 and pipeline = $3 and table_name = $4 and snapshot = $5::uuid
        and chunk = $6::integer
      """)

  private static let insertedByPieces = SQLStatement(
    name: "ledger_inserted_by_pieces",
    text: """
      select coalesce(sum(inserted), 0)::bigint as inserted from sluice_ledger.ledger
      where installation = $1 and environment = $2 and pipeline = $3 and table_name = $4 and snapshot = $5::uuid
        and chunk >= 0
      """)
}
