import JobModel
import Testing

@Suite("Cron")
struct CronScheduleTests {
  struct Line: Sendable, CustomTestStringConvertible {
    var cron: String
    var after: String
    var times: [String]
    init(_ cron: String, after: String, _ times: String...) {
      self.cron = cron
      self.after = after
      self.times = times
    }
    var testDescription: String { "\(cron) after \(after)" }
  }

  static let lines = [
    Line("15 21 * * *", after: "2026-01-01T21:14", "2026-01-01T21:15", "2026-01-02T21:15"),
    Line("15 21 * * *", after: "2026-01-01T21:15", "2026-01-02T21:15"),
    Line("* * * * *", after: "2026-12-31T23:58", "2026-12-31T23:59", "2027-01-01T00:00", "2027-01-01T00:01"),
    Line("*/15 * * * *", after: "2026-01-01T00:50", "2026-01-01T01:00", "2026-01-01T01:15"),
    Line("5-20/10,50 8 * * *", after: "2026-01-01T00:00", "2026-01-01T08:05", "2026-01-01T08:15", "2026-01-01T08:50"),
    Line("0 */8 * * *", after: "2026-01-01T00:00", "2026-01-01T08:00", "2026-01-01T16:00", "2026-01-02T00:00"),
    Line("0 8-18/5 * * *", after: "2026-01-01T00:00", "2026-01-01T08:00", "2026-01-01T13:00", "2026-01-01T18:00"),
    // Month ends: a month without the day is left out.
    Line("0 0 31 * *", after: "2026-01-31T00:00", "2026-03-31T00:00", "2026-05-31T00:00"),
    Line("0 0 30 * *", after: "2026-01-30T00:00", "2026-03-30T00:00"),
    // 29 February: leap years only, and 2100 is none.
    Line("0 0 29 2 *", after: "2026-01-01T00:00", "2028-02-29T00:00", "2032-02-29T00:00"),
    Line("0 0 29 FEB *", after: "2096-03-01T00:00", "2104-02-29T00:00"),
    // A weekday alone; names in any case; 0 and 7 are Sunday.
    Line("0 6 * * MON", after: "2026-03-01T00:00", "2026-03-02T06:00", "2026-03-09T06:00"),
    Line("0 6 * * mon-fri", after: "2026-03-06T06:00", "2026-03-09T06:00"),
    Line("0 6 * * 0", after: "2026-03-02T00:00", "2026-03-08T06:00"),
    Line("0 6 * * 7", after: "2026-03-02T00:00", "2026-03-08T06:00"),
    Line("0 6 * * 6-7", after: "2026-03-02T00:00", "2026-03-07T06:00", "2026-03-08T06:00", "2026-03-14T06:00"),
    Line("0 6 * * SAT-SUN", after: "2026-03-02T00:00", "2026-03-07T06:00", "2026-03-08T06:00"),
    // Both restricted: either fits. 2026-03-13 is a Friday.
    Line("0 0 13 * 5", after: "2026-03-01T00:00", "2026-03-06T00:00", "2026-03-13T00:00", "2026-03-20T00:00"),
    Line("0 0 1 * MON", after: "2026-03-30T00:00", "2026-04-01T00:00", "2026-04-06T00:00"),
    // One of them begins with *: both must fit. 1 May 2028 is a Monday on an odd day.
    Line("0 0 */2 * MON", after: "2026-03-01T00:00", "2026-03-09T00:00", "2026-03-23T00:00"),
    Line("0 0 29 2 */3", after: "2026-03-01T00:00", "2032-02-29T00:00"),
    Line("59 23 31 DEC *", after: "2026-12-31T23:59", "2027-12-31T23:59"),
    Line("0 0 1 JAN,JUL *", after: "2026-01-01T00:00", "2026-07-01T00:00", "2027-01-01T00:00"),
    Line("0\t0  1 1 *", after: "1969-12-31T00:00", "1970-01-01T00:00"),
  ]

  @Test("the times after a time are those that the fields mean", arguments: lines)
  func times(line: Line) throws {
    let after = try #require(CivilTime(line.after))
    let found = try CronSchedule(line.cron).times(after: after, limit: line.times.count)
    #expect(found.map(\.text) == line.times)
  }

