import FoundationEssentials

/// Where an axis has marks, and what they say.
struct ChartAxis: Sendable, Equatable {
  struct Mark: Sendable, Equatable {
    var value: Double
    var text: String
  }

  var range: ClosedRange<Double>
  var marks: [Mark]

  /// Counts from zero, in steps of 1, 2 or 5 times a power of ten.
  static func counts(upTo highest: Double) -> ChartAxis {
    numbers(upTo: highest, leastStep: 1) { value in
      value >= 10_000 ? short(value, ["", "k", "M", "G", "T"], "") : short(value, [""], "")
    }
  }

  /// Bytes from zero.
  static func bytes(upTo highest: Double) -> ChartAxis {
    numbers(upTo: highest, leastStep: 1) { short($0, ["B", "kB", "MB", "GB", "TB", "PB"], " ") }
  }

  private static func numbers(upTo highest: Double, leastStep: Double, text: (Double) -> String) -> ChartAxis {
    let highest = highest.isFinite ? min(max(highest, leastStep), 1e17) : leastStep
    var step = leastStep
    var factors = [2.0, 2.5, 2]
    while highest / step > 4 {
      step *= factors[0]
      factors.append(factors.removeFirst())
    }
    let count = (highest / step).rounded(.up)
    return ChartAxis(
      range: 0...(count * step),
      marks: (0...Int(count)).map { Mark(value: Double($0) * step, text: text(Double($0) * step)) })
  }

  private static func short(_ value: Double, _ units: [String], _ space: String) -> String {
    var value = value
    var units = units[...]
    while value >= 1000, units.count > 1 {
      value /= 1000
      units = units.dropFirst()
    }
    let rounded = (value * 10).rounded() / 10
    let number = rounded == rounded.rounded() ? "\(Int(rounded))" : "\(rounded)"
    return units.first.map { $0.isEmpty ? number : number + space + $0 } ?? number
  }

  private static let timeSteps: [Double] = [
    1, 5, 15, 60, 300, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800, 2_592_000,
  ]
  private static let maxTimeMarks = 8.0

  /// Times in UTC: hours and minutes, and the day where it begins.
  ///
  /// - Parameter range: Seconds since 1970.
  static func times(_ range: ClosedRange<Double>) -> ChartAxis {
    let length = range.upperBound - range.lowerBound
    let step = timeSteps.first { length / $0 <= maxTimeMarks } ?? (length / maxTimeMarks).rounded(.up)
    var marks: [Mark] = []
    var value = (range.lowerBound / step).rounded(.up) * step
    while value <= range.upperBound, marks.count < Int(maxTimeMarks) + 2 {
      // 2026-11-30T08:00:00Z
      let stamp = Date(timeIntervalSince1970: value).formatted(.iso8601)
      let isDay = step >= 86_400 || value.truncatingRemainder(dividingBy: 86_400) == 0
      let time = stamp.dropFirst(11).prefix(step < 60 ? 8 : 5)
      marks.append(Mark(value: value, text: isDay ? String(stamp.prefix(10)) : String(time)))
      value += step
    }
    return ChartAxis(range: range, marks: marks)
  }

  /// 0...1 along the axis; outside of it, its ends.
  func share(of value: Double) -> Double {
    let length = range.upperBound - range.lowerBound
    guard length > 0, value.isFinite else { return 0 }
    return min(max((value - range.lowerBound) / length, 0), 1)
  }
}
