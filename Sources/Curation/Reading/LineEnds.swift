#if canImport(Glibc)
  import Glibc
#endif

/// Makes one kind of line end of several.
///
/// DuckDB's strict reader refuses a file whose rows end differently, and its lenient one silently cuts values and
/// swallows fields. So such a file is copied with `\n` at the end of every row; what stands in quotes is not touched.
enum LineEnds {
  private static let pieceBytes = 256 * 1024

  /// Copies a file whose encoding has ASCII's bytes for quotes and line ends. Blocks.
  ///
  /// - Returns: false where a file could not be read or written.
  static func unify(_ path: String, to target: String, quote: UInt8?, escape: UInt8?) -> Bool {
    guard let source = fopen(path, "rbe") else { return false }
    defer { fclose(source) }
    guard let output = fopen(target, "wbe") else { return false }
    var piece = [UInt8](repeating: 0, count: pieceBytes)
    var result: [UInt8] = []
    var state = State(quote: quote, escape: escape)
    while true {
      let count = fread(&piece, 1, pieceBytes, source)
      if count == 0 { break }
      result.removeAll(keepingCapacity: true)
      for byte in piece[..<count] { state.take(byte, into: &result) }
      guard fwrite(result, 1, result.count, output) == result.count else { break }
    }
    let isRead = ferror(source) == 0 && feof(source) != 0
    return fclose(output) == 0 && isRead
  }

  private struct State {
    let quote: UInt8?
    let escape: UInt8?
    var isQuoted = false
    var isEscaped = false
    var followsReturn = false

    mutating func take(_ byte: UInt8, into result: inout [UInt8]) {
      let wasReturn = followsReturn
      followsReturn = false
      if isQuoted {
        if isEscaped {
          isEscaped = false
        } else if let escape, escape != quote, byte == escape {
          isEscaped = true
        } else if byte == quote {
          isQuoted = false
        }
        return result.append(byte)
      }
      switch byte {
      case UInt8(ascii: "\r"):
        followsReturn = true
        result.append(UInt8(ascii: "\n"))
      case UInt8(ascii: "\n") where wasReturn: break
      default:
        if byte == quote { isQuoted = true }
        result.append(byte)
      }
    }
  }
}
