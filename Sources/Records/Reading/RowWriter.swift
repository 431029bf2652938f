import SystemPackage

/// Writes a ``RowFile``: a row at a time, into memory for each column; a group of rows at a time into the file.
final class RowWriter {
  private let limits: RowFile.Limits
  private let path: String
  private let numbers: Int
  private var file: FileDescriptor?
  private var result: RowFile
  /// Not an array: an access to one of an array's elements is checked as one to the whole, for each value.
  private var columns: UnsafeMutableBufferPointer<Column>
  /// Of the group in memory.
  private var rows = 0
  private var used = 0
  /// Bytes of the present file.
  private var offset: Int64 = 0
  private var pages = 0
  private var buffer: [UInt8] = []

  /// Smaller pages are gathered until there is as much to write.
  private static let blockBytes = 65_536

  /// - Throws: ``RecordError`` `disk_full`.
  init(path: String, numbers: Int, limits: RowFile.Limits = RowFile.Limits()) throws {
    self.path = path
    self.limits = limits
    self.numbers = numbers
    result = RowFile(parts: [], numbers: numbers)
    columns = .allocate(capacity: numbers)
    columns.initialize(repeating: Column(bitmap: nil))
    try beginFile()
  }

  deinit {
    for column in columns { column.free() }
    columns.deallocate()
    try? file?.close()
  }

  func put(_ number: Int64, number column: Int) {
    columns[column].append(number.littleEndian)
    used += 8
  }

  /// A text that is not put is missing.
  func put(_ text: UnsafeBufferPointer<UInt8>, text index: Int) {
    let column = numbers + index
    if column >= columns.count { addColumns(column + 1) }
    columns[column].append(text, row: rows)
    used += text.count + 4
  }

  private func addColumns(_ count: Int) {
    let more = UnsafeMutableBufferPointer<Column>.allocate(capacity: count)
    for index in more.moveInitialize(fromContentsOf: columns)..<count {
      let bitmap = UnsafeMutableBufferPointer<UInt8>.allocate(
        capacity: RowLevels.bitmapBytes(rows: limits.rowsPerGroup))
      bitmap.initialize(repeating: 0)
      more.initializeElement(at: index, to: Column(bitmap: bitmap))
    }
    columns.deallocate()
    columns = more
  }

  func endRow() throws {
    rows += 1
    result.count += 1
    if rows >= limits.rowsPerGroup || used >= groupBytes { try endGroup() }
  }

  private var groupBytes: Int { max(limits.bytesPerGroup, limits.bytesPerPage * columns.count) }

  /// Ends the files.
  ///
  /// - Parameter texts: How many columns of texts there are; the last ones may have none.
  /// - Throws: ``RecordError`` `disk_full`.
  func finish(texts: Int) throws -> RowFile {
    precondition(numbers + texts >= columns.count)
    if rows > 0 { try endGroup() }
    try close()
    result.texts = texts
    for part in result.parts { try writeFooter(of: part) }
    return result
  }

  private func endGroup() throws {
    let groups = result.parts[result.parts.count - 1].groups.count
    if pages > 0, pages + columns.count > limits.pagesPerFile || groups >= limits.groupsPerFile {
      try close()
      try beginFile()
    }
    var group = RowFile.Group(offset: offset, rows: rows)
    for index in columns.indices {
      let head = index < numbers ? [] : columns[index].levels(rows: rows)
      let count = head.count + columns[index].bytes.count
      let header = RowPage.header(count: count, rows: rows)
      group.pages.append(RowFile.Page(place: group.length, header: header.count, count: count))
      try write(header)
      try write(head)
      try write(columns[index].bytes)
    }
    pages += columns.count
    result.parts[result.parts.count - 1].groups.append(group)
    // What one long text of each column took is not kept.
    let isLarge = columns.reduce(0) { $0 + $1.capacity } > 4 * groupBytes
    for index in columns.indices { columns[index].empty(releasing: isLarge) }
    (rows, used) = (0, 0)
  }

  private func beginFile() throws {
    let path = result.parts.isEmpty ? path : "\(path).\(result.parts.count)"
    file = try open(path, [.create, .truncate])
    result.parts.append(RowFile.Part(path: path))
    (offset, pages) = (0, 0)
    try write(ParquetText.magic)
  }

