/// How the values of a cursor are read from text and compared: one rule for each type, the same wherever a cursor is read.
///
/// `CursorValue` of Ingestion moves the cursor by it, `CursorOrder` of Curation and `TextCursor` of Loading are the same rule as SQL
/// of DuckDB and of PostgreSQL. A text is a value where the contract accepts it for the type (`docs/types.md`), and in the few
/// further forms below. What is no value is older than any. A test takes every accepted form through all three.
package enum CursorKind: Sendable {
  /// An integer of 8 bytes, whatever the size of the type.
  case integer
  /// A decimal number of any precision, with an exponent of six digits; zero with any exponent.
  case decimal
  /// To the nanosecond; what is finer is cut off. A time with an offset is a value of every type, `:60` is the next minute. Without an
  /// offset it is a time in UTC, or in the zone that a contract says.
  case instant
  /// In any of its notations, ordered as its 32 digits in lower case.
  case uuid
  /// Ordered byte by byte, spaces included. An empty text is no value.
  case text

  package init(_ type: ColumnType) {
    if type.isInteger {
      self = .integer
    } else if type.isTemporal {
      self = .instant
    } else if type.isNumber {
      self = .decimal
    } else {
      self = type.name == "uuid" ? .uuid : .text
    }
  }

  /// A longer text is no value: it would be in every checkpoint and in every request.
  package static let maximumBytes = 1024

  /// The text without what is no part of the value: spaces around it, except in `text`.
  package func significant(_ text: String) -> String {
    let space = UInt8(ascii: " ")
    var bytes = text.utf8[...]
    guard self != .text, bytes.first == space || bytes.last == space else { return text }
    while bytes.first == space { bytes = bytes.dropFirst() }
    while bytes.last == space { bytes = bytes.dropLast() }
    return String(Substring(bytes))
  }
}
