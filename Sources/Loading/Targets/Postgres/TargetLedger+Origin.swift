import JobModel
import Postgres

/// Where a table came from, of which this ledger has nothing yet.
extension TargetLedger {
  /// Takes the ledger of a table over that was loaded under another name and renamed since.
  ///
  /// - Returns: The earlier name; nil where it was not renamed, or the ledger has a mark of the new name.
  func adoptRenamed(_ name: TableName, in session: PostgresConnection) async throws -> String? {
    guard try await mark(in: session) == nil, let seen = try await identity(of: name, in: session),
      let row = try await session.query(
        OriginSQL.earlierName, key + [.int(seen.relation), .int(seen.ledger)]
      ).first
    else { return nil }
    let earlier = try row.string("table_name")
    let old = TargetLedger(loader: loader, table: earlier, target: target)
    try await StagingTable.sweep(old, keeping: [], in: session)
    try await session.transaction { transaction in
      try await lockHead(in: transaction)
      for statement in [OriginSQL.renameLedger, OriginSQL.renameMark] {
        try await transaction.query(statement, key + [.text(earlier)])
      }
    }
    return earlier
  }

  /// Rows of the table that the same pipeline of another installation loaded: its control database may have been lost.
  func rowsOfOtherInstallation(_ seen: TableIdentity, in session: PostgresConnection) async throws -> (
    installation: String, rows: Int64
  )? {
    try await session.query(OriginSQL.otherInstallation, key + [.int(seen.relation), .int(seen.ledger)]).first.map {
      (try $0.string("installation"), try $0.int("kept"))
    }
  }

  /// Rows of the table that another pipeline loaded.
  func rowsOfOtherPipeline(
    _ name: TableName, in session: some PostgresSession
  ) async throws -> (pipeline: String, rows: Int64)? {
    guard let seen = try await identity(of: name, in: session),
      let row = try await session.query(
        OriginSQL.otherPipeline, [.text(loader.pipeline), .int(seen.relation), .int(seen.ledger)]
      ).first
    else { return nil }
    // A role may delete rows that it does not see.
    if try await !isFilled(name, in: session), try await !hidesRows(name, from: .read, in: session) { return nil }
    return (try row.string("pipeline"), try row.int("kept"))
  }
}

enum OriginSQL {
  static let otherPipeline = SQLStatement(
    name: "origin_other_pipeline",
    text: """
      select pipeline, kept from sluice_ledger.mark
      where pipeline <> $1 and relation = $2::bigint and ledger = $3::bigint and kept > 0
      order by at desc limit 1
      """)

  /// Under which name table $5 was loaded before, where the ledger has nothing under its name of today.
  static let earlierName = SQLStatement(
    name: "origin_earlier_name",
    text: """
      select m.table_name from sluice_ledger.mark m
      where m.installation = $1 and m.environment = $2 and m.pipeline = $3 and m.table_name <> $4
        and m.relation = $5::bigint and m.ledger = $6::bigint
        and not exists (
          select from sluice_ledger.ledger l
          where l.installation = $1 and l.environment = $2 and l.pipeline = $3 and l.table_name = $4)
      order by m.at desc limit 1
      """)

  static let renameLedger = SQLStatement(
    name: "origin_rename_ledger",
    text: """
      update sluice_ledger.ledger set table_name = $4
      where installation = $1 and environment = $2 and pipeline = $3 and table_name = $5
      """)

  static let renameMark = SQLStatement(
    name: "origin_rename_mark",
    text: """
      update sluice_ledger.mark set table_name = $4
      where installation = $1 and environment = $2 and pipeline = $3 and table_name = $5
      """)

  static let otherInstallation = SQLStatement(
    name: "origin_other_installation",
    text: """
      select installation, kept from sluice_ledger.mark
      where installation <> $1 and environment = $2 and pipeline = $3 and table_name = $4
        and relation = $5::bigint and ledger = $6::bigint and kept > 0
      order by at desc limit 1
      """)
}
