import CRecordParser
import SystemPackage

/// A file of ``RowText``, of which some rows are wanted. A row begins with its object and its position, and has no line feed in it.
package struct RowFile: Sendable {
  package let path: String

  package init(_ path: String) { self.path = path }

  /// Where a record stands in raw.
  package struct Place: Sendable, Equatable {
    package let object: Int64
    package let position: Int64
    package init(object: Int64, position: Int64) {
      self.object = object
      self.position = position
    }
  }

  private static let blockBytes = 4_000_000
  /// What is read at once of a row that is sampled; most rows are shorter.
  private static let rowBytes = 2_048

  /// Places as a file has them: a line each, the two numbers with a comma between them, sorted.
  ///
  /// - Throws: ``RecordError`` where the file cannot be read, or is no such file.
  package static func places(in path: String) throws -> [Place] {
    let file = try open(path)
    defer { try? file.close() }
    var places: [Place] = []
    var numbers: [Int64] = [0]
    try blocks(of: file, path) { bytes in
      for byte in bytes {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"):
          numbers[numbers.count - 1] = numbers[numbers.count - 1] &* 10 &+ Int64(byte - UInt8(ascii: "0"))
        case UInt8(ascii: ","): numbers.append(0)
        default:
          guard byte == UInt8(ascii: "\n"), numbers.count == 2 else {
            throw RecordError(.unreadable, "\(path) is no list of places")
          }
          places.append(Place(object: numbers[0], position: numbers[1]))
          numbers = [0]
        }
      }
      return bytes.count
    }
    return places
  }

  /// Writes the rows at some places to a new file.
  ///
  /// - Parameters:
  ///   - places: Sorted.
  ///   - before: Is added to the positions of this file.
  /// - Returns: How many rows there are.
  package func take(_ places: [Place], before: Int, to target: String) throws -> Int {
    let wanted = places.map { sluice_place(object: $0.object, position: $0.position) }
    let file = try Self.open(path)
    defer { try? file.close() }
    let output = try Self.create(target)
    defer { try? output.close() }
    var count = 0
    var taken = [UInt8](repeating: 0, count: Self.blockBytes)
    try Self.blocks(of: file, path) { bytes in
      guard let start = bytes.baseAddress, let end = bytes.lastIndex(of: UInt8(ascii: "\n")) else { return 0 }
      if taken.count < bytes.count { taken = [UInt8](repeating: 0, count: bytes.count) }
      var rows = 0
      let length = taken.withUnsafeMutableBufferPointer { room in
        sluice_take_rows(
          start, end + 1, RowText.delimiter, Int64(before), wanted, wanted.count, room.baseAddress, &rows)
      }
      count += rows
      try Self.write(taken[..<length], to: output, target)
      return end + 1
    }
    return count
  }

  /// Writes at most `count` rows that stand at about equal distances to a new file.
  ///
  /// - Returns: How many rows there are.
  package func sample(_ count: Int, to target: String) throws -> Int {
    let file = try Self.open(path)
    defer { try? file.close() }
    let output = try Self.create(target)
    defer { try? output.close() }
    do {
      let size = try file.seek(offset: 0, from: .end)
      var rows = 0
      var next: Int64 = 0
      var buffer = [UInt8](repeating: 0, count: Self.rowBytes)
      for number in 0..<count {
        let place = size * Int64(number) / Int64(count)
        // The row before this place was the last one.
        guard place >= next else { continue }
        // A row begins behind the line feed, which may be the byte before the place.
        var start = max(place - 1, 0)
        var filled = 0
        var row: Range<Int>?
        while row == nil {
          let read = try buffer.withUnsafeMutableBytes {
            try file.read(
              fromAbsoluteOffset: start + Int64(filled), into: UnsafeMutableRawBufferPointer(rebasing: $0[filled...]))
          }
          filled += read
          row = Self.firstRow(buffer[..<filled], isAtStart: place == 0)
          if read == 0 { break }
          if row == nil, filled == buffer.count { buffer += [UInt8](repeating: 0, count: buffer.count) }
        }
        guard let row else { break }
        try Self.write(buffer[row], to: output, target)
        start += Int64(row.upperBound)
        next = start
        rows += 1
      }
      return rows
    } catch let error as Errno { throw RecordError(.unreadable, "cannot read \(path): \(error)") }
  }

  /// The first whole row of some bytes.
  private static func firstRow(_ bytes: ArraySlice<UInt8>, isAtStart: Bool) -> Range<Int>? {
    let feed = UInt8(ascii: "\n")
    var start = 0
    if !isAtStart {
      guard let first = bytes.firstIndex(of: feed) else { return nil }
      start = first + 1
    }
    return bytes[start...].firstIndex(of: feed).map { start..<($0 + 1) }
  }

  private static func open(_ path: String) throws -> FileDescriptor {
    do { return try FileDescriptor.open(FilePath(path), .readOnly, options: [.closeOnExec]) } catch {
      throw RecordError(.unreadable, "cannot read \(path): \(error)")
    }
  }

  private static func create(_ path: String) throws -> FileDescriptor {
    do {
      return try FileDescriptor.open(
        FilePath(path), .writeOnly, options: [.create, .truncate, .closeOnExec], permissions: .ownerReadWrite)
    } catch { throw RecordError(.notWritten, "cannot write \(path): \(error)") }
  }

  private static func write(_ bytes: ArraySlice<UInt8>, to file: FileDescriptor, _ path: String) throws {
    guard !bytes.isEmpty else { return }
    do { try file.writeAll(bytes) } catch { throw RecordError(.notWritten, "cannot write \(path): \(error)") }
  }

  /// Goes through a file in blocks. What `body` does not take of one comes again at the beginning of the next.
  private static func blocks(
    of file: FileDescriptor, _ path: String, _ body: (UnsafeBufferPointer<UInt8>) throws -> Int
  ) throws {
    var buffer = [UInt8](repeating: 0, count: blockBytes)
    var filled = 0
    while true {
      let read: Int
      do {
        read = try buffer.withUnsafeMutableBytes {
          try file.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[filled...]))
        }
      } catch { throw RecordError(.unreadable, "cannot read \(path): \(error)") }
      guard read > 0 else { return }
      filled += read
      let taken = try buffer.withUnsafeBufferPointer { try body(UnsafeBufferPointer(rebasing: $0[..<filled])) }
      buffer.withUnsafeMutableBufferPointer { bytes in
        guard let start = bytes.baseAddress, taken > 0 else { return }
        start.update(from: start + taken, count: filled - taken)
      }
      filled -= taken
      if filled == buffer.count { buffer += [UInt8](repeating: 0, count: buffer.count) }
    }
  }
}
