/// Five fields of cron(5): minute, hour, day, month, weekday; times of a clock on the wall, without a zone.
///
/// Lists (`1,15`), ranges (`1-5`), steps (`*/15`, `8-18/2`), names (`JAN`, `MON`), weekday 0 and 7 for Sunday. Where
/// neither day nor weekday begins with `*`, a day that fits either of them fits, as in cron(5). Nicknames such as `@daily`
/// are none of the five fields; `L`, `W` and `#` are not of cron(5).
package struct CronSchedule: Sendable, Hashable {
  /// As it was written.
  package let text: String
  private let minute: CronField
  private let hour: CronField
  private let day: CronField
  private let month: CronField
  private let weekday: CronField

  /// After so many days the calendar repeats, weekdays included: what has no time in them never has one.
  private static let calendarCycle = 146_097

  /// - Throws: ``CronProblem``, also where no time ever fits, such as 30 February.
  package init(_ text: String) throws(CronProblem) {
    if text.hasPrefix("@") {
      let form = Self.nicknames[String(text)].map { "write \"\($0)\"" }
      throw CronProblem("\"\(text)\" is not five fields", suggestion: form ?? Self.suggestion)
    }
    let fields = text.split(whereSeparator: { $0 == " " || $0 == "\t" })
    guard fields.count == 5 else {
      throw CronProblem("\"\(text)\" has \(fields.count) of five fields", suggestion: Self.suggestion)
    }
    self.text = text
    minute = try CronField(fields[0], at: .minute)
    hour = try CronField(fields[1], at: .hour)
    day = try CronField(fields[2], at: .day)
    month = try CronField(fields[3], at: .month)
    weekday = try CronField(fields[4], at: .weekday)
    guard nextDay(from: CivilDay(number: 0)) != nil else {
      throw CronProblem("\"\(text)\" never comes: no month that it names has such a day")
    }
  }

  private static let suggestion = "write minute, hour, day, month and weekday, such as \"15 21 * * *\""
  private static let nicknames = [
    "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
  ]

  /// Whether the hours are left open (`*` or `*/n`), so that every moment counts at which the clock shows a fitting time:
  /// an hour that comes twice counts twice, and one that is left out does not count.
  ///
  /// With hours of its own a schedule means its times: each comes once a day, whatever is done to the clock.
  package var meansEveryMoment: Bool { hour.isWildcard }

  package func matches(_ time: CivilTime) -> Bool {
    minute.contains(time.minute) && hour.contains(time.hour) && matches(time.day)
  }

  private func matches(_ date: CivilDay) -> Bool {
    let (_, monthNumber, dayNumber) = date.components
    guard month.contains(monthNumber) else { return false }
    let fits = (day: day.contains(dayNumber), weekday: weekday.contains(date.weekday))
    return day.isWildcard || weekday.isWildcard ? fits.day && fits.weekday : fits.day || fits.weekday
  }

  /// The first `limit` times after one, ascending.
  package func times(after start: CivilTime, limit: Int) -> [CivilTime] {
    var found: [CivilTime] = []
    var date = nextDay(from: start.day)
    while let each = date, found.count < limit {
      found += times(on: each).drop { $0 <= start }.prefix(limit - found.count)
      date = nextDay(from: CivilDay(number: each.number + 1))
    }
    return found
  }

  /// The last `limit` times after one and up to another, ascending, and how many there are before these.
  package func times(
    after start: CivilTime, through end: CivilTime, latest limit: Int
  ) -> (times: [CivilTime], earlier: Int) {
    guard start < end else { return ([], 0) }
    var found: [CivilTime] = []
    var earlier = 0
    for number in stride(from: end.day.number, through: start.day.number, by: -1) {
      let date = CivilDay(number: number)
      guard matches(date) else { continue }
      let isWhole = date > start.day && date < end.day
      if isWhole, found.count == limit {
        earlier += timesPerDay
        continue
      }
      let fitting = times(on: date).filter { $0 > start && $0 <= end }
      let taken = fitting.suffix(limit - found.count)
      found = taken + found
      earlier += fitting.count - taken.count
    }
    return (found, earlier)
  }

  private var timesPerDay: Int { hour.numbers.count * minute.numbers.count }

  private func times(on date: CivilDay) -> [CivilTime] {
    let minutes = minute.numbers
    return hour.numbers.flatMap { hour in minutes.map { CivilTime(day: date, hour: hour, minute: $0) } }
  }

  /// The first fitting day, this one included.
  private func nextDay(from date: CivilDay) -> CivilDay? {
    (date.number..<(date.number + Self.calendarCycle)).lazy.map(CivilDay.init(number:)).first(where: matches)
  }
}
