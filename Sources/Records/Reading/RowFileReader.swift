import CRecordParser
import SystemPackage

/// Reads one part of a ``RowFile``, a group at a time: its numbers at once, its texts when they are needed.
final class RowFileReader {
  private let path: String
  private let numbers: Int
  private let file: FileDescriptor
  private var base: UnsafeMutablePointer<UInt8>
  private var capacity = 1 << 20
  private var filled = 0
  private var group = RowFile.Group(offset: 0, rows: 0)
  private var texts: [Texts] = []

  /// A column of texts, of which each is looked for from the last one on.
  private struct Texts {
    let rows: RowLevels.Rows
    var row = 0
    var place: Int
  }

  /// - Throws: ``RecordError`` `records_unreadable`.
  init(_ part: RowFile.Part, numbers: Int) throws {
    (path, self.numbers) = (part.path, numbers)
    do { file = try FileDescriptor.open(FilePath(part.path), .readOnly, options: [.closeOnExec]) } catch {
      throw RecordError(.unreadable, "cannot read \(part.path): \(error)")
    }
    base = .allocate(capacity: capacity)
  }

  deinit {
    base.deallocate()
    try? file.close()
  }

  /// Reads a group's numbers.
  func begin(_ group: RowFile.Group) throws {
    self.group = group
    filled = 0
    texts = []
    if numbers > 0 { try read(to: group.pages[numbers - 1].end) }
  }

  /// Reads its texts.
  func readTexts() throws {
    try read(to: group.length)
    texts = group.pages[numbers...].map { page in
      let levels = RowLevels(base, at: page.start, rows: group.rows)
      return Texts(rows: levels.rows, place: page.start + levels.length)
    }
  }

  private func read(to end: Int) throws {
    if end > capacity {
      let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: end)
      larger.update(from: base, count: filled)
      base.deallocate()
      (base, capacity) = (larger, end)
    }
    while filled < end {
      let room = UnsafeMutableRawBufferPointer(start: base + filled, count: end - filled)
      let count: Int
      do { count = try file.read(fromAbsoluteOffset: group.offset + Int64(filled), into: room) } catch {
        throw RecordError(.unreadable, "cannot read \(path): \(error)")
      }
      guard count > 0 else { throw RecordError(.unreadable, "\(path) is shorter than it was written") }
      filled += count
    }
  }

  /// The values of a column of numbers, valid until the next ``begin(_:)`` or ``readTexts()``.
  func values(ofNumber column: Int) -> UnsafeRawPointer { UnsafeRawPointer(base + group.pages[column].start) }

  func number(_ column: Int, _ row: Int) -> Int64 {
    Int64(littleEndian: values(ofNumber: column).loadUnaligned(fromByteOffset: 8 * row, as: Int64.self))
  }

  /// nil where it is missing. Valid until the next ``begin(_:)``. A row is not before that of the last text of its column.
  func text(_ column: Int, _ row: Int) -> UnsafeBufferPointer<UInt8>? {
    // A later column has no page in this group.
    guard column < texts.count else { return nil }
    let found = texts[column]
    precondition(found.row <= row && row < group.rows)
    let bitmap: UnsafeMutablePointer<UInt8>?
    switch found.rows {
    case .none: return nil
    case .all: bitmap = nil
    case .bitmap(let place): bitmap = base + place
    }
    let place = sluice_skip_texts(base, found.place, bitmap, found.row, row)
    (texts[column].place, texts[column].row) = (place, row)
    if let bitmap, bitmap[row >> 3] >> UInt8(row & 7) & 1 == 0 { return nil }
    let count = UnsafeRawPointer(base + place).loadUnaligned(as: UInt32.self)
    return UnsafeBufferPointer(start: base + place + 4, count: Int(UInt32(littleEndian: count)))
  }
}
