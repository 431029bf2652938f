/// Columns of text, aligned; numbers to the right.
struct TextTable {
  var header: [String]
  var rows: [[String]]

  init(_ header: [String], _ rows: [[String]]) {
    self.header = header.map(TerminalText.line)
    self.rows = rows.map { $0.map(TerminalText.line) }
  }

  var text: String {
    let layout = layout
    return ([layout.line(header)] + rows.map(layout.line)).joined(separator: "\n")
  }

  /// How these rows are aligned; also for rows that come later.
  var layout: Layout {
    Layout(
      widths: header.indices.map { column in
        ([header] + rows).map { $0.indices.contains(column) ? $0[column].count : 0 }.max() ?? 0
      },
      isNumeric: header.indices.map { column in
        !rows.isEmpty && rows.allSatisfy { $0[column].isEmpty || Double($0[column]) != nil }
      })
  }

  struct Layout: Sendable {
    var widths: [Int]
    var isNumeric: [Bool]

    func line(_ cells: [String]) -> String {
      let cells = cells.map(TerminalText.line)
      let padded = cells.indices.map { column in
        let padding = String(repeating: " ", count: max(0, widths[column] - cells[column].count))
        return isNumeric[column] ? padding + cells[column] : cells[column] + padding
      }
      let joined = padded.joined(separator: "  ")
      return String(joined.reversed().drop { $0 == " " }.reversed())
    }
  }
}
