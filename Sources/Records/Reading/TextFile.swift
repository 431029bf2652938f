import Glibc

/// Encodings that text may have.
package enum TextEncoding: String, Sendable, CaseIterable {
  case utf8 = "utf-8"
  /// By its byte-order mark; little-endian without one.
  case utf16 = "utf-16"
  case utf16LittleEndian = "utf-16le"
  case utf16BigEndian = "utf-16be"
  case latin1 = "latin-1"
  case windows1252 = "windows-1252"
}

/// Text files of other encodings.
package enum TextFile {
  private static let pieceBytes = 256 * 1024
  /// Stands for what cannot be decoded: it is not UTF-8, so the record that it is in is a bad one.
  private static let undecodable: UInt8 = 0xFF

  /// Writes a file's text as UTF-8. Blocks.
  ///
  /// - Throws: ``RecordError`` where a file cannot be read or written.
  package static func convert(_ path: String, from encoding: TextEncoding, to output: String) throws {
    guard let source = fopen(path, "rbe") else {
      throw RecordError(.unreadable, "cannot read \(path): \(String(cString: strerror(errno)))")
    }
    defer { fclose(source) }
    guard let target = fopen(output, "wbe") else { throw notWritten(output) }
    var isOpen = true
    defer { if isOpen { fclose(target) } }
    var decoder = Decoder(encoding)
    var piece = [UInt8](repeating: 0, count: pieceBytes)
    var text: [UInt8] = []
    while true {
      let count = fread(&piece, 1, pieceBytes, source)
      text.removeAll(keepingCapacity: true)
      if count == 0 { decoder.finish(into: &text) } else { decoder.decode(piece[..<count], into: &text) }
      guard fwrite(text, 1, text.count, target) == text.count else { throw notWritten(output) }
      if count == 0 { break }
    }
    guard ferror(source) == 0 else { throw RecordError(.unreadable, "cannot read \(path)") }
    isOpen = false
    guard fclose(target) == 0 else { throw notWritten(output) }
  }

  private static func notWritten(_ path: String) -> RecordError {
    RecordError(.notWritten, "cannot write \(path): \(String(cString: strerror(errno)))")
  }

  private struct Decoder {
    let encoding: TextEncoding
    private var isBigEndian: Bool?
    private var half: UInt8?
    private var high: UInt16?
    private var isAtBegin = true

    init(_ encoding: TextEncoding) {
      self.encoding = encoding
      isBigEndian =
        switch encoding {
        case .utf16BigEndian: true
        case .utf16LittleEndian: false
        default: nil
        }
    }

    mutating func decode(_ bytes: ArraySlice<UInt8>, into text: inout [UInt8]) {
      switch encoding {
      case .utf8: text += bytes
      case .latin1: for byte in bytes { append(UInt32(byte), to: &text) }
      case .windows1252:
        for byte in bytes {
          guard (0x80..<0xA0).contains(byte) else {
            append(UInt32(byte), to: &text)
            continue
          }
          let scalar = TextFile.windows1252[Int(byte) - 0x80]
          if scalar == 0 { text.append(TextFile.undecodable) } else { append(scalar, to: &text) }
        }
      case .utf16, .utf16LittleEndian, .utf16BigEndian:
        for byte in bytes {
          guard let first = half else {
            half = byte
            continue
          }
          half = nil
          take(first, byte, into: &text)
        }
      }
    }

    private mutating func take(_ first: UInt8, _ second: UInt8, into text: inout [UInt8]) {
      if isAtBegin {
        isAtBegin = false
        let isMark = first == 0xFE && second == 0xFF || first == 0xFF && second == 0xFE
        if isBigEndian == nil { isBigEndian = first == 0xFE && second == 0xFF }
        if isMark, isBigEndian == (first == 0xFE) { return }
      }
      let unit = isBigEndian == true ? UInt16(first) << 8 | UInt16(second) : UInt16(second) << 8 | UInt16(first)
      if let lead = high {
        high = nil
        if unit & 0xFC00 == 0xDC00 {
          return append(0x10000 + (UInt32(lead & 0x3FF) << 10 | UInt32(unit & 0x3FF)), to: &text)
        }
        text.append(TextFile.undecodable)
      }
      switch unit & 0xFC00 {
      case 0xD800: high = unit
      case 0xDC00: text.append(TextFile.undecodable)
      default: append(UInt32(unit), to: &text)
      }
    }

    mutating func finish(into text: inout [UInt8]) {
      if half != nil || high != nil { text.append(TextFile.undecodable) }
      half = nil
      high = nil
    }

    private func append(_ scalar: UInt32, to text: inout [UInt8]) {
      if scalar < 0x80 { return text.append(UInt8(scalar)) }
      guard let scalar = Unicode.Scalar(scalar) else { return text.append(TextFile.undecodable) }
      text += UTF8.encode(scalar).map { Array($0) } ?? [TextFile.undecodable]
    }
  }

  /// The scalars of 0x80 to 0x9F; 0 where the code page has none. Source: the WHATWG's index of windows-1252, whose C1
  /// controls are left out.
  private static let windows1252: [UInt32] = [
    0x20AC, 0, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017D, 0,
    0, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0, 0x017E,
    0x0178,
  ]
}
