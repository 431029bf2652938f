import CRecordParser

/// Takes rows of CSV apart. Values keep every byte.
///
/// - A field that begins with the quote ends with the next single one; the quote or the escape before a quote stands for it.
///   Delimiters and line ends are text within quotes. In any other field a quote is text.
/// - A row ends with `\n`, `\r\n` or `\r`.
/// - Where a quoted field does not end, or has text behind its quote, the line is a bad record, and reading continues with the
///   next line: one stray quote takes one line.
struct CSVRowScanner {
  /// A field of a row: its bytes in the window, without quotes.
  struct Field {
    var start: Int
    var count: Int
    var isQuoted = false
    /// Whether a quote or an escape in it stands for another character.
    var hasEscapes = false
  }

  enum Fault: String {
    case quote
    case tooLong = "too_long"
  }

  enum Outcome {
    /// ``fields`` has the row.
    case row
    case bad(Fault)
    /// The row's end is not in the window.
    case unfinished
  }

  /// A delimiter, a quote or an escape: a character, most often of one byte.
  private struct Mark: Equatable {
    let bytes: [UInt8]
    let first: UInt8
    let count: Int

    init(_ character: String) {
      bytes = Array(character.utf8)
      first = bytes.first ?? 0
      count = bytes.count
    }
  }

  private let delimiter: Mark
  private let quote: Mark
  private let escape: Mark

  private(set) var fields: [Field] = []
  /// Bytes that the last row took, its line end included.
  private(set) var length = 0
  /// Bytes of it without the line end.
  private(set) var textLength = 0
  /// Lines that it took.
  private(set) var lines = 1

  private let hasOwnEscape: Bool
  /// Where fields without quotes end, of one look; empty where a delimiter or a quote is not one byte, so that there is none.
  private var ends: [Int]
  private static let endsOfALook = 64

  init(delimiter: String, quote: String, escape: String?) {
    hasOwnEscape = escape != nil && escape != quote
    self.delimiter = Mark(delimiter)
    self.quote = Mark(quote)
    self.escape = Mark(escape ?? quote)
    let areBytes = self.delimiter.count == 1 && self.quote.count == 1
    ends = areBytes ? [Int](repeating: 0, count: Self.endsOfALook) : []
  }

  /// Takes one row off the begin of `bytes`.
  ///
  /// - Parameters:
  ///   - isWhole: Whether `bytes` ends with the file.
  ///   - maximum: Bytes that a row may have.
  mutating func scan(_ bytes: UnsafeBufferPointer<UInt8>, isWhole: Bool, maximum: Int) -> Outcome {
    fields.removeAll(keepingCapacity: true)
    lines = 1
    var at = 0
    while true {
      let field: Field
      let end: Int
      let linesBefore = lines
      if quote.count > 0, has(quote, bytes, at) {
        switch quoted(bytes, from: at, isWhole: isWhole) {
        case .field(let found, let next): (field, end) = (found, next)
        case .unfinished where bytes.count > maximum, .open where bytes.count > maximum:
          return tooLong(bytes, isWhole: isWhole)
        case .unfinished: return .unfinished
        case .open:
          lines = linesBefore
          return bad(.quote, bytes, from: at, isWhole: isWhole)
        }
        guard end < bytes.count || isWhole else { return .unfinished }
        if end < bytes.count, !isLineEnd(bytes[end]), !has(delimiter, bytes, end) {
          if !isWhole, bytes.count - end < delimiter.count { return .unfinished }
          return end > maximum
            ? tooLong(bytes, isWhole: isWhole) : bad(.quote, bytes, from: end, isWhole: isWhole)
        }
      } else if let last = takeFields(bytes, from: at) {
        (field, end) = last
      } else {
        end = unquotedEnd(bytes, from: at, isWhole: isWhole)
        guard end < bytes.count || isWhole else {
          return bytes.count > maximum ? tooLong(bytes, isWhole: isWhole) : .unfinished
        }
        field = Field(start: at, count: end - at)
      }
      fields.append(field)
      if end < bytes.count, !isLineEnd(bytes[end]) {
        at = end + delimiter.count
        continue
      }
      guard let next = behindLineEnd(bytes, end, isWhole: isWhole) else { return .unfinished }
      guard end <= maximum else { return tooLong(bytes, isWhole: isWhole) }
      (textLength, length) = (end, next)
      return .row
    }
  }

