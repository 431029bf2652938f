import JobModel
import PipelineDefinition

/// Counts the records of CSV that streams by, and follows the values of one field.
///
/// Quoted line breaks belong to their field, blank lines are no records, and neither are the header and the skipped
/// lines. Only what a cursor needs is read here: whether a record is well formed, curation says.
///
/// Not for several threads at a time.
final class CSVScanner {
  /// Longer fields are cut, and still longer than a cursor's value may be.
  private static let longestValue = CursorKind.maximumBytes + 1

  private let delimiter: UInt8
  private let quote: UInt8?
  private let escape: UInt8?
  private let null: String
  private let field: String?

  private var linesToSkip: Int
  private var expectsHeader: Bool
  /// Where the field stands; nil before the header was read, or where it is not there.
  private var wanted: Int?
  private var counted: Int64 = 0
  private var isInQuotes = false
  private var isEscaped = false
  private var mayEndQuotes = false
  private var lineHasText = false
  private var column = 0
  private var text: [UInt8] = []
  private var found: String?
  private var values: [String?] = []

  /// - Parameters:
  ///   - field: Whose values are followed; nil: records are only counted.
  ///   - columns: The stream's own names, where the author fixed them.
  init(_ format: CSVFormat, field: String? = nil, columns: [String] = []) {
    delimiter = format.delimiter.utf8.first ?? UInt8(ascii: ",")
    quote = format.quote.utf8.first
    escape = format.escape?.utf8.first
    null = format.null
    self.field = field
    linesToSkip = format.skip
    expectsHeader = format.header
    if !columns.isEmpty {
      wanted = field.flatMap { Self.position(of: $0, in: columns) }
    } else if !format.header {
      // Without names the columns are c1…cn.
      wanted = field.flatMap(Self.position(ofUnnamed:))
    }
    namesAreFixed = !columns.isEmpty
  }

  private let namesAreFixed: Bool

  private static func position(of field: String, in columns: [String]) -> Int? {
    columns.firstIndex { $0.isExactly(field) }
  }

  /// 0 for `c1`; nil for a name that no unnamed column has.
  private static func position(ofUnnamed field: String) -> Int? {
    guard field.utf8.first == UInt8(ascii: "c"),
      let number = Int(String(decoding: field.utf8.dropFirst(), as: UTF8.self)),
      number > 0
    else { return nil }
    return number - 1
  }

  var records: Int64 { counted }

  /// The field's values since the last call; nil for one that is null or not there.
  func takeFieldValues() -> [String?] {
    defer { values.removeAll(keepingCapacity: true) }
    return values
  }

  func feed(_ bytes: [UInt8]) {
    for byte in bytes { step(byte) }
  }

  /// The last line need not end with a line break.
  func finish() { endLine() }

  private var isKept: Bool { linesToSkip == 0 && field != nil && (expectsHeader || column == wanted) }

  private func step(_ byte: UInt8) {
    if isEscaped {
      isEscaped = false
      keep(byte)
    } else if byte == escape, byte != quote, isInQuotes {
      isEscaped = true
    } else if byte == quote, linesToSkip == 0 {
      // A quote right after a closing one is a quote in the field; both toggle, so the state comes out the same.
      if mayEndQuotes { keep(byte) }
      isInQuotes.toggle()
      mayEndQuotes = !isInQuotes
      lineHasText = true
      return
    } else if byte == 0x0A, !isInQuotes {
      endLine()
    } else if byte == delimiter, !isInQuotes {
      lineHasText = true
      endField()
    } else if byte != 0x0D || isInQuotes {
      lineHasText = true
      keep(byte)
    }
    mayEndQuotes = false
  }

  private func keep(_ byte: UInt8) {
    if isKept, text.count < Self.longestValue { text.append(byte) }
  }

  private func endField() {
    if isKept {
      // A byte order mark stands before the first name and is none of it.
      let hasMark = expectsHeader && column == 0 && text.starts(with: [0xEF, 0xBB, 0xBF])
      let value = String(decoding: hasMark ? text[3...] : text[...], as: UTF8.self)
      if expectsHeader {
        if !namesAreFixed, let field, value.isExactly(field) { wanted = column }
      } else {
        found = value.isExactly(null) ? nil : value
      }
      text.removeAll(keepingCapacity: true)
    }
    column += 1
  }

  private func endLine() {
    endField()
    defer {
      lineHasText = false
      column = 0
      found = nil
    }
    if linesToSkip > 0 {
      linesToSkip -= 1
    } else if expectsHeader {
      expectsHeader = false
    } else if lineHasText {
      counted += 1
      if field != nil { values.append(found) }
    }
  }
}
