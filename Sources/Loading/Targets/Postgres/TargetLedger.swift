import JobModel
import Postgres

/// The ledger of one table in its target: what is in, who may write, and what is staged.
struct TargetLedger: Sendable {
  let loader: Loader
  /// `schema.table`, as the ledger's key has it.
  let table: String
  /// For messages.
  let target: String

  var key: [PostgresValue] {
    [.text(loader.installation), .text(loader.environment), .text(loader.pipeline), .text(table)]
  }
  private var claim: [PostgresValue] { key + [.int(loader.jobID.rawValue), .int(loader.ticket)] }

  /// Creates our schema, tables and indexes where one of them is missing. Safe at the same time from many sessions.
  static func ensure(in session: PostgresConnection) async throws {
    let found = try await session.query(LedgerSQL.exists, []).first
    let present = try found?.bool("present") ?? false
    if !present { try await session.query(LedgerSQL.create, []) }
    if try !present || found?.bool("wants_indexes") ?? false { try await session.query(LedgerSQL.addIndexes, []) }
  }

  /// Ends what an earlier attempt left hanging, then takes the head for this ticket.
  ///
  /// In this order, because a worker that hangs inside its final transaction holds the head's row.
  ///
  /// - Throws: ``Fenced``.
  func takeOver(in session: PostgresConnection) async throws {
    try await session.query(LedgerSQL.endOlderSessions, claim)
    guard try await !session.query(LedgerSQL.claimHead, claim).isEmpty else {
      throw fenced(by: try await session.query(LedgerSQL.readHead, key).first?.int("ticket"))
    }
  }

  /// Throws ``Fenced`` when a later claim has taken the head over. Takes no lock.
  func checkHead(in session: some PostgresSession) async throws {
    let ticket = try await session.query(LedgerSQL.readHead, key).first?.int("ticket")
    if let ticket, ticket > loader.ticket { throw fenced(by: ticket) }
  }

  /// Locks the head until the transaction ends, and throws ``Fenced`` when its ticket is higher.
  func lockHead(in transaction: PostgresTransaction) async throws {
    guard let ticket = try await transaction.query(LedgerSQL.lockHead, key).first?.int("ticket") else {
      throw StageFailure(
        code: "ledger_changed", message: "target \(target): the ledger's head of \(table) is gone",
        hint: "only sluice may write to schema sluice_ledger", isTransient: true)
    }
    guard ticket <= loader.ticket else { throw fenced(by: ticket) }
  }

  /// Shares the head until the transaction ends, and throws ``Fenced`` when its ticket is higher.
  func holdHead(in transaction: PostgresTransaction) async throws {
    let ticket = try await transaction.query(LedgerSQL.holdHead, key).first?.int("ticket")
    guard let ticket, ticket <= loader.ticket else { throw fenced(by: ticket) }
  }

  /// The pieces of a snapshot that are in the table, each on its own, with their rows.
  func pieces(of snapshot: SnapshotToLoad, in session: some PostgresSession) async throws -> [Int: Int64] {
    var pieces: [Int: Int64] = [:]
    for row in try await session.query(LedgerSQL.pieces, key + [.text(snapshot.uuid)]) {
      pieces[Int(try row.int("chunk"))] = try row.int("rows")
    }
    return pieces
  }

  /// - Returns: Whether the piece was not in.
  func record(
    _ piece: LoadPiece, of snapshot: SnapshotToLoad, in transaction: PostgresTransaction
  ) async throws -> Bool {
    try await !transaction.query(
      LedgerSQL.insertPiece,
      key + [
        .text(snapshot.uuid), .int(snapshot.number), .int(loader.ticket), .int(Int64(piece.number)), .int(piece.rows),
        .text("\(piece.file.chunk):\(piece.file.sha256):\(piece.first)"),
      ]
    ).isEmpty
  }

  private func fenced(by head: Int64?) -> Fenced {
    Fenced(target: target, table: table, ticket: loader.ticket, head: head)
  }

  /// What the ledger says of these snapshots, by UUID.
  func entries(of snapshots: [String], in session: some PostgresSession) async throws -> [String: LoadedSnapshot] {
    var entries: [String: LoadedSnapshot] = [:]
    for row in try await session.query(LedgerSQL.entries, key + [.texts(snapshots)]) {
      let uuid = try row.string("snapshot")
      let status = try row.string("status")
      entries[uuid] = LoadedSnapshot(
        uuid: uuid, status: status == LoadedSnapshot.Status.loaded.rawValue ? .loaded : .superseded,
        rows: try row.int("rows"), inserted: try row.int("inserted"), updated: try row.int("updated"),
        deleted: try row.int("deleted"))
    }
    return entries
  }

  /// Writes the ledger row and the head's ticket: the last statements of a final transaction.
  func record(
    _ entry: LoadedSnapshot, of snapshot: SnapshotToLoad, in transaction: PostgresTransaction
  ) async throws {
    try await transaction.query(
      LedgerSQL.insertEntry,
      key + [
        .text(entry.uuid), .int(snapshot.number), .int(loader.ticket), .text(entry.status.rawValue), .int(entry.rows),
        .int(entry.inserted), .int(entry.updated), .int(entry.deleted), .text(Self.content(of: snapshot)),
      ])
    try await transaction.query(LedgerSQL.raiseHead, claim)
  }

  /// The hashes of the files in chunk order name the content; the database hashes them into one.
  static func content(of snapshot: SnapshotToLoad) -> String {
    snapshot.files.sorted { $0.chunk < $1.chunk }.map { "\($0.chunk):\($0.sha256)" }.joined(separator: "\n")
  }

  /// Writes ledger rows for snapshots that a newer full one makes superfluous, all with one statement.
  func supersede(_ snapshots: [SnapshotToLoad], in session: PostgresConnection) async throws -> [LoadedSnapshot] {
    guard !snapshots.isEmpty else { return [] }
    return try await session.transaction { transaction in
      try await lockHead(in: transaction)
      let written = try await insertSuperseded(
        snapshots.map { ($0.uuid, $0.number, Self.content(of: $0)) }, in: transaction)
      return try written.map {
        LoadedSnapshot(uuid: try $0.string("snapshot"), status: .superseded, isNew: true)
      }
    }
  }

  /// The caller holds the head's lock.
  @discardableResult
  func insertSuperseded(
    _ snapshots: [(uuid: String, number: Int64, content: String)], in transaction: PostgresTransaction
  ) async throws -> PostgresResult {
    let written = try await transaction.query(
      LedgerSQL.insertSuperseded,
      key + [
        .int(loader.ticket), .texts(snapshots.map { $0.uuid }), .ints(snapshots.map { $0.number }),
        .texts(snapshots.map { $0.content }),
      ])
    try await transaction.query(LedgerSQL.raiseHead, claim)
    return written
  }
}
