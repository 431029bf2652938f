import CRecordParser

extension RecordReader {
  /// Reads CSV.
  ///
  /// An empty line is no record, but for one in a file of one column: there it is a record without a value.
  ///
  /// A range of a file without a header has no meaning of its own: how many columns there are is known from the rows before it.
  ///
  /// - Returns: The number of lines.
  func readCSV(
    _ window: ByteWindow, _ csv: RecordReading.CSVReading, _ table: inout FieldTable, _ range: Range<Int64>
  ) throws -> Int {
    precondition(range.lowerBound == 0 || csv.hasHeader)
    let null = Array(csv.null.utf8)
    var scanner = CSVRowScanner(delimiter: csv.delimiter, quote: csv.quote, escape: csv.escape)
    var line = 1
    for _ in 0..<csv.skip {
      try skipLine(window)
      line += 1
    }
    var columns = CSVColumns(csv)
    var scratch = ScratchBytes()
    // The header belongs to the first range also where it is behind it.
    while window.offset < range.upperBound || csv.hasHeader && !columns.hasHeader,
      let outcome = try next(window, &scanner)
    {
      try checkCancellation()
      let isHeader = csv.hasHeader && !columns.hasHeader
      let row = UnsafeBufferPointer(rebasing: window.bytes[..<scanner.textLength])
      let firstLine = line
      line += scanner.lines
      let byte = window.offset
      let isBlank = scanner.fields.count == 1 && scanner.textLength == 0
      if isHeader {
        guard case .row = outcome else { throw header("a quote of the first line is left open", "quote") }
        if isBlank { throw header("the first line is empty", "skip") }
        guard sluice_is_utf8(row.baseAddress, row.count) else {
          throw header("the first line is not of the stream's encoding", "encoding")
        }
        let texts = scanner.fields.map { field in
          String(decoding: scratch.value(of: field, window.bytes, scanner), as: UTF8.self)
        }
        columns.setHeader(texts)
        extra += columns.extra.filter { !extra.contains($0) }
        columns.setPlaces(in: &table)
      } else if case .bad(let fault) = outcome {
        try reject(row, "record:\(fault.rawValue)", line: firstLine, byte: byte)
      } else if isBlank, columns.count != 1 {
        // No record.
      } else if !sluice_is_utf8(row.baseAddress, row.count) {
        try reject(row, "record:encoding", line: firstLine, byte: byte)
      } else if let fault = columns.fault(ofRowWith: scanner.fields.count) {
        try reject(row, "record:\(fault)", line: firstLine, byte: byte)
      } else {
        if columns.widen(to: scanner.fields.count) {
          extra += columns.extra.filter { !extra.contains($0) }
          columns.setPlaces(in: &table)
        }
        table.beginRecord()
        scratch.reserve(row.count)
        for (index, field) in scanner.fields.enumerated() {
          guard let place = columns.places[index] else { continue }
          let value = scratch.next(field, window.bytes, scanner)
          let isNull = !field.isQuoted && value.count == null.count && value.elementsEqual(null)
          table.set(at: place, isNull ? nil : value)
        }
        try accept(row, &table)
      }
      window.drop(scanner.length)
      if case .bad = outcome, scanner.length == scanner.textLength { try skipLine(window) }
      if isHeader, range.lowerBound > 0 {
        try window.seek(to: range.lowerBound)
        line = 1
      }
    }
    return line - 1
  }

