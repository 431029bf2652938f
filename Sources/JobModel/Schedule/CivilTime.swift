/// A minute as a clock on the wall shows it: without a zone, so that it may exist twice or not at all on a day on which
/// the clock is changed. What instant it is, the database's time zones say.
package struct CivilTime: Sendable, Hashable, Comparable {
  /// Since 1970-01-01T00:00 on the same clock.
  package var minutes: Int

  package init(minutes: Int) { self.minutes = minutes }

  package init(day: CivilDay, hour: Int = 0, minute: Int = 0) {
    minutes = day.number * Self.minutesPerDay + hour * 60 + minute
  }

  /// Reads `2026-03-29T02:30`, as the statements of the store write it; nil for anything else.
  package init?(_ text: String) {
    let parts = text.split(separator: "T", omittingEmptySubsequences: false)
    guard parts.count == 2, let day = CivilDay(parts[0]) else { return nil }
    let clock = parts[1].split(separator: ":", omittingEmptySubsequences: false)
    guard clock.count == 2, clock.allSatisfy({ $0.utf8.count == 2 }), let hour = Int(clock[0]),
      let minute = Int(clock[1]), (0..<24).contains(hour), (0..<60).contains(minute)
    else { return nil }
    self.init(day: day, hour: hour, minute: minute)
  }

  static let minutesPerDay = 1440

  package var day: CivilDay {
    CivilDay(number: minutes >= 0 ? minutes / Self.minutesPerDay : (minutes + 1) / Self.minutesPerDay - 1)
  }
  package var minuteOfDay: Int { minutes - day.number * Self.minutesPerDay }
  package var hour: Int { minuteOfDay / 60 }
  package var minute: Int { minuteOfDay % 60 }

  /// `2026-03-29T02:30`
  package var text: String { "\(day.text)T\(hour.padded(2)):\(minute.padded(2))" }

  package static func < (left: CivilTime, right: CivilTime) -> Bool { left.minutes < right.minutes }
  package static func + (left: CivilTime, minutes: Int) -> CivilTime { CivilTime(minutes: left.minutes + minutes) }
}

/// A day of the Gregorian calendar.
package struct CivilDay: Sendable, Hashable, Comparable {
  /// Since 1970-01-01.
  package var number: Int

  package init(number: Int) { self.number = number }

  /// nil for a day that the month does not have.
  package init?(year: Int, month: Int, day: Int) {
    guard (1...12).contains(month), (1...Self.days(ofMonth: month, year: year)).contains(day) else { return nil }
    // Counts from March, so that a leap day is the last of its year.
    let years = month > 2 ? year : year - 1
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    number = years * 365 + years / 4 - years / 100 + years / 400 + dayOfYear - 719_468
  }

  /// Reads `2026-03-29`.
  package init?(_ text: some StringProtocol) {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.map(\.utf8.count) == [4, 2, 2], let year = Int(parts[0]), let month = Int(parts[1]),
      let day = Int(parts[2]), year > 0
    else { return nil }
    self.init(year: year, month: month, day: day)
  }

  /// 0 is Sunday.
  package var weekday: Int { ((number + 4) % 7 + 7) % 7 }

  package var components: (year: Int, month: Int, day: Int) {
    let days = number + 719_468
    let era = (days >= 0 ? days : days - 146_096) / 146_097
    let dayOfEra = days - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    let month = shifted < 10 ? shifted + 3 : shifted - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
  }

  /// `2026-03-29`
  package var text: String {
    let (year, month, day) = components
    return "\(year.padded(4))-\(month.padded(2))-\(day.padded(2))"
  }

  package static func < (left: CivilDay, right: CivilDay) -> Bool { left.number < right.number }

  static func days(ofMonth month: Int, year: Int) -> Int {
    let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    return month == 2 ? (isLeap ? 29 : 28) : [4, 6, 9, 11].contains(month) ? 30 : 31
  }
}

extension Int {
  fileprivate func padded(_ width: Int) -> String {
    let digits = String(self)
    return String(repeating: "0", count: Swift.max(0, width - digits.count)) + digits
  }
}
