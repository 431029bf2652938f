/// Rows that the reader wrote: numbers, which every row has, and texts, of which any may be missing.
///
/// Plain files of Parquet, neither packed nor encoded, so that the SQL engine takes a text as it stands there. Each holds groups of
/// rows; a group has one page for each column that was known when it was written, and for later ones a page without values. Where
/// the pages are is remembered here, so that only the engine reads the files' footers.
package struct RowFile: Sendable {
  /// How large the parts of a file become.
  package struct Limits: Sendable {
    /// Ten of the vectors that the engine works with.
    package var rowsPerGroup = 20_480
    /// Bytes in memory for a group; one row may be longer.
    package var bytesPerGroup = 4_000_000
    /// Of a group with many columns: the engine needs about a thousand bytes to know of a page.
    package var bytesPerPage = 8_000
    /// The engine keeps what it knows of the pages of a file while it reads it.
    package var pagesPerFile = 65_536
    /// A column that comes later has a page in each group too: so many groups with the most columns are about as many pages.
    package var groupsPerFile = 40

    package init() {}
  }

  /// Where a page is in its group.
  struct Page: Sendable {
    var place: Int
    /// Bytes of its header.
    var header: Int
    /// Bytes behind the header.
    var count: Int

    /// Where its values begin.
    var start: Int { place + header }
    var end: Int { start + count }
  }

  struct Group: Sendable {
    var offset: Int64
    var rows: Int
    /// By column. They follow one another.
    var pages: [Page] = []

    var length: Int { pages.last?.end ?? 0 }
  }

  struct Part: Sendable {
    var path: String
    var groups: [Group] = []

    var rows: Int { groups.reduce(0) { $0 + $1.rows } }

    /// Where its last page ends.
    var end: Int64 {
      groups.last.map { $0.offset + Int64($0.length) } ?? Int64(ParquetText.magic.count)
    }
  }

  var parts: [Part]
  /// Columns of numbers; they come first.
  let numbers: Int
  /// Columns of texts.
  var texts = 0
  /// How many rows there are.
  package var count = 0

  package var paths: [String] { parts.map(\.path) }

  /// The numbers of a record's row: its object and its position.
  package static let numbersOfRows = 2
  /// Those of a reject: its object, its line, its byte.
  static let numbersOfRejects = 3
  /// The texts of a reject: the reason, the record.
  static let textsOfRejects = 2

  /// What a column is called in the files.
  package static func column(_ index: Int) -> String { "c\(index)" }

  /// Where a record stands in raw: the first two numbers of its row.
  package struct Place: Sendable, Equatable, Comparable {
    package let object: Int64
    package let position: Int64

    package init(object: Int64, position: Int64) {
      self.object = object
      self.position = position
    }

    package static func < (a: Place, b: Place) -> Bool {
      a.object != b.object ? a.object < b.object : a.position < b.position
    }
  }

  /// Gives all rows in their order.
  ///
  /// - Throws: ``RecordError`` `records_unreadable`.
  package func read(_ body: (_ numbers: [Int64], _ texts: [[UInt8]?]) throws -> Void) throws {
    try forEachGroup { group, reader in
      try reader.readTexts()
      for row in 0..<group.rows {
        try body(
          (0..<numbers).map { reader.number($0, row) }, (0..<texts).map { reader.text($0, row).map { Array($0) } })
      }
    }
  }

  /// Writes the rows at some places to a new file.
  ///
  /// - Parameters:
  ///   - places: Sorted.
  ///   - before: Is added to the positions of this file. They only grow within an object.
  /// - Throws: ``RecordError`` where a file cannot be read or written.
  package func take(_ places: [Place], before: Int, to target: String) throws -> RowFile {
    let writer = try RowWriter(path: target, numbers: numbers)
    var (next, object): (Int, Int64?) = (0, nil)
    try forEachGroup { group, reader in
      var wanted: [Int] = []
      let (objects, positions) = (reader.values(ofNumber: 0), reader.values(ofNumber: 1))
      for row in 0..<group.rows {
        let place = Place(
          object: Int64(littleEndian: objects.loadUnaligned(fromByteOffset: 8 * row, as: Int64.self)),
          position: Int64(littleEndian: positions.loadUnaligned(fromByteOffset: 8 * row, as: Int64.self))
            + Int64(before))
        if place.object != object {
          object = place.object
          next = places.firstIndex(from: place)
        }
        while next < places.count, places[next] < place { next += 1 }
        guard next < places.count, places[next] == place else { continue }
        next += 1
        wanted.append(row)
      }
      guard !wanted.isEmpty else { return }
      try reader.readTexts()
      for row in wanted {
        for column in 0..<numbers { writer.put(reader.number(column, row), number: column) }
        for column in 0..<texts { if let text = reader.text(column, row) { writer.put(text, text: column) } }
        try writer.endRow()
      }
    }
    return try writer.finish(texts: texts)
  }

  private func forEachGroup(_ body: (Group, RowFileReader) throws -> Void) throws {
    for part in parts {
      let reader = try RowFileReader(part, numbers: numbers)
      for group in part.groups {
        try reader.begin(group)
        try body(group, reader)
      }
    }
  }

  /// Places as a file has them: a line each, the two numbers with a comma between them, sorted.
  ///
  /// - Throws: ``RecordError`` where the file cannot be read, or is no such file.
  package static func places(in path: String) throws -> [Place] {
    let window = try ByteWindow(path: path, blockBytes: 1 << 20)
    var places: [Place] = []
    var numbers: [Int64] = [0]
    while !window.isAtEnd {
      try window.refill()
      for byte in window.bytes {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"):
          numbers[numbers.count - 1] = numbers[numbers.count - 1] &* 10 &+ Int64(byte - UInt8(ascii: "0"))
        case UInt8(ascii: ","): numbers.append(0)
        default:
          guard byte == UInt8(ascii: "\n"), numbers.count == 2 else {
            throw RecordError(.unreadable, "\(path) is no list of places")
          }
          places.append(Place(object: numbers[0], position: numbers[1]))
          numbers = [0]
        }
      }
      window.drop(window.count)
    }
    return places
  }
}

extension [RowFile.Place] {
  /// The index of the first that is not before a place.
  fileprivate func firstIndex(from place: RowFile.Place) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if self[middle] < place { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
