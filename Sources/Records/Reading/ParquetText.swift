/// Bytes of Parquet's own structures, in Thrift's compact protocol.
///
/// Only what ``RowWriter`` writes. Source: `parquet.thrift` of the Parquet format, and Thrift's compact protocol.
struct ParquetText {
  private(set) var bytes: [UInt8] = []
  /// The numbers of the last fields of the structures that are open.
  private var last: [Int] = [0]

  private enum Kind: UInt8 {
    case int32 = 5
    case int64 = 6
    case binary = 8
    case list = 9
    case structure = 12
  }

  static let magic = Array("PAR1".utf8)

  private mutating func begin(_ field: Int, _ kind: Kind) {
    bytes.append(UInt8(field - last[last.count - 1]) << 4 | kind.rawValue)
    last[last.count - 1] = field
  }

  static func append(_ number: UInt64, to bytes: inout [UInt8]) {
    var rest = number
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  private mutating func append(_ number: Int64) {
    Self.append(UInt64(bitPattern: number << 1 ^ number >> 63), to: &bytes)
  }

  private mutating func append(_ text: String) {
    Self.append(UInt64(text.utf8.count), to: &bytes)
    bytes += text.utf8
  }

  mutating func put(_ field: Int, int32 number: Int) {
    begin(field, .int32)
    append(Int64(number))
  }

  mutating func put(_ field: Int, int64 number: Int64) {
    begin(field, .int64)
    append(number)
  }

  mutating func put(_ field: Int, _ text: String) {
    begin(field, .binary)
    append(text)
  }

  private mutating func beginList(_ field: Int, count: Int, _ kind: Kind) {
    begin(field, .list)
    if count < 15 {
      bytes.append(UInt8(count) << 4 | kind.rawValue)
    } else {
      bytes.append(0xF0 | kind.rawValue)
      Self.append(UInt64(count), to: &bytes)
    }
  }

  mutating func put(_ field: Int, int32s numbers: [Int]) {
    beginList(field, count: numbers.count, .int32)
    for number in numbers { append(Int64(number)) }
  }

  mutating func put(_ field: Int, texts: [String]) {
    beginList(field, count: texts.count, .binary)
    for text in texts { append(text) }
  }

  mutating func put(_ field: Int, structure body: (inout ParquetText) -> Void) {
    begin(field, .structure)
    structure(body)
  }

  mutating func put(_ field: Int, structures count: Int, _ body: (inout ParquetText, _ index: Int) -> Void) {
    beginList(field, count: count, .structure)
    for index in 0..<count { structure { body(&$0, index) } }
  }

  private mutating func structure(_ body: (inout ParquetText) -> Void) {
    last.append(0)
    body(&self)
    end()
    last.removeLast()
  }

  /// Ends the structure that is the whole text.
  mutating func end() { bytes.append(0) }
}
