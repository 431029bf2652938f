import CRecordParser

/// How the records of a stream are read.
package struct RecordReading: Sendable {
  package enum Format: Sendable {
    /// One JSON object a line.
    case lines
    case csv(CSVReading)
  }

  package struct CSVReading: Sendable {
    package var hasHeader: Bool
    package var delimiter: String
    package var quote: String
    package var escape: String?
    /// The text of an unquoted field without a value.
    package var null: String
    /// Lines before the header or the first record.
    package var skip: Int
    /// Names that are fixed: they count, whatever the header says.
    package var names: [String]
    /// Whether a row may end early; its missing fields are null then.
    package var padsShortRows: Bool
    /// The columns' names for a header's texts: none empty, none twice.
    package var columnNames: @Sendable ([String]) -> [String]

    package init(
      hasHeader: Bool, delimiter: String, quote: String, escape: String?, null: String, skip: Int, names: [String],
      padsShortRows: Bool, columnNames: @escaping @Sendable ([String]) -> [String]
    ) {
      self.hasHeader = hasHeader
      self.delimiter = delimiter
      self.quote = quote
      self.escape = escape
      self.null = null
      self.skip = skip
      self.names = names
      self.padsShortRows = padsShortRows
      self.columnNames = columnNames
    }
  }

  package var format: Format
  /// A longer record is quarantined.
  package var maximumRecordBytes: Int
  /// Whether the rows have the record's own text after their fields.
  package var keepsRecords: Bool
  /// Whether a field of this name can be a column.
  package var isUsable: @Sendable (String) -> Bool

  /// Whether a range of a file can be read by itself: with a header, or without columns that come with the rows.
  package var canBeDivided: Bool {
    if case .csv(let csv) = format { csv.hasHeader } else { true }
  }

  /// Bytes of a file that are read at once.
  package var blockBytes = 1 << 20
  /// Of what is written.
  package var limits = RowFile.Limits()
  /// Bytes of records between two that are sampled.
  package var sampleDistance = 1

  package init(
    format: Format, maximumRecordBytes: Int, keepsRecords: Bool,
    isUsable: @escaping @Sendable (String) -> Bool
  ) {
    self.format = format
    self.maximumRecordBytes = maximumRecordBytes
    self.keepsRecords = keepsRecords
    self.isUsable = isUsable
  }
}

/// What reading gave: a file with the good records' rows, one with the rejected ones, and all counts.
package struct ReadRecords: Sendable {
  /// The records of one file.
  package struct Part: Sendable, Equatable {
    package var number: Int
    package var good: Int
    package var bad: Int
  }

  /// The fields' names, in the order of the rows' texts, which follow the record where it is kept.
  package var fields: [String]
  package var parts: [Part]
  package var rows: RowFile
  package var rejects: RowFile
  /// Some of the rows, at about equal distances, where a sample was asked for.
  package var sample: RowFile?
  /// Fields that can be no column, the first hundred.
  package var unusable: [String]
  /// CSV: columns beyond the names that are fixed.
  package var extra: [String]
}

/// Where the reading of a range ended.
package struct ReadEnd: Sendable, Equatable {
  /// The first byte that was not read: the begin of the next record, or the file's end.
  package var byte: Int64
  /// The lines from the range's begin to there.
  package var lines: Int

  package init(byte: Int64, lines: Int) {
    self.byte = byte
    self.lines = lines
  }
}

