import CRecordParser
import SystemPackage

/// A file as a window of bytes that moves over it: what a record needs is in the window whole.
///
/// The window is as large as the longest record asks for, and a block at least.
final class ByteWindow {
  private let file: FileDescriptor
  private let path: String
  private var base: UnsafeMutablePointer<UInt8>
  private var capacity: Int
  private var start = 0
  private var end = 0
  /// Bytes of the file before the window.
  private(set) var offset: Int64 = 0
  /// Whether the window's end is the file's.
  private(set) var isAtEnd = false

  /// Readable behind the window's end, for parsers that look ahead.
  private static let padding = 64

  /// - Parameter blockBytes: Bytes that are read at once; the window's size at first.
  /// - Throws: ``RecordError`` `records_unreadable`.
  init(path: String, blockBytes: Int) throws {
    self.path = path
    precondition(sluice_json_padding <= Self.padding, "the parser looks farther ahead than the window is padded")
    do { file = try FileDescriptor.open(FilePath(path), .readOnly) } catch { throw Self.unreadable(path, error) }
    capacity = blockBytes
    base = .allocate(capacity: capacity + Self.padding)
    base.initialize(repeating: 0, count: capacity + Self.padding)
  }

  deinit {
    base.deallocate()
    try? file.close()
  }

  /// What is in the window. Valid until the next ``refill()``.
  var bytes: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: base + start, count: end - start) }

  var count: Int { end - start }

  /// Moves the window's begin over bytes that are done with.
  func drop(_ count: Int) {
    precondition(count <= end - start)
    start += count
    offset += Int64(count)
  }

  /// Moves the window to a place of the file; it is empty then.
  ///
  /// - Throws: ``RecordError`` `records_unreadable`.
  func seek(to place: Int64) throws {
    do { try file.seek(offset: place, from: .start) } catch { throw Self.unreadable(path, error) }
    (start, end, offset, isAtEnd) = (0, 0, place, false)
  }

  /// Takes more bytes of the file into the window; sets ``isAtEnd`` where there are none.
  ///
  /// - Throws: ``RecordError`` `records_unreadable`.
  func refill() throws {
    guard !isAtEnd else { return }
    if start > 0 {
      base.update(from: base + start, count: end - start)
      end -= start
      start = 0
    }
    if end == capacity { grow() }
    let count: Int
    do {
      count = try file.read(into: UnsafeMutableRawBufferPointer(start: base + end, count: capacity - end))
    } catch { throw Self.unreadable(path, error) }
    end += count
    isAtEnd = count == 0
  }

  private func grow() {
    let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: 2 * capacity + Self.padding)
    larger.initialize(repeating: 0, count: 2 * capacity + Self.padding)
    larger.update(from: base, count: end)
    base.deallocate()
    base = larger
    capacity *= 2
  }

  private static func unreadable(_ path: String, _ error: any Error) -> RecordError {
    RecordError(.unreadable, "cannot read \(path): \(error)")
  }
}
