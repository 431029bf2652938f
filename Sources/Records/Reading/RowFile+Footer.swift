/// What the engine reads first of a file.
extension RowFile {
  private static let int64 = 2
  private static let byteArray = 6
  private static let plain = 0
  private static let runs = 3

  /// - Parameters:
  ///   - part: One file.
  ///   - missing: By group: where the page of a column is that came later.
  func footer(of part: Part, missing: [Int64]) -> [UInt8] {
    let columns = numbers + texts
    var text = ParquetText()
    text.put(1, int32: 1)
    text.put(2, structures: columns + 1) { element, index in
      guard index > 0 else {
        element.put(4, "rows")
        element.put(5, int32: columns)
        return
      }
      let isNumber = index <= numbers
      element.put(1, int32: isNumber ? Self.int64 : Self.byteArray)
      element.put(3, int32: isNumber ? 0 : 1)  // REQUIRED or OPTIONAL
      element.put(4, Self.column(index - 1))
      if !isNumber { element.put(6, int32: 0) }  // UTF8
    }
    text.put(3, int64: Int64(part.rows))
    text.put(4, structures: part.groups.count) { list, index in
      let group = part.groups[index]
      let empty = RowPage.empty(rows: group.rows).count
      list.put(1, structures: columns) { chunk, column in
        let page = column < group.pages.count ? group.pages[column] : nil
        let place = page.map { group.offset + Int64($0.place) } ?? missing[index]
        chunk.put(2, int64: place)
        chunk.put(3) { data in
          data.put(1, int32: column < numbers ? Self.int64 : Self.byteArray)
          data.put(2, int32s: [Self.plain, Self.runs])
          data.put(3, texts: [Self.column(column)])
          data.put(4, int32: 0)  // UNCOMPRESSED
          data.put(5, int64: Int64(group.rows))
          let length = Int64(page.map { $0.header + $0.count } ?? empty)
          data.put(6, int64: length)
          data.put(7, int64: length)
          data.put(9, int64: place)
        }
      }
      list.put(2, int64: Int64(group.length))
      list.put(3, int64: Int64(group.rows))
    }
    text.end()
    return text.bytes
  }
}
