/// Counts the records of newline-delimited JSON that streams by, and takes the values of one field.
///
/// A line that is no JSON is counted and otherwise left to the stage that quarantines it.
///
/// Not for several threads at a time.
package final class JSONLineScanner {
  /// Lines that are not blank.
  package private(set) var records: Int64 = 0
  private let field: String?
  private var fieldValues: [JSONScalar] = []
  /// The line that the pieces before began.
  private var begun: [UInt8] = []
  private var lineHasText = false
  /// Of a line that is too long to hold nothing is kept but that it is one.
  private var isTooLong = false

  package init(field: String? = nil) { self.field = field }

  /// Takes the next piece, of any size.
  package func feed(_ bytes: UnsafeBufferPointer<UInt8>) {
    var rest = bytes[...]
    while let end = rest.firstIndex(of: 0x0A) {
      take(rest[..<end])
      endLine()
      rest = rest[(end + 1)...]
    }
    take(rest)
  }

  package func feed(_ bytes: [UInt8]) { bytes.withUnsafeBufferPointer { feed($0) } }

  /// The last line need not end with a line break.
  package func finish() { endLine() }

  /// The values of the field that were seen since the last call. To be taken after each piece: they add up.
  package func takeFieldValues() -> [JSONScalar] {
    defer { fieldValues.removeAll(keepingCapacity: true) }
    return fieldValues
  }

  private func take(_ part: Slice<UnsafeBufferPointer<UInt8>>) {
    if !lineHasText { lineHasText = part.contains { $0 > 0x20 } }
    guard field != nil, !isTooLong else { return }
    begun.append(contentsOf: part)
    guard begun.count > JSONRecordScanner.maximumRecordBytes else { return }
    isTooLong = true
    begun = []
  }

  private func endLine() {
    defer {
      begun.removeAll(keepingCapacity: true)
      lineHasText = false
      isTooLong = false
    }
    guard lineHasText else { return }
    records += 1
    guard let field, !isTooLong, let root = try? JSONPath("$") else { return }
    let scanner = JSONRecordScanner(records: root, field: field)
    do {
      try scanner.feed(begun)
      try scanner.finish()
      fieldValues += scanner.takeFieldValues()
    } catch {
      // Curation reads the line again and quarantines it with its position and the reason.
    }
  }
}
