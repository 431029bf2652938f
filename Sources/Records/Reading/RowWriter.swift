import CRecordParser
import SystemPackage

/// Rows of text for the SQL engine, in a form that has one meaning only.
///
/// A row ends with a line feed, and between its fields is ``delimiter``; nothing is quoted. ``null`` alone is a missing value.
/// Any of these characters in a value is written as ``escape`` and a letter.
package enum RowText {
  package static let delimiter: UInt8 = 0x1F
  package static let null: UInt8 = 0x02
  package static let escape: UInt8 = 0x01

  static let letters: [(byte: UInt8, letter: UInt8)] = [
    (0, UInt8(ascii: "0")), (UInt8(ascii: "\n"), UInt8(ascii: "n")), (UInt8(ascii: "\r"), UInt8(ascii: "r")),
    (delimiter, UInt8(ascii: "d")),
    (null, UInt8(ascii: "z")), (escape, UInt8(ascii: "a")),
  ]

  /// SQL for a value that was written; needed only for columns in which an escape was written.
  ///
  /// Behind an escape stands a letter always, and the escape itself comes last, so no replacement makes a pair that
  /// another one takes.
  package static func decoding(_ expression: String) -> String {
    letters.reduce(expression) { text, pair in
      "replace(\(text), chr(\(escape)) || '\(Character(Unicode.Scalar(pair.letter)))', chr(\(pair.byte)))"
    }
  }
}

/// Writes rows of ``RowText`` to a file.
final class RowWriter {
  private let file: FileDescriptor
  private let path: String
  private var buffer: UnsafeMutablePointer<UInt8>
  private var capacity: Int
  private var used = 0
  private var rowStart = 0
  private(set) var rows = 0
  /// The longest row in bytes.
  private(set) var longestRow = 0
  private var isClosed = false

  private static let blockBytes = 1 << 20

  /// - Throws: ``RecordError`` `disk_full`.
  init(path: String) throws {
    self.path = path
    do {
      file = try FileDescriptor.open(
        FilePath(path), .writeOnly, options: [.create, .truncate, .closeOnExec], permissions: .ownerReadWrite)
    } catch { throw RecordError(.notWritten, "cannot write \(path): \(error)") }
    capacity = 2 * Self.blockBytes
    buffer = .allocate(capacity: capacity)
  }

  deinit {
    buffer.deallocate()
    if !isClosed { try? file.close() }
  }

  func close() throws {
    try flush()
    isClosed = true
    do { try file.close() } catch { throw RecordError(.notWritten, "cannot write \(path): \(error)") }
  }

  private func flush() throws {
    guard used > 0 else { return }
    do { try file.writeAll(UnsafeRawBufferPointer(start: buffer, count: used)) } catch {
      throw RecordError(.notWritten, "cannot write \(path): \(error)")
    }
    used = 0
    rowStart = 0
  }

  private func reserve(_ count: Int) {
    guard used + count > capacity else { return }
    let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: 2 * (used + count))
    larger.update(from: buffer, count: used)
    buffer.deallocate()
    buffer = larger
    capacity = 2 * (used + count)
  }

  private func delimit() {
    reserve(1)
    if used > rowStart {
      buffer[used] = RowText.delimiter
      used += 1
    }
  }

  func put(_ number: Int64) {
    delimit()
    reserve(20)
    var rest = number.magnitude
    var digits = 0
    if number < 0 {
      buffer[used] = UInt8(ascii: "-")
      used += 1
    }
    repeat {
      buffer[used + digits] = UInt8(truncatingIfNeeded: rest % 10) + UInt8(ascii: "0")
      digits += 1
      rest /= 10
    } while rest > 0
    var (low, high) = (used, used + digits - 1)
    while low < high {
      swap(&buffer[low], &buffer[high])
      low += 1
      high -= 1
    }
    used += digits
  }

  func putNull() {
    delimit()
    reserve(1)
    buffer[used] = RowText.null
    used += 1
  }

  /// - Returns: Whether the value has an escape.
  func put(_ value: UnsafeBufferPointer<UInt8>) -> Bool {
    delimit()
    guard let start = value.baseAddress, value.count > 0 else { return false }
    guard sluice_has_control(start, value.count) else {
      reserve(value.count)
      (buffer + used).update(from: start, count: value.count)
      used += value.count
      return false
    }
    reserve(2 * value.count)
    var escapes = false
    for byte in value {
      if let letter = Self.letter(of: byte) {
        buffer[used] = RowText.escape
        buffer[used + 1] = letter
        used += 2
        escapes = true
      } else {
        buffer[used] = byte
        used += 1
      }
    }
    return escapes
  }

  func endRow() throws {
    reserve(1)
    buffer[used] = UInt8(ascii: "\n")
    used += 1
    let length = used - rowStart
    longestRow = max(longestRow, length)
    rows += 1
    rowStart = used
    if used >= Self.blockBytes { try flush() }
  }

  private static func letter(of byte: UInt8) -> UInt8? {
    RowText.letters.first { $0.byte == byte }?.letter
  }
}