  static let refused: [(String, String)] = [
    ("", "\"\" has 0 of five fields"), ("* * * *", "\"* * * *\" has 4 of five fields"),
    ("* * * * * *", "\"* * * * * *\" has 6 of five fields"), ("@daily", "\"@daily\" is not five fields"),
    ("60 * * * *", "\"60\" is not a minute"), ("* 24 * * *", "\"24\" is not an hour"),
    ("* * 0 * *", "\"0\" is not a day"), ("* * 32 * *", "\"32\" is not a day"), ("* * * 13 *", "\"13\" is not a month"),
    ("* * * 0 *", "\"0\" is not a month"), ("* * * * 8", "\"8\" is not a weekday"),
    ("* * * * FEB", "\"FEB\" is not a weekday"), ("* * L * *", "\"L\" is not a day"),
    ("* * * * MON#2", "\"MON#2\" is not a weekday"), ("1, * * * *", "an empty part of \"1,\" is not a minute"),
    ("-5 * * * *", "\"-5\" is not a minute"), ("1-2-3 * * * *", "\"1-2-3\" is not a minute"),
    ("*/0 * * * *", "\"*/0\" has no step: a whole number above 0 follows the /"),
    ("*/60 * * * *", "the step of \"*/60\" is larger than the range of a minute"),
    ("5/10 * * * *", "\"5/10\" is a step of a single minute"), ("*/2/3 * * * *", "\"*/2/3\" is not a minute"),
    ("30-10 * * * *", "the range \"30-10\" goes backwards"), ("+5 * * * *", "\"+5\" is not a minute"),
    ("0 0 30 2 *", "\"0 0 30 2 *\" never comes: no month that it names has such a day"),
    ("0 0 31 2,4,6,9,11 *", "\"0 0 31 2,4,6,9,11 *\" never comes: no month that it names has such a day"),
  ]

  @Test("what is no schedule is refused and says why", arguments: refused)
  func refusal(text: String, message: String) {
    #expect { try CronSchedule(text) } throws: { ($0 as? CronProblem)?.message == message }
  }

  @Test("a day that never comes is no matter where a weekday is given too: either fits")
  func eitherFits() throws {
    let start = try #require(CivilTime("2026-02-01T00:00"))
    #expect(try CronSchedule("0 0 30 2 MON").times(after: start, limit: 1).map(\.text) == ["2026-02-02T00:00"])
  }

  @Test("the last times of a span are those that going forward ends with, and the rest is counted", arguments: lines)
  func latest(line: Line) throws {
    let cron = try CronSchedule(line.cron)
    let start = try #require(CivilTime(line.after))
    let all = cron.times(after: start, limit: 200)
    let end = try #require(all.last)
    for limit in [1, 7, 200, 500] {
      let found = cron.times(after: start, through: end, latest: limit)
      #expect(found.times == Array(all.suffix(limit)))
      #expect(found.earlier == max(0, 200 - limit))
    }
    #expect(cron.times(after: end, through: start, latest: 5).times.isEmpty)
    #expect(all.allSatisfy(cron.matches))
  }

  @Test("every day of 400 years has its number and its weekday")
  func calendar() throws {
    var weekday = try #require(CivilDay("1969-12-31")).weekday
    #expect(weekday == 3)
    let names = "SUN MON TUE WED THU FRI SAT".split(separator: " ")
    for number in -1..<146_097 {
      let day = CivilDay(number: number)
      let (year, month, date) = day.components
      #expect(CivilDay(year: year, month: month, day: date) == day)
      #expect(day.weekday == weekday)
      weekday = (weekday + 1) % names.count
    }
    #expect(CivilDay("2026-02-29") == nil)
    #expect(CivilDay("2000-02-29")?.weekday == 2)
    #expect(CivilTime("2026-02-01T24:00") == nil)
    #expect(CivilTime(minutes: -1).text == "1969-12-31T23:59")
  }

  @Test(
    "hours that are left open mean every moment; named ones mean their times",
    arguments: [
      ("0 * * * *", true), ("*/5 */2 * * *", true), ("* 0-23 * * *", false), ("30 2 * * *", false),
    ])
  func everyMoment(text: String, expected: Bool) throws {
    #expect(try CronSchedule(text).meansEveryMoment == expected)
  }
}