/// Reads files of records once, exactly, and writes what is in them as rows for the SQL engine: see ``RowFile``.
///
/// It counts by itself: each record is in one row or in one reject. Rows have the part's number, the record's number among the
/// part's good ones from 1, the record's text where it is kept, and the fields. Rejects have the part's number, the line
/// from 1, the byte from 0, the reason and the record's text.
///
/// Blocks, and is used by one thread. Holds one record at a time, a block of the file that it reads, and a group of each that it writes.
package final class RecordReader {
  /// Fields of one delivery that become columns at most.
  package static let maximumColumns = FieldTable.maximumColumns

  private let reading: RecordReading
  private let rows: RowWriter
  private let rejects: RowWriter
  private let sample: RowWriter?
  /// Bytes of records until the next one that is sampled.
  private var untilSample = 0
  private let isCancelled: () -> Bool
  private var table: FieldTable
  private var parts: [ReadRecords.Part] = []
  var extra: [String] = []
  private var part = ReadRecords.Part(number: 0, good: 0, bad: 0)

  /// Of a rejected record's text: the rest is in raw.
  private static let maximumRejectBytes = 1_000_000

  /// - Parameter sample: Where a sample of the rows is written.
  /// - Throws: ``RecordError`` where a file cannot be written.
  package init(
    _ reading: RecordReading, rows: String, rejects: String, sample: String? = nil, isCancelled: @escaping () -> Bool
  ) throws {
    self.reading = reading
    self.rows = try RowWriter(path: rows, numbers: RowFile.numbersOfRows, limits: reading.limits)
    self.rejects = try RowWriter(path: rejects, numbers: RowFile.numbersOfRejects, limits: reading.limits)
    self.sample = try sample.map { try RowWriter(path: $0, numbers: RowFile.numbersOfRows, limits: reading.limits) }
    self.isCancelled = isCancelled
    table = FieldTable(isUsable: reading.isUsable)
  }

  /// Reads one file, whose text is UTF-8, with or without a byte-order mark; or those of its records that begin in `range`, which
  /// begins with one. Numbers of records and lines count from the range's begin.
  ///
  /// - Returns: Where it ended.
  /// - Throws: ``RecordError`` for a file that cannot be read at all; `CancellationError`.
  @discardableResult
  package func read(_ path: String, part number: Int, range: Range<Int64> = 0..<Int64.max) throws -> ReadEnd {
    part = ReadRecords.Part(number: number, good: 0, bad: 0)
    let window = try ByteWindow(path: path, blockBytes: reading.blockBytes)
    while window.count < 3, !window.isAtEnd { try window.refill() }
    if window.bytes.starts(with: [0xEF, 0xBB, 0xBF]) { window.drop(3) }
    // A variable of this call costs no check of exclusive access for each field.
    var fields = FieldTable(isUsable: reading.isUsable)
    swap(&fields, &table)
    defer { swap(&fields, &table) }
    let lines =
      switch reading.format {
      case .lines: try readLines(window, &fields, range)
      case .csv(let csv): try readCSV(window, csv, &fields, range)
      }
    parts.append(part)
    return ReadEnd(byte: window.offset, lines: lines)
  }

  /// Ends the files.
  package func finish() throws -> ReadRecords {
    let texts = table.fields.count + firstField
    return ReadRecords(
      fields: table.fields, parts: parts, rows: try rows.finish(texts: texts),
      rejects: try rejects.finish(texts: RowFile.textsOfRejects), sample: try sample?.finish(texts: texts),
      unusable: table.unusable, extra: extra)
  }

  /// The column of the first field: a record that is kept comes before it.
  private var firstField: Int { reading.keepsRecords ? 1 : 0 }

  var maximumRecordBytes: Int { reading.maximumRecordBytes }

  private var untilCheck = 0
  func checkCancellation() throws {
    untilCheck -= 1
    guard untilCheck < 0 else { return }
    untilCheck = 10_000
    if isCancelled() { throw CancellationError() }
  }

  /// Writes the table's present record.
  func accept(_ record: UnsafeBufferPointer<UInt8>, _ table: inout FieldTable) throws {
    part.good += 1
    try write(record, table, to: rows)
    guard let sample else { return }
    if untilSample <= 0 {
      try write(record, table, to: sample)
      untilSample = reading.sampleDistance
    }
    untilSample -= record.count + 1
  }

  private func write(_ record: UnsafeBufferPointer<UInt8>, _ table: FieldTable, to writer: RowWriter) throws {
    writer.put(Int64(part.number), number: 0)
    writer.put(Int64(part.good), number: 1)
    if reading.keepsRecords { writer.put(record, text: 0) }
    table.write(to: writer, from: firstField)
    try writer.endRow()
  }

  func reject(_ record: UnsafeBufferPointer<UInt8>, _ reason: String, line: Int, byte: Int64) throws {
    part.bad += 1
    rejects.put(Int64(part.number), number: 0)
    rejects.put(Int64(line), number: 1)
    rejects.put(byte, number: 2)
    var reason = reason
    reason.withUTF8 { rejects.put($0, text: 0) }
    let head = UnsafeBufferPointer(rebasing: record.prefix(Self.maximumRejectBytes))
    // What is no text is shown as far as it is one. A NUL would end it for many readers.
    let text = String(decoding: head, as: UTF8.self)
    var bytes = Array(text.utf8)
    for index in bytes.indices where bytes[index] == 0 { bytes[index] = UInt8(ascii: "?") }
    bytes.withUnsafeBufferPointer { rejects.put($0, text: 1) }
    try rejects.endRow()
  }
}
