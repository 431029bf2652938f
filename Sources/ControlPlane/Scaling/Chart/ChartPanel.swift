/// One diagram over time, as a part of an SVG: lines that hold their value until the next one, or bars.
struct ChartPanel: Sendable {
  struct Series: Sendable {
    enum Style: String, Sendable {
      case first, second, third, limit
    }

    var name: String
    var style: Style
    /// Times and values, in the order of time. Where the value is nil nothing is drawn until the next one.
    var points: [(at: Double, value: Double?)]
    var isBars = false
  }

  static let width = 960.0
  static let left = 76.0
  static let right = 20.0
  static let height = 120.0
  private static let barWidth = 4.0

  var title: String
  var values: ChartAxis
  var times: ChartAxis
  var series: [Series]
  /// What is told of a point when it is pointed at.
  var notes: [(at: Double, value: Double, text: String)] = []
  var top: Double

  private var plotWidth: Double { Self.width - Self.left - Self.right }

  private func x(_ time: Double) -> String { Self.number(Self.left + times.share(of: time) * plotWidth) }
  private func y(_ value: Double) -> String {
    Self.number(top + (1 - values.share(of: value)) * Self.height)
  }

  var svg: [String] {
    let end = Self.number(Self.width - Self.right)
    var lines = [
      #"<text class="head" x="\#(Self.number(Self.left))" y="\#(Self.number(top - 10))">\#(XMLText.escaped(title))</text>"#
    ]
    for mark in values.marks {
      let y = y(mark.value)
      lines.append(#"<path class="grid" d="M\#(Self.number(Self.left)) \#(y)H\#(end)"/>"#)
      lines.append(
        #"<text class="mark" text-anchor="end" dominant-baseline="middle" x="\#(Self.number(Self.left - 8))" y="\#(y)">\#(XMLText.escaped(mark.text))</text>"#
      )
    }
    for mark in times.marks {
      let x = x(mark.value)
      let bottom = top + Self.height
      lines.append(#"<path class="grid" d="M\#(x) \#(Self.number(top))V\#(Self.number(bottom + 4))"/>"#)
      lines.append(
        #"<text class="mark" text-anchor="middle" x="\#(x)" y="\#(Self.number(bottom + 17))">\#(XMLText.escaped(mark.text))</text>"#
      )
    }
    for each in series {
      let path = each.isBars ? bars(each) : steps(each)
      if !path.isEmpty { lines.append(#"<path class="\#(each.style.rawValue)" d="\#(path)"/>"#) }
    }
    for note in notes {
      lines.append(
        #"<circle class="note" cx="\#(x(note.at))" cy="\#(y(note.value))" r="3"><title>\#(XMLText.escaped(note.text))</title></circle>"#
      )
    }
    return lines + legend
  }

  /// Names to the right of the title.
  private var legend: [String] {
    var right = Self.width - Self.right
    var lines: [String] = []
    for each in series.reversed() {
      lines.append(
        #"<text class="mark" text-anchor="end" x="\#(Self.number(right))" y="\#(Self.number(top - 10))">\#(XMLText.escaped(each.name))</text>"#
      )
      // No font is known here: six units are more than a character of this size needs.
      right -= Double(each.name.count) * 6 + 8
      lines.append(
        #"<path class="\#(each.style.rawValue)" d="M\#(Self.number(right - 22)) \#(Self.number(top - 14))h20"/>"#)
      right -= 40
    }
    return lines
  }

  private func steps(_ series: Series) -> String {
    var path = ""
    var isDrawing = false
    for point in series.points {
      if isDrawing { path += "H\(x(point.at))" }
      if let value = point.value {
        path += isDrawing ? "V\(y(value))" : "M\(x(point.at)) \(y(value))"
        isDrawing = true
      } else {
        isDrawing = false
      }
    }
    return path
  }

  private func bars(_ series: Series) -> String {
    series.points.map { point in
      "M\(x(point.at)) \(y(0))V\(y(point.value ?? 0))h\(Self.number(Self.barWidth))V\(y(0))z"
    }.joined()
  }

  static func number(_ value: Double) -> String {
    let tenths = (value * 10).rounded() / 10
    return tenths == tenths.rounded() ? "\(Int(tenths))" : "\(tenths)"
  }
}