  /// Columns that came later have a page without values for each group. Then the file says where its pages are.
  private func writeFooter(of part: RowFile.Part) throws {
    file = try open(part.path, [.append])
    offset = part.end
    var missing: [Int64] = []
    for group in part.groups {
      missing.append(offset)
      guard group.pages.count < numbers + result.texts else { continue }
      try write(RowPage.empty(rows: group.rows))
    }
    let footer = result.footer(of: part, missing: missing)
    try write(footer)
    try write(withUnsafeBytes(of: UInt32(footer.count).littleEndian) { Array($0) })
    try write(ParquetText.magic)
    try close()
  }

  private func write(_ bytes: [UInt8]) throws {
    try bytes.withUnsafeBytes { try write($0) }
  }

  private func write(_ bytes: UnsafeRawBufferPointer) throws {
    offset += Int64(bytes.count)
    if buffer.count + bytes.count > Self.blockBytes { try flush() }
    guard bytes.count > Self.blockBytes else {
      buffer += bytes
      return
    }
    do { try file?.writeAll(bytes) } catch { throw notWritten(error) }
  }

  private func flush() throws {
    guard !buffer.isEmpty else { return }
    do { try file?.writeAll(buffer) } catch { throw notWritten(error) }
    buffer.removeAll(keepingCapacity: true)
  }

  private func close() throws {
    try flush()
    let open = file
    file = nil
    do { try open?.close() } catch { throw notWritten(error) }
  }

  private func open(_ path: String, _ options: FileDescriptor.OpenOptions) throws -> FileDescriptor {
    do {
      return try FileDescriptor.open(
        FilePath(path), .writeOnly, options: options.union(.closeOnExec), permissions: .ownerReadWrite)
    } catch { throw notWritten(error) }
  }

  private func notWritten(_ error: any Error) -> RecordError {
    RecordError(.notWritten, "cannot write \(path): \(error)")
  }
}

/// The values of one column of the group in memory, as its page has them.
private struct Column {
  private var base: UnsafeMutableRawPointer?
  private(set) var capacity = 0
  private var used = 0
  private var values = 0
  /// Which rows have a text; nil for numbers.
  private let bitmap: UnsafeMutableBufferPointer<UInt8>?

  init(bitmap: UnsafeMutableBufferPointer<UInt8>?) { self.bitmap = bitmap }

  func free() {
    base?.deallocate()
    bitmap?.deallocate()
  }

  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: used) }

  /// Room for more bytes.
  @inline(__always)
  private mutating func room(_ count: Int) -> UnsafeMutableRawPointer {
    if used + count > capacity { grow(count) }
    defer { used += count }
    return base.unsafelyUnwrapped + used
  }

  private mutating func grow(_ count: Int) {
    let larger = max(1_024, max(2 * used, used + count))
    let new = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 16)
    if let base {
      new.copyMemory(from: base, byteCount: used)
      base.deallocate()
    }
    (base, capacity) = (new, larger)
  }

  mutating func append(_ number: Int64) {
    room(8).storeBytes(of: number, as: Int64.self)
  }

  mutating func append(_ text: UnsafeBufferPointer<UInt8>, row: Int) {
    let place = room(4 + text.count)
    place.storeBytes(of: UInt32(text.count).littleEndian, as: UInt32.self)
    if let start = text.baseAddress { (place + 4).copyMemory(from: start, byteCount: text.count) }
    bitmap?[row >> 3] |= 1 << UInt8(row & 7)
    values += 1
  }

  /// What stands before the texts of a page.
  func levels(rows: Int) -> [UInt8] {
    if values == rows || values == 0 { return RowLevels.head(rows: rows, isSame: values == rows) }
    return RowLevels.head(rows: rows, isSame: nil)
      + (bitmap.map { Array($0[..<RowLevels.bitmapBytes(rows: rows)]) } ?? [])
  }

  mutating func empty(releasing: Bool) {
    (used, values) = (0, 0)
    bitmap?.update(repeating: 0)
    guard releasing else { return }
    base?.deallocate()
    (base, capacity) = (nil, 0)
  }
}
