import ControlPlane
import JobModel
import JobStore
import Logging
import Postgres
import Synchronization
import TestSupport
import Testing

@Suite("Scheduler")
struct SchedulerTests {
  /// A schedule of a test's own, whose clock the test sets.
  struct Bench: Sendable {
    let store: JobStore
    let release: Int64
    let scheduler: Scheduler
    /// What planning throws; nil: it plans.
    let refusal = Shared<StageFailure?>(nil)

    static func with(_ body: @Sendable (Bench) async throws -> Void) async throws {
      try await TestDatabase.withDatabase { database in
        let store = JobStore(database: database.pool)
        let release = try await store.registerRelease(contentHash: "h", files: [], label: nil, engine: "test")
        try await body(Bench(store, release))
      }
    }

    init(_ store: JobStore, _ release: Int64) {
      self.store = store
      self.release = release
      let refusal = self.refusal
      scheduler = Scheduler(store: store, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }) {
        pipeline, _ in
        if let failure = refusal.value { throw failure }
        let plan = RunPlan(
          pipeline: pipeline,
          jobs: [RunPlan.Job(kind: "k", stage: "ingest", label: "a", payload: "{}", maximumAttempts: 1)],
          loads: [RunPlan.Job(kind: "l", stage: "load", label: "w", payload: "{}", after: [0], maximumAttempts: 1)])
        return (plan, .implicit(release))
      }
    }

    func register(
      _ cron: String, overlap: ScheduleRule.Overlap = .skip, catchUp: ScheduleRule.CatchUp = .latest, at now: String,
      pipeline: String = "p"
    ) async throws {
      let rule = ScheduleRule(
        cron: try CronSchedule(cron), timeZone: "Europe/Zurich", overlap: overlap, catchUp: catchUp)
      try await store.registerSchedule(rule, pipeline: pipeline, release: release, now: now)
    }

    /// Decides what is due at a time of 2026-03-01 in UTC: 12:00 is 13:00 on the clock.
    func tick(_ time: String) async throws { try await scheduler.decideDue(now: "2026-03-01 \(time)+00") }

    /// `12:00 started`, oldest first.
    func told(_ pipeline: String = "p") async throws -> [String] {
      try await store.ticks(of: pipeline, limit: 100).reversed().map {
        "\($0.at.dropFirst(11).prefix(5)) \($0.outcome)"
      }
    }

    func runs() async throws -> [RunRecord] {
      try await store.runs().filter { $0.kind == .batch }.reversed()
    }

    /// Ends the runs that are going, whatever they are.
    func endRuns() async throws {
      try await store.database.query("update sluice.run set state = 'succeeded', pending = 0", [])
    }