  /// Takes fields without quotes; returns the last of them, which is not taken, and its end. nil where the end of the first is to be found in
  /// another way.
  private mutating func takeFields(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> (Field, end: Int)? {
    guard !ends.isEmpty, let base = bytes.baseAddress, start < bytes.count else { return nil }
    let room = ends.count
    let (delimiter, quote) = (delimiter.first, quote.first)
    let count = ends.withUnsafeMutableBufferPointer {
      sluice_find_ends(base + start, bytes.count - start, delimiter, quote, $0.baseAddress, room)
    }
    guard count > 0 else { return nil }
    var at = start
    for index in 0..<(count - 1) {
      fields.append(Field(start: at, count: start + ends[index] - at))
      at = start + ends[index] + 1
    }
    let end = start + ends[count - 1]
    return (Field(start: at, count: end - at), end)
  }

  /// Takes the first line of a row that is too long, however much of it is in the window.
  private mutating func tooLong(_ bytes: UnsafeBufferPointer<UInt8>, isWhole: Bool) -> Outcome {
    lines = 1
    return bad(.tooLong, bytes, from: 0, isWhole: isWhole)
  }

  /// The present row's line is no record: it ends with the line on which it was found out.
  private mutating func bad(
    _ fault: Fault, _ bytes: UnsafeBufferPointer<UInt8>, from place: Int, isWhole: Bool
  ) -> Outcome {
    let rest = UnsafeBufferPointer(rebasing: bytes[place...])
    let end = place + Self.find(rest, UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "\r"))
    // Where the line has no end yet the reader leaves out what follows up to one.
    guard let next = behindLineEnd(bytes, end, isWhole: isWhole) else { return .unfinished }
    (textLength, length) = (end, next)
    return .bad(fault)
  }

  private enum Quoted {
    case field(Field, next: Int)
    /// It has not ended at the window's end.
    case unfinished
    /// It has not ended at the file's end.
    case open
  }

  private mutating func quoted(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int, isWhole: Bool) -> Quoted {
    let begin = start + quote.count
    var at = begin
    var hasEscapes = false
    while true {
      guard at < bytes.count else { return isWhole ? .open : .unfinished }
      let rest = UnsafeBufferPointer(rebasing: bytes[at...])
      at += Self.find(rest, quote.first, escape.first, UInt8(ascii: "\n"))
      guard at < bytes.count else { return isWhole ? .open : .unfinished }
      if bytes[at] == UInt8(ascii: "\n") {
        lines += 1
        at += 1
        continue
      }
      // Whether the bytes at hand are a pair is known only when there are enough of them.
      if !isWhole, bytes.count - at < escape.count + max(quote.count, escape.count) { return .unfinished }
      if has(escape, bytes, at) {
        let next = at + escape.count
        if has(quote, bytes, next) {
          hasEscapes = true
          at = next + quote.count
          continue
        }
        if hasOwnEscape, has(escape, bytes, next) {
          hasEscapes = true
          at = next + escape.count
          continue
        }
      }
      if has(quote, bytes, at) {
        let field = Field(start: begin, count: at - begin, isQuoted: true, hasEscapes: hasEscapes)
        return .field(field, next: at + quote.count)
      }
      at += 1
    }
  }

  private func unquotedEnd(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int, isWhole: Bool) -> Int {
    var at = start
    while at < bytes.count {
      let rest = UnsafeBufferPointer(rebasing: bytes[at...])
      at += Self.find(rest, delimiter.first, UInt8(ascii: "\n"), UInt8(ascii: "\r"))
      guard at < bytes.count else { return at }
      if isLineEnd(bytes[at]) || has(delimiter, bytes, at) { return at }
      if !isWhole, bytes.count - at < delimiter.count { return bytes.count }
      at += 1
    }
    return at
  }

  /// nil where a line feed may follow that is not in the window yet.
  private func behindLineEnd(_ bytes: UnsafeBufferPointer<UInt8>, _ end: Int, isWhole: Bool) -> Int? {
    guard end < bytes.count else { return end }
    guard bytes[end] == UInt8(ascii: "\r") else { return end + 1 }
    guard end + 1 < bytes.count else { return isWhole ? end + 1 : nil }
    return bytes[end + 1] == UInt8(ascii: "\n") ? end + 2 : end + 1
  }

  private func has(_ mark: Mark, _ bytes: UnsafeBufferPointer<UInt8>, _ place: Int) -> Bool {
    guard place + mark.count <= bytes.count, bytes[place] == mark.first else { return false }
    return mark.count == 1 || bytes[place..<(place + mark.count)].elementsEqual(mark.bytes)
  }

  private func isLineEnd(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") }

  static func find(_ bytes: UnsafeBufferPointer<UInt8>, _ a: UInt8, _ b: UInt8, _ c: UInt8) -> Int {
    guard let start = bytes.baseAddress else { return 0 }
    return sluice_find_any(start, bytes.count, a, b, c, c)
  }

  /// Appends a field's value, every escape turned into what it stands for.
  func decode(_ field: Field, _ bytes: UnsafeBufferPointer<UInt8>, into result: UnsafeMutablePointer<UInt8>) -> Int {
    var at = field.start
    let end = field.start + field.count
    var count = 0
    while at < end {
      let next = at + escape.count
      if has(escape, bytes, at), next < end, has(quote, bytes, next) || hasOwnEscape && has(escape, bytes, next) {
        let mark = has(quote, bytes, next) ? quote : escape
        for byte in mark.bytes {
          result[count] = byte
          count += 1
        }
        at = next + mark.count
      } else {
        result[count] = bytes[at]
        count += 1
        at += 1
      }
    }
    return count
  }
}
