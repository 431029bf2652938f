import Glibc

/// The fields that records have had so far, in the order in which they came, and the values of the present record.
///
/// Names are compared byte by byte: two spellings of one character are two fields.
struct FieldTable {
  /// A field's name, and whether it has a column.
  private struct Entry {
    var name: [UInt8]
    var column: Int?
  }

  private struct Value {
    var record = 0
    var text: UnsafeBufferPointer<UInt8>?
  }

  private var entries: [Entry] = []
  /// By entry: the last record that had it.
  private var last: [Value] = []
  private var places: [[UInt8]: Int] = [:]
  private var record = 0
  private var expected = 0
  /// Entries before the present record.
  private var known = 0
  /// By column: the place of its entry.
  private var columns: [Int] = []
  private(set) var unusable: [String] = []
  private let isUsable: (String) -> Bool

  /// More columns than this are no table: PostgreSQL's have 1,600 at most. Later fields get none.
  static let maximumColumns = 1_600
  /// Names of fields without a column that are told; they come from outside and may be many.
  private static let maximumUnusable = 100
  /// A longer name is no column's anyway, and is not remembered.
  private static let maximumNameBytes = 256
  /// Names that are remembered. Of a later one nothing is known but that it has no column.
  private static let maximumEntries = 10_000
  /// Names tried by comparison before the table is asked.
  private static let tries = 8

  init(isUsable: @escaping (String) -> Bool) { self.isUsable = isUsable }

  var fields: [String] { columns.map { String(decoding: entries[$0].name, as: UTF8.self) } }

  mutating func beginRecord() {
    record += 1
    expected = 0
    known = entries.count
  }

  /// Forgets the fields that came with the present record, which turned out to be none: a bad record adds no column.
  mutating func dropRecord() {
    for entry in entries[known...] { places[entry.name] = nil }
    let kept = entries[..<known].count { $0.column != nil }
    columns.removeSubrange(kept...)
    entries.removeSubrange(known...)
    last.removeSubrange(known...)
  }

  /// Sets a field of the present record.
  ///
  /// - Parameter value: nil: the field is there and has no value. Valid until the record is written.
  /// - Returns: false where the record has the field already.
  mutating func set(_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>?) -> Bool {
    guard let place = place(of: name) else { return true }
    expected = place + 1
    guard last[place].record != record else { return false }
    set(at: place, value)
    return true
  }

  /// Sets a field by the place that ``place(named:)`` told.
  mutating func set(at place: Int, _ value: UnsafeBufferPointer<UInt8>?) {
    last[place] = Value(record: record, text: value)
  }

  /// nil where the field can have no column.
  mutating func place(named name: String) -> Int? {
    Array(name.utf8).withUnsafeBufferPointer { place(of: $0) }
  }

  private mutating func place(of name: UnsafeBufferPointer<UInt8>) -> Int? {
    // Records of one source have the same fields in the same order, some of them not always.
    for place in expected..<min(expected + Self.tries, entries.count) where entries[place].name.count == name.count {
      if isSame(entries[place].name, name) { return place }
    }
    guard name.count <= Self.maximumNameBytes else {
      note(unusable: String(decoding: name.prefix(Self.maximumNameBytes), as: UTF8.self) + "…")
      return nil
    }
    let key = Array(name)
    if let place = places[key] { return place }
    guard entries.count < Self.maximumEntries else { return nil }
    places[key] = entries.count
    last.append(Value())
    let text = String(decoding: name, as: UTF8.self)
    if columns.count < Self.maximumColumns, isUsable(text) {
      entries.append(Entry(name: key, column: columns.count))
      columns.append(entries.count - 1)
    } else {
      entries.append(Entry(name: key))
      note(unusable: text)
    }
    return entries.count - 1
  }

  private mutating func note(unusable name: String) {
    if unusable.count < Self.maximumUnusable, !unusable.contains(name) { unusable.append(name) }
  }

  private func isSame(_ name: [UInt8], _ other: UnsafeBufferPointer<UInt8>) -> Bool {
    name.withUnsafeBufferPointer { mine in
      guard let a = mine.baseAddress, let b = other.baseAddress else { return true }
      return memcmp(a, b, mine.count) == 0
    }
  }

  /// Writes the present record's fields.
  ///
  /// - Parameter first: The column of the first of them.
  func write(to writer: RowWriter, from first: Int) {
    for column in columns.indices {
      let value = last[columns[column]]
      if value.record == record, let text = value.text { writer.put(text, text: first + column) }
    }
  }
}
