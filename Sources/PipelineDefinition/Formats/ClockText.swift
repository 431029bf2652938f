import JobModel

/// Times of day, schedules and the zones they belong to.
enum ClockText {
  /// `UTC`, or `Area/City`; abbreviations such as `CET` are refused, for they forget daylight saving or mean two zones.
  static func timeZone(_ text: String) throws(ValueProblem) {
    if text == "UTC" { return }
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    let looksValid =
      (2...3).contains(parts.count)
      && parts.allSatisfy { part in
        guard let first = part.utf8.first, NameText.isLetter(first), part.first?.isUppercase == true else {
          return false
        }
        return part.utf8.allSatisfy { NameText.isWord($0) || "+-".utf8.contains($0) }
      }
    guard looksValid else {
      throw ValueProblem("\"\(text)\" is not a time zone", write: "UTC or Area/City, such as Europe/Zurich")
    }
  }

  static func timeOfDay(_ text: String) throws(ValueProblem) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, parts.allSatisfy({ $0.utf8.count == 2 && $0.utf8.allSatisfy(NameText.isDigit) }),
      let hour = Int(parts[0]), let minute = Int(parts[1]), hour < 24, minute < 60
    else {
      throw ValueProblem("\"\(text)\" is not a time of day", write: "hours and minutes in quotes, such as \"05:30\"")
    }
  }

  @discardableResult
  static func cron(_ text: String) throws(ValueProblem) -> CronSchedule {
    do { return try CronSchedule(text) } catch { throw ValueProblem(error.message, suggestion: error.suggestion) }
  }

  /// `2024-01-01`
  static func isDate(_ text: some StringProtocol) -> Bool {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 3, parts.map(\.utf8.count) == [4, 2, 2],
      parts.allSatisfy({ $0.utf8.allSatisfy(NameText.isDigit) }),
      let month = Int(parts[1]), let day = Int(parts[2])
    else { return false }
    return (1...12).contains(month) && (1...31).contains(day)
  }

  /// `2024-01-01T00:00:00`, with a blank for the `T` too, with or without fractions and offset.
  static func instant(_ text: String) -> (isValid: Bool, hasOffset: Bool) {
    guard text.utf8.count >= 16, isDate(text.prefix(10)), let separator = text.dropFirst(10).first,
      "T ".contains(separator)
    else { return (false, false) }
    let clock = text.dropFirst(11)
    let time = clock.prefix { $0.isNumber || $0 == ":" || $0 == "." }
    let parts = time.split(separator: ":", omittingEmptySubsequences: false)
    guard (2...3).contains(parts.count), let hour = Int(parts[0]), let minute = Int(parts[1]), hour < 24, minute < 60,
      parts.count == 2 || (Double(parts[2]).map { $0 < 60 } ?? false)
    else { return (false, false) }
    let offset = clock[time.endIndex...]
    if offset.isEmpty { return (true, false) }
    let digits = offset.dropFirst().filter { $0 != ":" }
    let isNumeric = (offset.hasPrefix("+") || offset.hasPrefix("-")) && [2, 4].contains(digits.utf8.count)
    return (offset == "Z" || (isNumeric && digits.utf8.allSatisfy(NameText.isDigit)), true)
  }
}