  /// Moves behind the next line end of any kind.
  private func skipLine(_ window: ByteWindow) throws {
    while true {
      let bytes = window.bytes
      let end = CSVRowScanner.find(bytes, UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "\r"))
      if end < bytes.count, window.isAtEnd || bytes[end] == UInt8(ascii: "\n") || end + 1 < bytes.count {
        let isPair = end + 1 < bytes.count && bytes[end] == UInt8(ascii: "\r") && bytes[end + 1] == UInt8(ascii: "\n")
        return window.drop(end + (isPair ? 2 : 1))
      }
      window.drop(end)
      if window.isAtEnd { return window.drop(window.count) }
      try window.refill()
      try checkCancellation()
    }
  }

  /// The next row; nil at the end of the file.
  private func next(_ window: ByteWindow, _ scanner: inout CSVRowScanner) throws -> CSVRowScanner.Outcome? {
    while true {
      if window.count == 0 {
        guard !window.isAtEnd else { return nil }
        try window.refill()
        continue
      }
      let outcome = scanner.scan(window.bytes, isWhole: window.isAtEnd, maximum: maximumRecordBytes)
      if case .unfinished = outcome {
        try window.refill()
        continue
      }
      return outcome
    }
  }

  private func header(_ what: String, _ key: String) -> RecordError {
    RecordError(.header, what, hint: "set `\(key)` of the stream's records")
  }
}

/// The columns of one CSV file.
private struct CSVColumns {
  private let csv: RecordReading.CSVReading
  private(set) var names: [String]
  private(set) var hasHeader = false
  /// Places in the field table, by column; nil for one that is left out.
  private(set) var places: [Int?] = []
  /// Columns that a row had already.
  private var width = 0

  init(_ csv: RecordReading.CSVReading) {
    self.csv = csv
    names = []
  }

  /// nil: not known yet.
  var count: Int? { hasHeader ? names.count : width == 0 ? (csv.names.isEmpty ? nil : csv.names.count) : width }

  mutating func setHeader(_ texts: [String]) {
    hasHeader = true
    let own = csv.columnNames(texts)
    names = csv.names.isEmpty ? own : csv.names + own.dropFirst(csv.names.count)
  }

  mutating func setPlaces(in table: inout FieldTable) {
    places = []
    for (index, name) in names.enumerated() { places.append(isExtra(index) ? nil : table.place(named: name)) }
  }

  private func isExtra(_ index: Int) -> Bool { !csv.names.isEmpty && index >= csv.names.count }

  var extra: [String] { csv.names.isEmpty ? [] : Array(names.dropFirst(csv.names.count)) }

  func fault(ofRowWith count: Int) -> String? {
    if hasHeader, count > names.count { return "too_many_fields" }
    if hasHeader, count < names.count, !csv.padsShortRows { return "too_few_fields" }
    return count > FieldTable.maximumColumns ? "too_many_fields" : nil
  }

  /// Adds columns where a file has no header; false where there are enough.
  mutating func widen(to count: Int) -> Bool {
    guard !hasHeader else { return false }
    guard count > names.count else { return false }
    width = max(width, count)
    names = (0..<count).map { $0 < csv.names.count ? csv.names[$0] : "c\($0 + 1)" }
    return true
  }
}

/// Room for the values of one row that are not in the file as they are.
private struct ScratchBytes: ~Copyable {
  private var base = UnsafeMutablePointer<UInt8>.allocate(capacity: 4_096)
  private var capacity = 4_096
  private var used = 0

  deinit { base.deallocate() }

  /// Empties it and makes room for a row of `count` bytes: decoded values are no longer than written ones.
  mutating func reserve(_ count: Int) {
    used = 0
    guard count > capacity else { return }
    base.deallocate()
    capacity = 2 * count
    base = .allocate(capacity: capacity)
  }

  /// A field's value, valid until ``reserve(_:)``.
  mutating func next(
    _ field: CSVRowScanner.Field, _ bytes: UnsafeBufferPointer<UInt8>, _ scanner: CSVRowScanner
  ) -> UnsafeBufferPointer<UInt8> {
    guard field.hasEscapes else {
      return UnsafeBufferPointer(rebasing: bytes[field.start..<(field.start + field.count)])
    }
    let count = scanner.decode(field, bytes, into: base + used)
    defer { used += count }
    return UnsafeBufferPointer(start: base + used, count: count)
  }

  mutating func value(
    of field: CSVRowScanner.Field, _ bytes: UnsafeBufferPointer<UInt8>, _ scanner: CSVRowScanner
  ) -> UnsafeBufferPointer<UInt8> {
    reserve(field.count)
    return next(field, bytes, scanner)
  }
}
