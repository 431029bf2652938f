import CRecordParser
import Glibc

extension RecordReader {
  /// Reads JSON, an object a line. An empty line is no record.
  ///
  /// - Returns: The number of lines.
  func readLines(_ window: ByteWindow, _ table: inout FieldTable, _ range: Range<Int64>) throws -> Int {
    if range.lowerBound > 0 { try window.seek(to: range.lowerBound) }
    guard let parser = sluice_json_parser_new() else { throw RecordError(.unreadable, "no memory for a JSON parser") }
    defer { sluice_json_parser_free(parser) }
    var line = 0
    while window.offset < range.upperBound, let (text, length) = try nextLine(window) {
      try checkCancellation()
      line += 1
      let byte = window.offset
      if text.count > maximumRecordBytes {
        try reject(text, "record:too_long", line: line, byte: byte)
      } else if !isBlank(text) {
        if let fault = take(text, parser, &table) {
          try reject(text, "record:\(fault)", line: line, byte: byte)
        } else {
          try accept(text, &table)
        }
      }
      if length < 0 { try skipLine(window) } else { window.drop(length) }
    }
    return line
  }

  /// The next line and the bytes that it takes with its end; -1 where it is too long and its end is not in the window.
  private func nextLine(_ window: ByteWindow) throws -> (UnsafeBufferPointer<UInt8>, Int)? {
    var searched = 0
    while true {
      let bytes = window.bytes
      if let start = bytes.baseAddress, let found = memchr(start + searched, 0x0A, bytes.count - searched) {
        let count = found.assumingMemoryBound(to: UInt8.self) - UnsafeMutablePointer(mutating: start)
        return (UnsafeBufferPointer(rebasing: bytes[..<count]), count + 1)
      }
      if window.isAtEnd { return bytes.isEmpty ? nil : (bytes, bytes.count) }
      if bytes.count > maximumRecordBytes { return (bytes, -1) }
      searched = bytes.count
      try window.refill()
    }
  }

  /// Moves behind the next line feed.
  private func skipLine(_ window: ByteWindow) throws {
    while true {
      let bytes = window.bytes
      let end = CSVRowScanner.find(bytes, 0x0A, 0x0A, 0x0A)
      if end < bytes.count { return window.drop(end + 1) }
      window.drop(bytes.count)
      if window.isAtEnd { return }
      try window.refill()
      try checkCancellation()
    }
  }

  private func isBlank(_ line: UnsafeBufferPointer<UInt8>) -> Bool {
    line.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
  }

  /// Sets the table's record; returns the reason where it is none.
  private func take(
    _ text: UnsafeBufferPointer<UInt8>, _ parser: OpaquePointer, _ table: inout FieldTable
  ) -> String? {
    var fields: UnsafePointer<sluice_json_field>?
    var count = 0
    switch sluice_json_parse(parser, text.baseAddress, text.count, &fields, &count) {
    case SLUICE_JSON_OK: break
    case SLUICE_JSON_NOT_AN_OBJECT: return "not_an_object"
    case SLUICE_JSON_TOO_DEEP: return "too_deep"
    case SLUICE_JSON_NUL: return "nul"
    case SLUICE_JSON_NOT_UTF8: return "encoding"
    case SLUICE_JSON_NO_MEMORY: return "too_long"
    default: return "json"
    }
    table.beginRecord()
    for field in UnsafeBufferPointer(start: fields, count: count) {
      let name = UnsafeBufferPointer(start: field.name, count: field.name_length)
      let isNull = field.kind == UInt8(SLUICE_JSON_NULL.rawValue)
      let value = isNull ? nil : UnsafeBufferPointer(start: field.text, count: field.length)
      guard table.set(name, value) else {
        table.dropRecord()
        return "field_twice"
      }
    }
    return nil
  }
}
