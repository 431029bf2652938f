import DuckDB
import FoundationEssentials
import JobModel
import Postgres
import Synchronization

/// Copies one Parquet file into its staging table: DuckDB writes PostgreSQL's binary COPY format, which is handed on
/// as it comes.
struct ChunkCopy: Sendable {
  let duckDB: DuckDB
  let limits: DuckDBLimits
  /// DuckDB's working directory.
  let directory: String
  let staging: StagingTable
  let hooks: LoadHooks

  /// Stages one chunk in one transaction with its row in `staged`; does nothing when it is staged already.
  ///
  /// - Throws: ``StageFailure``, `PostgresError` or `DuckDBError`; nothing is staged then.
  func run(_ file: DataFileToLoad, in session: PostgresConnection) async throws {
    try await session.transaction { transaction in
      // Nothing is lost when the server crashes: unlogged tables are emptied then anyway.
      try await transaction.execute("set local synchronous_commit = off")
      try await staging.ledger.checkHead(in: transaction)
      let isMine = try await !transaction.query(
        LedgerSQL.insertStaged,
        [
          .text(staging.snapshot.uuid), .text(staging.ledger.table), .int(Int64(file.chunk)), .int(file.rows),
        ]
      ).isEmpty
      guard isMine else { return }
      let rows = try await copy(file, into: transaction)
      guard rows == file.rows else {
        throw StageFailure(
          code: "data_file_differs",
          message: "data file \(file.key) has \(rows) rows, the catalog says \(file.rows)",
          hint: "the file was changed after it was written: put the original back, or run the pipeline again")
      }
    }
    hooks.progress(LoadProgress(rows: file.rows, chunks: 1, note: "staging \(staging.ledger.table)"))
  }

  private func copy(_ file: DataFileToLoad, into transaction: PostgresTransaction) async throws -> Int64 {
    let columns = staging.columns.map(\.sql).joined(separator: ", ")
    let statement = "copy \(staging.sql) (\(columns)) from stdin (format binary)"
    let place = DuckDBPlace(
      directory: directory, files: [file.localPath, Self.output], extensions: ["postgres_scanner"],
      keepsInsertionOrder: false)
    do {
      return try await duckDB.withStream(of: script(file), in: place, limits: limits) { bytes in
        let counted = CountedBytes(bytes) { count in
          hooks.progress(LoadProgress(bytes: Int64(count), note: "staging \(staging.ledger.table)"))
        }
        return Int64(try await transaction.copyIn(statement, from: counted))
      }
    } catch let error as DuckDBError where error.detail.contains("NULL-byte") {
      throw try await nullByteFailure(file, in: place)
    } catch let error as DuckDBError where error.detail.contains(Self.rounded) {
      throw StageFailure(
        code: "value_rounded",
        message: "dataset \(staging.snapshot.dataset) has a 128-bit integer beyond 2^53 in one of the columns "
          + staging.columns.filter(\.dataset.isDoubleInParquet).map(\.name).joined(separator: ", ")
          + ", which its Parquet file holds rounded",
        hint: "cast the column to decimal(38,0) in the dataset's SQL or in its columns", at: file.key)
    }
  }

  /// The standard output by its number. Not `/dev/stdout`: DuckDB replaces a target that is a regular file by a renamed
  /// temporary one, and a root process would replace the device's link for the whole machine.
  static let output = "/proc/self/fd/1"

  private static let rounded = "sluice: rounded integer"

  private func script(_ file: DataFileToLoad) -> String {
    let values = staging.columns.map { column in
      let name = quoteIdentifier(column.name)
      let value = column.dataset.duckType.map { "\(name)::\($0)" } ?? "to_json(\(name))"
      guard column.dataset.isDoubleInParquet else { return "\(value) as \(name)" }
      return "case when typeof(\(name)) = 'DOUBLE' and abs(\(name)) > 9007199254740992 then error('\(Self.rounded)') "
        + "else \(value) end as \(name)"
    }.joined(separator: ", ")
    return """
      copy (select \(values) from read_parquet(\(quoteLiteral(file.localPath)), hive_partitioning = false))
      to '\(Self.output)' (format postgres_binary, use_tmp_file false)
      """
  }

  /// Finds the column for the message, which DuckDB does not tell.
  private func nullByteFailure(_ file: DataFileToLoad, in place: DuckDBPlace) async throws -> StageFailure {
    let texts = staging.columns.filter { $0.dataset.duckType == "VARCHAR" }.map { quoteIdentifier($0.name) }
    let tests = texts.map { "coalesce(bool_or(contains(\($0)::varchar, chr(0))), false) as \($0)" }
    var found = "a text column"
    if !tests.isEmpty {
      let table = try await duckDB.query(
        "select \(tests.joined(separator: ", ")) from read_parquet(\(quoteLiteral(file.localPath)), hive_partitioning = false)",
        in: place, limits: limits)
      let columns = table.rows.first.map { row in row.filter { $0.value.bool == true }.map(\.key).sorted() } ?? []
      if !columns.isEmpty { found = "column " + columns.joined(separator: ", ") }
    }
    return StageFailure(
      code: "nul_byte",
      message:
        "\(found) of dataset \(staging.snapshot.dataset) holds a NUL byte, which PostgreSQL cannot store in text",
      hint: "take it out in the dataset's SQL: replace(COLUMN, chr(0), '')", at: file.key)
  }
}

/// Hands bytes on and says how many went by.
private struct CountedBytes: AsyncSequence, Sendable {
  typealias Element = [UInt8]
  typealias Failure = any Error

  let base: DuckDBBytes
  let count: @Sendable (Int) -> Void

  init(_ base: DuckDBBytes, _ count: @escaping @Sendable (Int) -> Void) {
    self.base = base
    self.count = count
  }

  struct Iterator: AsyncIteratorProtocol {
    var base: DuckDBBytes.Iterator
    let count: @Sendable (Int) -> Void

    mutating func next() async throws -> [UInt8]? { try await next(isolation: nil) }

    mutating func next(isolation actor: isolated (any Actor)?) async throws -> [UInt8]? {
      let chunk = try await base.next(isolation: actor)
      if let chunk { count(chunk.count) }
      return chunk
    }
  }

  func makeAsyncIterator() -> Iterator { Iterator(base: base.makeAsyncIterator(), count: count) }
}
