/// A name as DuckDB compares names: bytes, of which only the letters of ASCII have no case.
///
/// A Swift `String` is not that: it takes two spellings of one character for equal, and `lowercased()` makes an ASCII letter of
/// some others, so that a name could pass for another one.
package struct SQLName: Sendable, Hashable {
  private let bytes: [UInt8]

  package init(_ name: String) {
    bytes = name.utf8.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 + 32 : $0 }
  }
}
