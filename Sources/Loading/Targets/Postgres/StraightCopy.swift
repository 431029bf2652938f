import DuckDB
import FoundationEssentials
import JobModel
import PipelineDefinition
import Postgres

/// A snapshot of moderate size that goes straight into its table, by one COPY within the final transaction: nothing is staged.
///
/// Staging writes every row twice, and needs a table that is created and dropped. It is worth that where a killed worker would lose more
/// than some seconds, where rows have to be compared, and where COPY would not do what INSERT does.
struct StraightCopy: Sendable {
  /// What a killed worker may lose, and how long a transaction may hold the table's head: some seconds.
  static let maximumRows = 16 * LoadPiece.maximumRows
  /// Of the Parquet files together: one file of the largest size.
  static let maximumBytes: Int64 = 256_000_000
  static let maximumFiles = 64
  /// Files times columns: DuckDB plans all files at once, and keeps memory for each column of each.
  static let maximumFileColumns = 4_000

  private let copy: PieceCopy
  private let files: [LoadPiece]
  private let isMerge: Bool

  /// - Returns: nil where the snapshot has to be staged.
  /// - Throws: ``StageFailure`` `data_file_unreadable`.
  init?(
    _ snapshot: SnapshotToLoad, into table: TargetTable, _ columns: [ColumnMapping], _ definition: LoadTable,
    key: [String], target: PostgresTarget, hooks: LoadHooks
  ) throws {
    let direct = columns.compactMap { column in column.direct.map { "\($0) as \(column.sql)" } }
    guard table.takesCopy, direct.count == columns.count, snapshot.replaces.isEmpty,
      snapshot.rows <= target.straightRows, (1...Self.maximumFiles).contains(snapshot.files.count),
      snapshot.files.count * columns.count <= Self.maximumFileColumns,
      try Self.bytes(of: snapshot.files) <= Self.maximumBytes
    else { return nil }
    // A null in a key has an error of its own, which COPY would not give.
    guard definition.mode != .merge || key.allSatisfy({ table.columns[ExactText($0)]?.isNotNull == true }) else {
      return nil
    }
    let batch = definition.mode == .append && table.hasBatch ? [quoteIdentifier(TargetTable.batch)] : []
    files = snapshot.files.enumerated().map { LoadPiece(number: $0, file: $1, first: 0, rows: $1.rows) }
    isMerge = definition.mode == .merge
    copy = PieceCopy(
      target: target, dataset: snapshot.dataset, columns: columns,
      values: direct + batch.map { "\(quoteLiteral(snapshot.uuid))::UUID as \($0)" },
      names: columns.map(\.sql) + batch, table: table.name.sql, note: "loading \(table.name)", hooks: hooks)
  }

  /// - Returns: The rows that are in, which is all of the snapshot.
  func run(in transaction: PostgresTransaction) async throws -> Int64 {
    copy.hooks.progress(LoadProgress(plannedChunks: files.count, note: copy.note))
    let rows = try await copy.run(files, in: transaction)
    copy.hooks.progress(LoadProgress(rows: rows, chunks: files.count, note: copy.note))
    return rows
  }

  /// Why the snapshot is to be staged after this error; nil where staging would not help.
  ///
  /// The memory and the time of one child are there for the whole snapshot here, and for each of its pieces there. A merge that began in an
  /// empty table may meet rows that others put in, or a key that is repeated or null: staging deals with the first, and says what is wrong
  /// with the others.
  func reasonToStage(after error: any Error) -> String? {
    switch error {
    case let error as DuckDBError where error.kind == .memoryLimit:
      "one DuckDB child has not the memory to encode all of it by one COPY"
    case let error as DuckDBError where error.kind == .timeLimit:
      "one DuckDB child has not the time to encode all of it by one COPY"
    case let error as PostgresError where isMerge && error.sqlState == "23505":
      "a key was in the table already, or is repeated: other rows came into the empty table during the COPY"
    case let error as PostgresError where isMerge && error.sqlState == "23502":
      "a row has no value for a column that is NOT NULL"
    default: nil
    }
  }

  private static func bytes(of files: [DataFileToLoad]) throws -> Int64 {
    try files.reduce(0) { sum, file in
      let size: Any?
      do { size = try FileManager.default.attributesOfItem(atPath: file.localPath)[.size] } catch {
        throw StageFailure(
          code: "data_file_unreadable", message: "data file \(file.key) is missing or cannot be read: \(error)",
          hint: "put the file back, or make it readable; then run again", at: file.localPath)
      }
      guard let size = (size as? Int64) ?? (size as? UInt64).map(Int64.init(clamping:)) else {
        preconditionFailure("a file has a size")
      }
      return sum + size
    }
  }
}
