import JobModel
import Postgres

/// The unlogged, index-free table that holds one snapshot for one table until the final transaction takes it.
struct StagingTable: Sendable {
  let ledger: TargetLedger
  let snapshot: SnapshotToLoad
  let columns: [ColumnMapping]

  /// Unique for table and snapshot, and short enough for an identifier: 55 of 63 bytes.
  var name: String { Self.name(table: ledger.table, snapshot: snapshot.uuid) }
  var sql: String { "sluice_ledger.\(quoteIdentifier(name))" }

  /// The columns as staged.
  var layout: String {
    columns.map { "\($0.sql) \($0.dataset.stagingType)" }.joined(separator: ", ")
  }

  /// A staging table with another description is of another release, and is begun again: also one with other pieces.
  private var description: String { "\(layout) in pieces of \(LoadPiece.maximumRows) rows" }

  static func name(table: String, snapshot: String) -> String {
    let hash = String(fingerprint(table), radix: 16)
    return "stage_" + snapshot.filter { $0 != "-" } + "_" + String(repeating: "0", count: 16 - hash.count) + hash
  }

  /// FNV-1a, 64 bits: the same in every process, which `Hasher` is not.
  private static func fingerprint(_ text: String) -> UInt64 {
    text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
  }

  /// Makes sure that the table is there with this layout, empty or with the chunks that `staged` names.
  func prepare(in session: PostgresConnection) async throws {
    let tables = try await session.query(LedgerSQL.stagingTables, ledger.key)
    let mine = try tables.first { try $0.string("name") == name }
    if let mine, try mine.string("layout") == description { return }
    if mine != nil { try await drop(name, in: session) }
    try await session.transaction { transaction in
      try await ledger.checkHead(in: transaction)
      try await transaction.query(
        LedgerSQL.registerStaging, ledger.key + [.text(name), .text(snapshot.uuid), .text(description)])
      try await transaction.query(LedgerSQL.deleteStaged, [.text(snapshot.uuid), .text(ledger.table)])
      try await transaction.execute(
        "create unlogged table \(sql) (\(layout)) with (autovacuum_enabled = false)")
    }
  }

  /// Whether there is such a table, of this attempt or an earlier one.
  func isBegun(in session: some PostgresSession) async throws -> Bool {
    try await session.query(LedgerSQL.stagingTables, ledger.key).contains { try $0.string("name") == name }
  }

  /// Drops a staging table of this table together with what is written down about it.
  private func drop(_ name: String, in session: PostgresConnection) async throws {
    try await Self.drop(name, snapshot: snapshot.uuid, of: ledger, in: session)
  }

  static func drop(
    _ name: String, snapshot: String, of ledger: TargetLedger, in session: PostgresConnection
  ) async throws {
    try await session.transaction { transaction in
      try await ledger.checkHead(in: transaction)
      try await transaction.query(LedgerSQL.forgetStaging, [.text(name)])
      try await transaction.query(LedgerSQL.deleteStaged, [.text(snapshot), .text(ledger.table)])
      try await transaction.execute("drop table if exists sluice_ledger.\(quoteIdentifier(name))")
    }
  }

  /// Drops the staging of every snapshot of this table that is not about to be loaded: what a crash between commit and
  /// drop left, and what a newer full snapshot superseded.
  static func sweep(_ ledger: TargetLedger, keeping pending: Set<String>, in session: PostgresConnection) async throws {
    for row in try await session.query(LedgerSQL.stagingTables, ledger.key) {
      let snapshot = try row.string("snapshot")
      if !pending.contains(snapshot) {
        try await drop(try row.string("name"), snapshot: snapshot, of: ledger, in: session)
      }
    }
  }

  /// Rows by chunk, as written down in the transactions of the COPYs.
  func stagedChunks(in session: some PostgresSession) async throws -> [Int: Int64] {
    var chunks: [Int: Int64] = [:]
    for row in try await session.query(LedgerSQL.stagedChunks, [.text(snapshot.uuid), .text(ledger.table)]) {
      chunks[Int(try row.int("chunk"))] = try row.int("rows")
    }
    return chunks
  }

  static let rowsDiffer = "staged_rows_differ"

  /// Refuses unless what is staged is exactly what the catalog says, chunk by chunk and counted once more as a whole.
  func requireComplete(counted rows: Int64, in transaction: PostgresTransaction) async throws {
    let staged = try await stagedChunks(in: transaction)
    let wanted = Dictionary(uniqueKeysWithValues: snapshot.pieces.map { ($0.number, $0.rows) })
    guard staged == wanted, rows == snapshot.rows else {
      throw StageFailure(
        code: Self.rowsDiffer,
        message:
          "target \(ledger.target): of snapshot \(snapshot.uuid) \(rows) rows in \(staged.count) chunks are staged "
          + "for \(ledger.table), the catalog has \(snapshot.rows) in \(wanted.count)",
        hint: "the next attempt stages it again; only sluice may write to schema sluice_ledger", isTransient: true)
    }
  }
}
