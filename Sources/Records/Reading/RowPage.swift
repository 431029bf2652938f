/// The text before a page of a ``RowFile``: the values of one column in one group, as Parquet has them.
///
/// A page of texts begins with which rows have one. Then each text follows its length, and each number has eight bytes.
enum RowPage {
  /// - Parameter count: Bytes behind the header.
  static func header(count: Int, rows: Int) -> [UInt8] {
    var text = ParquetText()
    text.put(1, int32: 0)  // DATA_PAGE
    text.put(2, int32: count)
    text.put(3, int32: count)
    text.put(5) { page in
      page.put(1, int32: rows)
      page.put(2, int32: 0)  // values: PLAIN
      page.put(3, int32: 3)  // levels: RLE
      page.put(4, int32: 3)
    }
    text.end()
    return text.bytes
  }

  /// A page of texts of which none is there.
  static func empty(rows: Int) -> [UInt8] {
    let levels = RowLevels.head(rows: rows, isSame: false)
    return header(count: levels.count, rows: rows) + levels
  }
}

/// Which rows of a page have a text: Parquet's definition levels.
struct RowLevels: Sendable {
  enum Rows: Sendable {
    case all, none
    /// Where a bit for each row is, the first in the lowest bit.
    case bitmap(at: Int)
  }

  let rows: Rows
  /// Bytes that the levels take.
  let length: Int

  private static let lengthBytes = 4

  static func bitmapBytes(rows: Int) -> Int { (rows + 7) / 8 }

  /// What stands before a bitmap or, where all rows are the same, all there is.
  ///
  /// - Parameter isSame: Whether all have a text, or none has; nil for a bitmap.
  static func head(rows: Int, isSame: Bool?) -> [UInt8] {
    var runs: [UInt8] = []
    var length = 0
    if let isSame {
      ParquetText.append(UInt64(rows) << 1, to: &runs)
      runs.append(isSame ? 1 : 0)
    } else {
      length = bitmapBytes(rows: rows)
      ParquetText.append(UInt64(length) << 1 | 1, to: &runs)
    }
    length += runs.count
    return withUnsafeBytes(of: UInt32(length).littleEndian) { Array($0) } + runs
  }

  /// Those that stand at a place.
  init(_ bytes: UnsafePointer<UInt8>, at place: Int, rows: Int) {
    let number = UnsafeRawPointer(bytes + place).loadUnaligned(as: UInt32.self)
    length = Self.lengthBytes + Int(UInt32(littleEndian: number))
    let last = place + length - 1
    if bytes[place + Self.lengthBytes] & 1 == 1 {
      self.rows = .bitmap(at: last + 1 - Self.bitmapBytes(rows: rows))
    } else {
      self.rows = bytes[last] == 1 ? .all : .none
    }
  }
}
