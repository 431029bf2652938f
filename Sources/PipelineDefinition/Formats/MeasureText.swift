/// Amounts with their unit: `10m`, `256MB`, `40MB/s`, `0.5%`, `-20%..+50%`.
///
/// A bare number is refused everywhere, because nobody can read off it whether it counts seconds or minutes.
enum MeasureText {
  /// A century. A longer time is a mistake, and the database could not add it to a date.
  private static let longestMilliseconds: Int64 = 36_525 * 86_400_000

  /// `ms`, `s`, `m`, `h`, `d`; whole numbers only, so that no amount is rounded.
  static func duration(_ text: String) throws(ValueProblem) -> Duration {
    let (digits, unit) = split(text)
    guard unit != "" || digits == "" else {
      throw ValueProblem("\"\(text)\" has no unit", write: "\(text)s, \(text)m, \(text)h or \(text)d")
    }
    guard let count = Int64(digits), count >= 0, let milliseconds = durationUnits[unit] else {
      throw ValueProblem("\"\(text)\" is not a duration", write: "a whole number and ms, s, m, h or d, such as 10m")
    }
    let (amount, overflow) = count.multipliedReportingOverflow(by: milliseconds)
    guard !overflow, amount <= longestMilliseconds else {
      throw ValueProblem("\"\(text)\" is longer than a century", write: "at most 36525d")
    }
    return .milliseconds(amount)
  }

  /// `B`, `kB`, `MB`, `GB`, `TB` in powers of 1000; `KiB`, `MiB`, `GiB`, `TiB` in powers of 1024.
  static func byteCount(_ text: String) throws(ValueProblem) -> Int {
    let (digits, unit) = split(text)
    guard unit != "" || digits == "" else {
      throw ValueProblem("\"\(text)\" has no unit", write: "\(text)MB or \(text)GB")
    }
    guard let number = Double(digits), let factor = byteUnits[unit] else {
      throw ValueProblem(
        "\"\(text)\" is not an amount of bytes", write: "a number and kB, MB, GB or GiB, such as 256MB")
    }
    let bytes = number * factor
    guard bytes == bytes.rounded(), bytes >= 1, bytes < 9e15 else {
      throw ValueProblem("\"\(text)\" is not a whole number of bytes, or none at all", write: "such as 256MB")
    }
    return Int(bytes)
  }

  static func byteRate(_ text: String) throws(ValueProblem) -> Int {
    guard text.hasSuffix("/s") else {
      throw ValueProblem("\"\(text)\" is not an amount of bytes per second", write: "such as 40MB/s")
    }
    return try byteCount(String(text.dropLast(2)))
  }

  /// Worker-hours of a month, written as `200h/month`.
  static func workerBudget(_ text: String) throws(ValueProblem) -> Double {
    let (digits, unit) = split(text)
    guard unit == "h/month", let hours = Double(digits) else {
      throw ValueProblem(
        "\"\(text)\" is not worker-hours of a month", write: "a number and h/month, such as 200h/month")
    }
    guard (0.1...1_000_000).contains(hours) else {
      throw ValueProblem("\"\(text)\" is out of range", write: "0.1h/month to 1000000h/month")
    }
    return hours
  }

  /// A share of 0...1, written as `0.5%`.
  static func share(_ text: String) throws(ValueProblem) -> Double {
    let (digits, unit) = split(text)
    guard unit != "" || digits == "" else {
      throw ValueProblem("\"\(text)\" has no unit", write: "\(text)%")
    }
    guard unit == "%", let percent = Double(digits) else {
      throw ValueProblem("\"\(text)\" is not a percentage", write: "a number and %, such as 0.5%")
    }
    guard (0...100).contains(percent) else {
      throw ValueProblem("\"\(text)\" is more than all of it", write: "0% to 100%")
    }
    return percent / 100
  }

  /// A relative change such as `-20%..+50%`; a missing bound is not allowed, for it would mean "any".
  static func change(_ text: String) throws(ValueProblem) -> ClosedRange<Double> {
    let malformed = ValueProblem(
      "\"\(text)\" is not a range of percentages", write: "the least and the greatest change, such as \"-20%..+50%\"")
    guard let dots = text.firstRange(of: ".."), let lower = signed(text[..<dots.lowerBound]),
      let upper = signed(text[dots.upperBound...])
    else { throw malformed }
    guard lower <= upper else {
      throw ValueProblem("\"\(text)\" ends before it begins", write: "the lesser bound first")
    }
    guard lower >= -1 else {
      throw ValueProblem("\"\(text)\" allows to lose more than all rows", write: "-100% or more")
    }
    return lower...upper
  }

  private static let durationUnits: [Substring: Int64] = [
    "ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000,
  ]

  private static let byteUnits: [Substring: Double] = [
    "B": 1, "kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
    "KiB": 1024, "MiB": 1_048_576, "GiB": 1_073_741_824, "TiB": 1_099_511_627_776,
  ]

  private static func split(_ text: String) -> (digits: Substring, unit: Substring) {
    let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
    return (digits, text[digits.endIndex...])
  }

  private static func signed(_ text: Substring) -> Double? {
    guard text.hasSuffix("%"), let first = text.utf8.first, NameText.isDigit(first) || "+-".utf8.contains(first) else {
      return nil
    }
    let number = text.dropLast()
    guard number.utf8.dropFirst().allSatisfy({ NameText.isDigit($0) || $0 == UInt8(ascii: ".") }) else { return nil }
    guard let percent = Double(number), percent.isFinite else { return nil }
    return percent / 100
  }
}
