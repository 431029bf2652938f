import CLibPQ

/// The rows of one statement, as the server sent them: values are read when they are asked for.
public struct PostgresResult: Sendable, RandomAccessCollection {
  let storage: ResultStorage
  public let count: Int
  /// Rows that an insert, update, delete, merge, select or copy touched.
  public let affectedRows: Int

  init(_ storage: ResultStorage) {
    self.storage = storage
    count = Int(PQntuples(storage.pointer))
    affectedRows = Int(String(cString: PQcmdTuples(storage.pointer))) ?? 0
  }

  public var startIndex: Int { 0 }
  public var endIndex: Int { count }
  public subscript(position: Int) -> PostgresRow {
    precondition(indices.contains(position), "the result has no row \(position)")
    return PostgresRow(storage: storage, row: Int32(position))
  }

  /// The columns' names; several may be the same, and then the first is found by it.
  public var columns: [String] { storage.columns }

  /// What the server says that it did: `INSERT 0 1`, `COMMIT`, ….
  var commandTag: String { String(cString: PQcmdStatus(storage.pointer)) }
}

/// Owns libpq's result.
///
/// Sendable because nothing changes a finished result, and libpq lets any thread read one.
final class ResultStorage: @unchecked Sendable {
  let pointer: OpaquePointer
  /// The statement's name, for errors.
  let operation: String
  let columns: [String]
  private let positions: [String: Int32]

  init(_ pointer: OpaquePointer, operation: String) {
    self.pointer = pointer
    self.operation = operation
    // A COPY counts columns but does not name them.
    columns = (0..<PQnfields(pointer)).map { PQfname(pointer, $0).map { String(cString: $0) } ?? "" }
    positions = Dictionary(columns.enumerated().map { ($1, Int32($0)) }) { first, _ in first }
  }

  deinit { PQclear(pointer) }

  func position(of column: String) -> Int32? { positions[column] }
}
