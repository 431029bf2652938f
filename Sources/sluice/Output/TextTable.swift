/// Columns of text, aligned; numbers to the right.
struct TextTable {
  var header: [String]
  var rows: [[String]]

  init(_ header: [String], _ rows: [[String]]) {
    self.header = header
    self.rows = rows
  }

  var text: String {
    let widths = header.indices.map { column in
      ([header] + rows).map { $0.indices.contains(column) ? $0[column].count : 0 }.max() ?? 0
    }
    let isNumeric = header.indices.map { column in
      !rows.isEmpty && rows.allSatisfy { $0[column].isEmpty || Double($0[column]) != nil }
    }
    func line(_ cells: [String]) -> String {
      let padded = cells.indices.map { column in
        let padding = String(repeating: " ", count: max(0, widths[column] - cells[column].count))
        return isNumeric[column] ? padding + cells[column] : cells[column] + padding
      }
      let joined = padded.joined(separator: "  ")
      return String(joined.reversed().drop { $0 == " " }.reversed())
    }
    return ([line(header)] + rows.map(line)).joined(separator: "\n")
  }
}
