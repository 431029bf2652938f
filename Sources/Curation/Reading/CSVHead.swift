import DuckDB
import JobModel
import ObjectStore
import PipelineDefinition
import SystemPackage

/// The first line of a CSV file: it names the columns, or says how many there are.
///
/// It is read and decoded here, strictly. The SQL engine's reader leaves out a line that it cannot read, and the next one would
/// pass for the header.
enum CSVHead {
  /// Why a first line cannot be read, for a message that begins with the file's name.
  struct Unreadable: Error { var reason: String }

  /// Read at first; a longer line, or a file that begins with many empty ones, takes the second amount.
  private static let headBytes = [65_536, CSVReading.maximumLineBytes]

  /// - Returns: The line without its end; nil for a file that holds line ends at most.
  /// - Throws: ``Unreadable``, for a header only: of a record the SQL engine says what is wrong.
  static func firstLine(of path: String, _ format: CSVFormat) async throws -> String? {
    try await BlockingIO.run {
      for bytes in headBytes {
        let head = try head(of: path, bytes: bytes)
        switch try firstLine(head, isWholeFile: head.count < bytes, format) {
        case .line(let line): return line
        case .none: return nil
        case .unknown: continue
        }
      }
      throw Unreadable(reason: "no line ends within the first \(CSVReading.maximumLineBytes) bytes")
    }
  }

  enum Found: Equatable {
    case line(String)
    /// Nothing but line ends.
    case none
    /// More of the file is needed.
    case unknown
  }

  private static func head(of path: String, bytes: Int) throws -> [UInt8] {
    let file = try FileDescriptor.open(FilePath(path), .readOnly)
    defer { try? file.close() }
    var head: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 65_536)
    while head.count < bytes {
      let room = min(piece.count, bytes - head.count)
      let count = try piece.withUnsafeMutableBytes {
        try file.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[..<room]))
      }
      guard count > 0 else { break }
      head += piece[..<count]
    }
    return head
  }

  static func firstLine(_ head: [UInt8], isWholeFile: Bool, _ format: CSVFormat) throws -> Found {
    let text: [UInt8]
    if format.encoding == "utf-16" {
      text = Array(String(decoding: units(head), as: UTF16.self).utf8)
    } else {
      text = head.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(head.dropFirst(3)) : head
    }
    var rest = text[...]
    for _ in 0..<format.skip { _ = takeLine(&rest) }
    guard rest.contains(where: { !isLineEnd($0) }) else { return isWholeFile ? .none : .unknown }
    if !format.header { rest = rest.drop(while: isLineEnd) }
    guard isWholeFile || rest.contains(where: isLineEnd) || !format.header && head.count >= CSVReading.maximumLineBytes
    else { return .unknown }
    let line = takeLine(&rest)
    if format.header, line.isEmpty {
      throw Unreadable(reason: "the first line is empty; set `skip` of the stream's records")
    }
    if format.encoding == "latin-1" { return .line(String(String.UnicodeScalarView(line.map { Unicode.Scalar($0) }))) }
    if let decoded = String(validating: line, as: UTF8.self) { return .line(decoded) }
    guard !format.header else {
      throw Unreadable(reason: "the first line is not \(format.encoding); set `encoding` of the stream's records")
    }
    return .line(String(decoding: line, as: UTF8.self))
  }

  private static func isLineEnd(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") }

  private static func takeLine(_ rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    let end = rest.firstIndex(where: isLineEnd) ?? rest.endIndex
    let line = rest[..<end]
    var next = end
    if next < rest.endIndex {
      next +=
        rest[next] == UInt8(ascii: "\r") && next + 1 < rest.endIndex && rest[next + 1] == UInt8(ascii: "\n") ? 2 : 1
    }
    rest = rest[next...]
    return line
  }

  private static func units(_ bytes: [UInt8]) -> [UInt16] {
    let isBig = bytes.starts(with: [0xFE, 0xFF])
    let body = isBig || bytes.starts(with: [0xFF, 0xFE]) ? bytes.dropFirst(2) : bytes[...]
    return stride(from: body.startIndex, to: body.endIndex - 1, by: 2).map { index in
      let (first, second) = (UInt16(body[index]), UInt16(body[index + 1]))
      return isBig ? first << 8 | second : second << 8 | first
    }
  }
}
