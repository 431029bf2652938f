import DuckDB
import FoundationEssentials
import JobModel
import Postgres
import Synchronization

/// Copies a piece of a Parquet file into a table of the target: DuckDB writes PostgreSQL's binary COPY format, which is handed on
/// as it comes.
struct PieceCopy: Sendable {
  let target: PostgresTarget
  /// For messages.
  let dataset: String
  let columns: [ColumnMapping]
  /// What DuckDB selects, in the order of `names`.
  let values: [String]
  /// The columns that are written.
  let names: [String]
  /// The table that is written, as SQL.
  let table: String
  /// What the load is doing.
  let note: String
  let hooks: LoadHooks

  /// - Throws: ``StageFailure``, `PostgresError` or `DuckDBError`, also where the file has not the rows that the catalog says.
  func run(_ piece: LoadPiece, in transaction: PostgresTransaction) async throws {
    try await run([piece], in: transaction)
  }

  /// Copies several pieces by one COPY out of one child.
  ///
  /// - Returns: Their rows.
  @discardableResult
  func run(_ pieces: [LoadPiece], in transaction: PostgresTransaction) async throws -> Int64 {
    let rows = try await copy(pieces, into: transaction)
    let wanted = pieces.reduce(0) { $0 + $1.rows }
    guard rows == wanted else {
      let others = pieces.count > 1 ? " and \(pieces.count - 1) others" : ""
      let part = pieces.first.map { $0.isWholeFile ? "" : ", from row \($0.first)," } ?? ""
      throw StageFailure(
        code: "data_file_differs",
        message:
          "data file \(pieces.first?.file.key ?? "")\(others)\(part) has \(rows) rows, the catalog says \(wanted)",
        hint: "the file was changed after it was written: put the original back, or run the pipeline again")
    }
    return rows
  }

  private func copy(_ pieces: [LoadPiece], into transaction: PostgresTransaction) async throws -> Int64 {
    let files = pieces.map(\.file)
    let statement = "copy \(table) (\(names.joined(separator: ", "))) from stdin (format binary)"
    let place = DuckDBPlace(
      directory: target.directory, files: files.map(\.localPath) + [Self.output], extensions: ["postgres_scanner"],
      keepsInsertionOrder: false)
    let selects = pieces.map { "select \(values.joined(separator: ", ")) from \($0.source)" }
    let script = """
      copy (\(selects.joined(separator: " union all ")))
      to '\(Self.output)' (format postgres_binary, use_tmp_file false)
      """
    do {
      return try await target.duckDB.withStream(of: script, in: place, limits: target.limits) { bytes in
        let counted = CountedBytes(bytes) { count in hooks.progress(LoadProgress(bytes: Int64(count), note: note)) }
        return Int64(try await transaction.copyIn(statement, from: counted))
      }
    } catch let error as DuckDBError where error.detail.contains("NULL-byte") {
      throw try await nullByteFailure(files, in: place)
    } catch let error as DuckDBError where error.detail.contains(ColumnMapping.rounded) {
      throw StageFailure(
        code: "value_rounded",
        message: "dataset \(dataset) has a 128-bit integer beyond 2^53 in one of the columns "
          + columns.filter(\.dataset.isDoubleInParquet).map(\.name).joined(separator: ", ")
          + ", which its Parquet file holds rounded",
        hint: "cast the column to decimal(38,0) in the dataset's SQL or in its columns", at: files.first?.key)
    }
  }

  /// The standard output by its number. Not `/dev/stdout`: DuckDB replaces a target that is a regular file by a renamed
  /// temporary one, and a root process would replace the device's link for the whole machine.
  static let output = "/proc/self/fd/1"

  /// Finds the column for the message, which DuckDB does not tell.
  private func nullByteFailure(_ files: [DataFileToLoad], in place: DuckDBPlace) async throws -> StageFailure {
    let texts = columns.filter { $0.dataset.duckType == "VARCHAR" }.map { quoteIdentifier($0.name) }
    let tests = texts.map { "coalesce(bool_or(contains(\($0)::varchar, chr(0))), false) as \($0)" }
    var found = "a text column"
    if !tests.isEmpty {
      let paths = files.map { quoteLiteral($0.localPath) }.joined(separator: ", ")
      let table = try await target.duckDB.query(
        "select \(tests.joined(separator: ", ")) from read_parquet([\(paths)], hive_partitioning = false)",
        in: place, limits: target.limits)
      let columns = table.rows.first.map { row in row.filter { $0.value.bool == true }.map(\.key).sorted() } ?? []
      if !columns.isEmpty { found = "column " + columns.joined(separator: ", ") }
    }
    return StageFailure(
      code: "nul_byte",
      message:
        "\(found) of dataset \(dataset) holds a NUL byte, which PostgreSQL cannot store in text",
      hint: "take it out in the dataset's SQL: replace(COLUMN, chr(0), '')", at: files.first?.key)
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
