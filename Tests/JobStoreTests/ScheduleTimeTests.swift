import JobModel
import JobStore
import Postgres
import TestSupport
import Testing

/// What the database makes of local times; the expected instants were worked out by hand from the zones' rules.
@Suite("Schedules on days on which the clock is changed")
struct ScheduleTimeTests {
  struct Line: Sendable, CustomTestStringConvertible {
    var cron: String
    var zone: String
    var after: String
    var times: [String]
    init(_ cron: String, _ zone: String, after: String, _ times: String...) {
      self.cron = cron
      self.zone = zone
      self.after = after
      self.times = times
    }
    var testDescription: String { "\(cron) \(zone) after \(after)" }
  }

  private static let zurich = "Europe/Zurich"
  private static let johns = "America/St_Johns"
  private static let howe = "Australia/Lord_Howe"

  static let lines = [
    Line("15 21 * * *", zurich, after: "2026-03-28 00:00", "2026-03-28 20:15", "2026-03-29 19:15"),
    Line("15 21 * * *", zurich, after: "2026-10-24 00:00", "2026-10-24 19:15", "2026-10-25 20:15"),
    // 2026-03-29, 02:00 to 03:00 does not exist: the first moment after it is 01:00 in UTC.
    Line(
      "30 2 * * *", zurich, after: "2026-03-27 12:00", "2026-03-28 01:30", "2026-03-29 01:00", "2026-03-30 00:30"),
    Line("0 2 * * *", zurich, after: "2026-03-28 12:00", "2026-03-29 01:00", "2026-03-30 00:00"),
    Line("59 1 * * *", zurich, after: "2026-03-28 12:00", "2026-03-29 00:59"),
    Line("0 3 * * *", zurich, after: "2026-03-28 12:00", "2026-03-29 01:00"),
    // Times that fall together are one.
    Line(
      "0,30 2,3 * * *", zurich, after: "2026-03-28 12:00", "2026-03-29 01:00", "2026-03-29 01:30", "2026-03-30 00:00"),
    // 2026-10-25, 02:00 to 03:00 comes twice: the first is in UTC at 00:00.
    Line(
      "30 2 * * *", zurich, after: "2026-10-24 12:00", "2026-10-25 00:30", "2026-10-26 01:30"),
    Line("0 3 * * *", zurich, after: "2026-10-24 12:00", "2026-10-25 02:00"),
    Line("30 2 * * *", zurich, after: "2026-10-25 01:00", "2026-10-26 01:30"),
    Line(
      "*/30 2 * * *", zurich, after: "2026-10-24 12:00", "2026-10-25 00:00", "2026-10-25 00:30", "2026-10-26 01:00"),
    // Open hours: every real hour, the doubled one twice, the missing one not at all.
    Line(
      "0 * * * *", zurich, after: "2026-10-24 22:30", "2026-10-24 23:00", "2026-10-25 00:00", "2026-10-25 01:00",
      "2026-10-25 02:00", "2026-10-25 03:00"),
    Line(
      "30 * * * *", zurich, after: "2026-03-28 23:45", "2026-03-29 00:30", "2026-03-29 01:30", "2026-03-29 02:30"),
    Line(
      "*/20 */2 * * *", zurich, after: "2026-10-24 22:50", "2026-10-25 00:00", "2026-10-25 00:20", "2026-10-25 00:40",
      "2026-10-25 01:00", "2026-10-25 01:20", "2026-10-25 01:40", "2026-10-25 03:00"),
    // Half an hour beside the others; the change is an hour at 02:00.
    Line("30 2 * * *", johns, after: "2026-03-07 12:00", "2026-03-08 05:30", "2026-03-09 05:00"),
    Line("30 1 * * *", johns, after: "2026-10-31 12:00", "2026-11-01 04:00", "2026-11-02 05:00"),
    Line(
      "0 * * * *", johns, after: "2026-11-01 03:00", "2026-11-01 03:30", "2026-11-01 04:30", "2026-11-01 05:30"),
    // The change is half an hour: on 2026-10-04 from 02:00 to 02:30, on 2026-04-05 from 02:00 to 01:30.
    Line("15 2 * * *", howe, after: "2026-10-03 12:00", "2026-10-03 15:30", "2026-10-04 15:15"),
    Line("45 1 * * *", howe, after: "2026-04-04 00:00", "2026-04-04 14:45", "2026-04-05 15:15"),
    Line("45 * * * *", howe, after: "2026-04-04 14:00", "2026-04-04 14:45", "2026-04-04 15:15", "2026-04-04 16:15"),
    // 2011-12-30 did not exist on Samoa.
    Line(
      "0 12 * * *", "Pacific/Apia", after: "2011-12-29 00:00", "2011-12-29 22:00", "2011-12-30 10:00",
      "2011-12-30 22:00"),
    // The change at midnight: 00:00 to 01:00 does not exist.
    Line("0 0 * * *", "Africa/Cairo", after: "2026-04-23 12:00", "2026-04-23 22:00", "2026-04-24 21:00"),
    Line("0 0 31 12 *", "UTC", after: "2026-12-31 00:00", "2027-12-31 00:00"),
    Line("0 0 1 1 *", "Pacific/Auckland", after: "2026-12-31 10:00", "2026-12-31 11:00", "2027-12-31 11:00"),
    Line("0 0 29 2 *", zurich, after: "2026-12-31 10:00", "2028-02-28 23:00"),
    Line(
      "59 23 L * *".replacing("L", with: "28-31"), zurich, after: "2026-02-28 22:58", "2026-02-28 22:59",
      "2026-03-28 22:59"),
  ]

  @Test("the next instants are those of the wall clock, each once", arguments: lines)
  func next(line: Line) async throws {
    try await TestDatabase.withDatabase { database in
      let found = try await JobStore(database: database.pool).nextTimes(
        of: try CronSchedule(line.cron), timeZone: line.zone, after: line.after + "+00", limit: line.times.count,
        in: database.pool)
      #expect(found == line.times.map { $0 + ":00+00" })
    }
  }

  @Test("walking from each time to the next passes the same instants as asking for all at once", arguments: lines)
  func walk(line: Line) async throws {
    try await TestDatabase.withDatabase { database in
      let store = JobStore(database: database.pool)
      let cron = try CronSchedule(line.cron)
      var at = line.after + "+00"
      for expected in line.times {
        at = try #require(
          try await store.nextTimes(of: cron, timeZone: line.zone, after: at, in: database.pool).first)
        #expect(at == expected + ":00+00")
      }
    }
  }
}