    func events() async throws -> [String] {
      try await store.database.query("select kind from sluice.event order by event_id", []).map {
        try $0.string("kind")
      }
    }
  }

  final class Shared<Value: Sendable>: Sendable {
    private let held: Mutex<Value>
    init(_ value: Value) { held = Mutex(value) }
    var value: Value {
      get { held.withLock { $0 } }
      set { held.withLock { $0 = newValue } }
    }
  }

  @Test("a run starts at its time, once, with that time as its own, and its loads too")
  func starts() async throws {
    try await Bench.with { bench in
      try await bench.register("0 13 * * *", at: "2026-03-01 10:00+00")
      try await bench.tick("11:59:59")
      #expect(try await bench.runs().isEmpty)
      #expect(try await bench.store.schedules().first?.nextAt == "2026-03-01 12:00:00+00")
      try await bench.tick("12:00:02")
      try await bench.tick("12:00:03")
      #expect(try await bench.runs().count == 1)
      let times = try await bench.store.database.query(
        "select distinct run_at::text as at, created_at::text as made from sluice.run", [])
      #expect(try times.map { try $0.string("at") } == ["2026-03-01 12:00:00+00"])
      #expect(try times.map { try $0.string("made") } == ["2026-03-01 12:00:02+00"])
      let schedule = try #require(try await bench.store.schedules().first)
      #expect(schedule.nextAt == "2026-03-02 12:00:00+00")
      #expect(schedule.last?.outcome == "started")
      #expect(schedule.last?.run == (try await bench.runs().first?.id))
    }
  }

  @Test("any number of schedulers start one run for a time")
  func manySchedulers() async throws {
    try await Bench.with { bench in
      try await bench.register("* * * * *", overlap: .allow, catchUp: .all, at: "2026-03-01 11:00+00")
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<4 {
          group.addTask {
            for minute in 0..<10 { try await bench.tick("11:0\(minute):30") }
          }
        }
        try await group.waitForAll()
      }
      try await bench.tick("11:09:31")
      let runs = try await bench.store.database.query(
        "select count(*) as runs, count(distinct run_at) as times from sluice.run where kind = 'batch'", []
      ).only
      #expect(try runs.int("runs") == 9)
      #expect(try runs.int("times") == 9)
    }
  }

  @Test("a time that was decided is never decided again, whatever the schedule's row says")
  func decidedOnce() async throws {
    try await Bench.with { bench in
      try await bench.register("0 13 * * *", at: "2026-03-01 10:00+00")
      try await bench.tick("12:00:01")
      try await bench.endRuns()
      try await bench.store.database.query(
        "update sluice.schedule set considered_at = '2026-03-01 10:00+00', next_at = null", [])
      try await bench.tick("12:00:02")
      #expect(try await bench.runs().count == 1)
    }
  }

  @Test("skip: a time that finds a run going is noted with the reason")
  func skips() async throws {
    try await Bench.with { bench in
      try await bench.register("*/10 * * * *", at: "2026-03-01 11:55+00")
      for time in ["12:00:01", "12:10:01"] { try await bench.tick(time) }
      try await bench.endRuns()
      try await bench.tick("12:20:01")
      #expect(try await bench.told() == ["12:00 started", "12:10 skipped", "12:20 started"])
      let first = try #require(try await bench.runs().first)
      #expect(try await bench.store.ticks(of: "p")[1].reason == "run \(first.id) was still going")
      #expect(try await bench.events() == ["schedule_skipped"])
    }
  }

  @Test("only ingest and curate are a run that goes: a load that is still going skips nothing")
  func loadsDoNotCount() async throws {
    try await Bench.with { bench in
      try await bench.register("*/10 * * * *", at: "2026-03-01 11:55+00")
      try await bench.tick("12:00:01")
      try await bench.store.database.query("update sluice.run set state = 'succeeded' where kind = 'batch'", [])
      try await bench.tick("12:10:01")
      #expect(try await bench.told() == ["12:00 started", "12:10 started"])
    }
  }

  @Test("a backfill that is going skips nothing")
  func backfillsDoNotCount() async throws {
    try await Bench.with { bench in
      try await bench.register("*/10 * * * *", at: "2026-03-01 11:55+00")
      let plan = RunPlan(
        pipeline: "p", urgencyClass: 1001, jobs: [RunPlan.Job(kind: "k", stage: "ingest", label: "a", payload: "{}")],
        loads: [])
      let range = JobStore.Backfill(from: "1", to: "2", streams: ["s.a", "s.b"])
      let run = try await bench.store.enqueue(plan, as: range, with: .implicit(bench.release)).runID
      #expect(try await bench.store.backfill(ofRun: run) == range)
      try await bench.tick("12:00:01")
      #expect(try await bench.told() == ["12:00 started"])
    }
  }

  @Test("queue: the latest time waits for the run that is going, and then starts with its own time")
  func queues() async throws {
    try await Bench.with { bench in
      try await bench.register("*/10 * * * *", overlap: .queue, at: "2026-03-01 11:55+00")
      for time in ["12:00:01", "12:10:01", "12:20:01", "12:21:00"] { try await bench.tick(time) }
      #expect(try await bench.told() == ["12:00 started", "12:10 skipped", "12:20 waiting"])
      try await bench.endRuns()
      try await bench.tick("12:22:00")
      #expect(try await bench.told() == ["12:00 started", "12:10 skipped", "12:20 started"])
      #expect(try await bench.runs().count == 2)
    }
  }

  @Test(
    "after an outage: latest starts one run, none starts none, all starts each in turn",
    arguments: [
      (ScheduleRule.CatchUp.latest, ["12:00 missed", "12:10 missed", "12:20 started"], 1),
      (.none, ["12:00 missed", "12:10 missed", "12:20 missed"], 0),
      (.all, ["12:00 started", "12:10 started", "12:20 started"], 3),
    ])
  func catchUp(rule: ScheduleRule.CatchUp, told: [String], runs: Int) async throws {
    try await Bench.with { bench in
      try await bench.register("*/10 * * * *", catchUp: rule, at: "2026-03-01 11:55+00")
      try await bench.tick("11:56:00")
      // Nobody was there for half an hour; then a control starts, and registers what it finds.
      try await bench.register("*/10 * * * *", catchUp: rule, at: "2026-03-01 12:27+00")
      for second in 10..<15 {
        try await bench.tick("12:27:\(second)")
        try await bench.endRuns()
      }
      #expect(try await bench.told() == told)
      #expect(try await bench.runs().count == runs)
      #expect(try await bench.events() == (rule == .all ? [] : ["schedule_missed"]))
    }
  }

  @Test("a long outage is counted, and only the latest thousand times are listed")
  func longOutage() async throws {
    try await Bench.with { bench in
      try await bench.register("* * * * *", at: "2026-02-01 00:00+00")
      try await bench.tick("12:00:30")
      #expect(try await bench.runs().count == 1)
      let ticks = try await bench.store.ticks(of: "p", limit: 2000)
      #expect(ticks.count == 1000)
      #expect(ticks.first?.outcome == "started")
      let event = try await bench.store.database.query(
        "select message from sluice.event order by event_id desc limit 1", []
      ).only.string("message")
      // 28 days and 12 hours, less the one that started; about, for the clock may have been changed meanwhile.
      #expect(event.hasPrefix("about 41039 time(s) since 2026-02-01 00:00:00+00 started no run"), "\(event)")
      #expect(try await bench.events() == ["schedule_missed"])
    }
  }

  @Test("a schedule with other times begins anew and catches nothing up; with other rules it goes on")
  func changes() async throws {
    try await Bench.with { bench in
      try await bench.register("*/10 * * * *", at: "2026-03-01 11:55+00")
      try await bench.register("*/5 * * * *", at: "2026-03-01 12:27+00")
      try await bench.tick("12:27:01")
      #expect(try await bench.runs().isEmpty)
      try await bench.register("*/5 * * * *", overlap: .allow, at: "2026-03-01 12:31+00")
      try await bench.tick("12:31:01")
      #expect(try await bench.told() == ["12:30 started"])
      #expect(try await bench.store.retainSchedules(of: ["q"]) == ["p"])
      try await bench.tick("12:40:01")
      #expect(try await bench.runs().count == 1)
    }
  }

  @Test("a paused pipeline starts no run, and what went by is not caught up")
  func pauses() async throws {
    try await Bench.with { bench in
      try await bench.register("*/10 * * * *", at: "2026-03-01 11:55+00")
      #expect(try await bench.store.pause("p", now: "2026-03-01 11:56+00").wasPaused == false)
      #expect(try await bench.store.pause("p", now: "2026-03-01 11:57+00") == ("2026-03-01 11:56:00+00", true))
      try await bench.tick("12:00:01")
      #expect(try await bench.told() == ["12:00 skipped"])
      #expect(try await bench.store.resume("p", now: "2026-03-01 12:25+00") == "2026-03-01 11:56:00+00")
      #expect(try await bench.store.resume("p") == nil)
      try await bench.tick("12:25:01")
      try await bench.tick("12:30:01")
      #expect(try await bench.told() == ["12:00 skipped", "12:30 started"])
    }
  }

  @Test("a run that cannot be planned is an event and a message, and the next time is tried again")
  func failure() async throws {
    try await Bench.with { bench in
      bench.refusal.value = StageFailure(code: "definition", message: "it cannot be read", hint: "mend it")
      try await bench.register("*/10 * * * *", at: "2026-03-01 11:55+00")
      try await bench.register("*/10 * * * *", at: "2026-03-01 11:55+00", pipeline: "q")
      try await bench.tick("12:00:01")
      #expect(try await bench.told() == ["12:00 failed"])
      #expect(try await bench.told("q") == ["12:00 failed"])
      #expect(try await bench.events() == ["schedule_failed", "schedule_failed"])
      let message = try #require(try await bench.store.takeOutbox(limit: 1, patience: .zero).first)
      #expect(message.kind == "failed")
      #expect(message.releaseID == bench.release)
      #expect(message.body.contains("it cannot be read"))
      bench.refusal.value = nil
      try await bench.tick("12:10:01")
      #expect(try await bench.told() == ["12:00 failed", "12:10 started"])
    }
  }

  @Test(
    "a clock that was ahead and is set back: the schedule goes on by itself, says so, and repeats no run",
    arguments: ["12:50:00", "23:59:59"])
  func clockSetBack(ahead: String) async throws {
    try await Bench.with { bench in
      try await bench.register("*/10 * * * *", at: "2026-03-01 11:55+00")
      try await bench.tick("12:00:01")
      try await bench.endRuns()
      try await bench.tick(ahead)
      try await bench.endRuns()
      let started = try await bench.runs().count
      #expect(started == 2)
      // The true time again.
      try await bench.tick("12:00:05")
      #expect(try await bench.events().contains("schedule_recovered"))
      try await bench.tick("12:00:06")
      #expect(try await bench.store.schedules().first?.nextAt == "2026-03-01 12:10:00+00")
      for minute in ["10", "20", "30", "40"] {
        try await bench.tick("12:\(minute):01")
        try await bench.endRuns()
      }
      #expect(try await bench.runs().count == started + 4)
      let told = try await bench.told()
      #expect(told.prefix(5) == ["12:00 started", "12:10 started", "12:20 started", "12:30 started", "12:40 started"])
      // The run that the clock's mistake has started is that time's run.
      try await bench.tick("12:50:01")
      #expect(try await bench.runs().count == (ahead == "12:50:00" ? started + 4 : started + 5))
      #expect(try await bench.events().filter { $0 == "schedule_recovered" }.count == 1)
    }
  }

  @Test("a clock that is set back by seconds, as a time service does it, changes nothing")
  func smallStep() async throws {
    try await Bench.with { bench in
      try await bench.register("* * * * *", at: "2026-03-01 11:55+00")
      try await bench.tick("12:00:01")
      try await bench.endRuns()
      try await bench.tick("11:59:30")
      try await bench.tick("12:00:02")
      #expect(try await bench.runs().count == 1)
      #expect(try await !bench.events().contains("schedule_recovered"))
    }
  }

  @Test(
    "a time zone that the database does not know by name is refused", arguments: ["Europe/Zurch", "Etc/Foo+5", "CEST"])
  func unknownZone(zone: String) async throws {
    try await Bench.with { bench in
      let rule = ScheduleRule(cron: try CronSchedule("0 0 * * *"), timeZone: zone)
      await #expect(throws: ScheduleRefused(pipeline: "p", timeZone: zone)) {
        try await bench.store.registerSchedule(rule, pipeline: "p", release: bench.release)
      }
      #expect(try await bench.store.schedules().isEmpty)
    }
  }
}
