import PipelineDefinition

/// Counts the records of CSV that streams by: quoted line breaks belong to their field, blank lines are none, and neither
/// are the header and the skipped lines.
///
/// Not for several threads at a time.
final class CSVRecordCounter {
  private let quote: UInt8?
  private let escape: UInt8?
  private var headLines: Int
  private var counted: Int64 = 0
  private var isInQuotes = false
  private var isEscaped = false
  private var lineHasText = false

  init(_ format: CSVFormat) {
    quote = format.quote.utf8.first
    escape = format.escape?.utf8.first
    headLines = format.skip + (format.header ? 1 : 0)
  }

  var records: Int64 { counted }

  func feed(_ bytes: [UInt8]) {
    for byte in bytes {
      if isEscaped {
        isEscaped = false
      } else if byte == escape, byte != quote, isInQuotes {
        isEscaped = true
      } else if byte == quote {
        // A doubled quote closes and opens again, which comes to the same.
        isInQuotes.toggle()
        lineHasText = true
      } else if byte == 0x0A, !isInQuotes {
        endLine()
      } else if byte != 0x0D {
        lineHasText = true
      }
    }
  }

  /// The last line need not end with a line break.
  func finish() { endLine() }

  private func endLine() {
    defer { lineHasText = false }
    guard headLines == 0 else {
      headLines -= 1
      return
    }
    if lineHasText { counted += 1 }
  }
}
