import JobModel
import Synchronization

/// A part of one data file: what one COPY takes, and what one row of the target's books says is there.
///
/// A file has up to 256 MB. In parts, several streams share even a single file, and a killed worker loses little.
struct LoadPiece: Sendable, Equatable {
  /// Two row groups of a file that DuckDB wrote: a second of COPY. Pieces are known by their numbers in targets, so a release that
  /// changes this must not take up what an earlier one began.
  static let maximumRows: Int64 = 245_760

  /// Within the snapshot, in the order of its files.
  var number: Int
  var file: DataFileToLoad
  /// The first row within the file.
  var first: Int64
  var rows: Int64

  var isWholeFile: Bool { first == 0 && rows == file.rows }
}

extension SnapshotToLoad {
  var pieces: [LoadPiece] {
    // The column by which a part is chosen; a dataset that has one of this name is taken file by file.
    let isDivided = !columns.contains { $0.name.lowercased() == LoadPiece.rowNumber }
    var pieces: [LoadPiece] = []
    for file in files {
      var first: Int64 = 0
      repeat {
        let rows = isDivided ? min(LoadPiece.maximumRows, file.rows - first) : file.rows
        pieces.append(LoadPiece(number: pieces.count, file: file, first: first, rows: rows))
        first += rows
      } while first < file.rows
    }
    return pieces
  }
}

extension LoadPiece {
  static let rowNumber = "file_row_number"

  /// What stands after FROM: the rows of this piece. DuckDB skips the row groups that have none of them.
  var source: String {
    let path = quoteLiteral(file.localPath)
    guard !isWholeFile else { return "read_parquet(\(path), hive_partitioning = false)" }
    // The last piece has no end, so that a file with more rows than the catalog says is noticed.
    let end = first + rows == file.rows ? "" : " and \(Self.rowNumber) < \(first + rows)"
    return "read_parquet(\(path), hive_partitioning = false, \(Self.rowNumber) = true) "
      + "where \(Self.rowNumber) >= \(first)\(end)"
  }
}

/// The pieces that are still to do, from which every stream takes its next one.
final class LoadPieces: Sendable {
  private let left: Mutex<ArraySlice<LoadPiece>>

  init(_ pieces: [LoadPiece]) { left = Mutex(pieces[...]) }

  func next() -> LoadPiece? { left.withLock { $0.popFirst() } }
}
