import JobModel
import JobStore
import Postgres
import TestSupport
import Testing

@Suite("Deadlines of runs")
struct DeadlineTests {
  private static func plan(_ time: String, _ zone: String = "Europe/Zurich") -> RunPlan {
    RunPlan(
      pipeline: "p", deadline: DeadlineRule(loadedBy: time, timeZone: zone),
      jobs: [RunPlan.Job(kind: "k", stage: "ingest", label: "a", payload: "{}")],
      loads: [RunPlan.Job(kind: "l", stage: "load", label: "w", payload: "{}", after: [0])])
  }

  private static func due(_ store: JobStore) async throws -> [String?] {
    try await store.database.query("select deadline_at::text as at from sluice.run order by run_id", []).map {
      try $0.optionalString("at")
    }
  }

  @Test(
    "a run and its loads are due at the first such time of the zone's clock after the run's start",
    arguments: [
      ("05:30", "2026-03-01 20:15+00", "2026-03-02 04:30:00+00"),
      ("05:30", "2026-03-01 03:00+00", "2026-03-01 04:30:00+00"),
      // At the very time: the next one.
      ("05:30", "2026-03-01 04:30+00", "2026-03-02 04:30:00+00"),
      // 02:00 to 03:00 does not exist on 2026-03-29, and comes twice on 2026-10-25.
      ("02:30", "2026-03-28 20:00+00", "2026-03-29 01:00:00+00"),
      ("02:30", "2026-10-24 20:00+00", "2026-10-25 00:30:00+00"),
      ("02:30", "2026-10-25 00:45+00", "2026-10-26 01:30:00+00"),
    ])
  func dueAt(time: String, start: String, expected: String) async throws {
    try await QueueFixture.with { queue in
      _ = try await queue.store.enqueue(Self.plan(time), release: queue.release, now: start)
      #expect(try await Self.due(queue.store) == [expected, expected])
    }
  }

  @Test("a scheduled run is due after the time that it was scheduled for, however late it starts")
  func scheduled() async throws {
    try await QueueFixture.with { queue in
      let plan = Self.plan("05:30")
      _ = try await queue.store.database.transaction {
        try await queue.store.startScheduled(
          plan, at: "2026-03-01 20:15+00", with: .implicit(queue.release), now: "2026-03-02 08:00+00", in: $0)
      }
      #expect(try await Self.due(queue.store) == ["2026-03-02 04:30:00+00", "2026-03-02 04:30:00+00"])
    }
  }

  @Test("a run without a rule has no deadline; a zone that the database does not know starts no run and says so")
  func edges() async throws {
    try await QueueFixture.with { queue in
      try await queue.enqueue(jobs: 1)
      #expect(try await Self.due(queue.store) == [nil])
      let refused = ScheduleRefused(pipeline: "p", timeZone: "Europe/Nowhere", part: "deadline")
      await #expect(throws: refused) {
        _ = try await queue.store.enqueue(Self.plan("05:30", "Europe/Nowhere"), release: queue.release)
      }
      #expect(refused.message == "the deadline of p: there is no time zone \"Europe/Nowhere\"")
      #expect(try await Self.due(queue.store) == [nil])
    }
  }

  @Test("a survey has the earliest deadline of a pipeline's open runs, and a claim follows it")
  func order() async throws {
    try await QueueFixture.with { queue in
      try await queue.enqueue(jobs: 2)
      for (pipeline, time) in [("q", "05:30"), ("r", "04:00")] {
        var plan = Self.plan(time)
        plan.pipeline = pipeline
        for start in ["2026-03-02 20:15+00", "2026-03-01 20:15+00"] {
          _ = try await queue.store.enqueue(plan, release: queue.release, now: start)
        }
      }
      let surveyed = try await queue.store.survey()
      let deadlines = Dictionary(uniqueKeysWithValues: surveyed.map { ($0.pipeline, $0.deadline) })
      // 2026-03-02, 04:30 and 03:00 in UTC.
      #expect(deadlines == ["p": nil, "q": 1_772_425_800, "r": 1_772_420_400])
      let worker = try await queue.worker()
      let claims = try await queue.store.claim(worker: worker, limit: 10)
      #expect(claims.map(\.pipeline) == ["r", "r", "q", "q", "p", "p"])
      // Of runs that have ended there is no deadline.
      try await queue.store.database.execute("update sluice.run set state = 'failed' where pipeline = 'q'")
      try await queue.store.database.execute(
        "insert into sluice.ready select lane_id, 100 + lane_id, 0, 0, now() from sluice.lane")
      #expect(try await queue.store.survey().contains { $0.pipeline == "q" && $0.deadline == nil })
    }
  }

  @Test(
    "open runs have what is left of them and of their loads, the earliest deadline first; a paused pipeline's jobs are not ready"
  )
  func open() async throws {
    try await QueueFixture.with { queue in
      var later = Self.plan("06:00")
      later.pipeline = "q"
      let second = try await queue.store.enqueue(later, release: queue.release, now: "2026-03-01 20:15+00")
      let first = try await queue.store.enqueue(Self.plan("05:30"), release: queue.release, now: "2026-03-01 20:15+00")
      let free = try await queue.enqueue(jobs: 3)
      func places(_ run: JobStore.OpenRunRecord) -> [JobStore.OpenJobRecord.Place] { run.jobs.map(\.place) }
      let due = try await queue.store.openRuns(now: "2026-03-02 03:30+00")
      #expect(due.map(\.root) == [first.runID.rawValue, second.runID.rawValue])
      #expect(due.map(\.deadline) == ["2026-03-02 04:30:00+00", "2026-03-02 05:00:00+00"])
      #expect(due.map { ($0.deadlineSeconds ?? 0) - $0.nowSeconds } == [3600, 5400])
      #expect(due.map(places) == [[.ready, .blocked], [.ready, .blocked]])
      #expect(due.first?.runs == [first.runID.rawValue, first.loads[0].rawValue])
      #expect(try await queue.store.openRuns(limit: 1).map(\.root) == [first.runID.rawValue])
      #expect(try await queue.store.openRuns(limit: 2).count == 2, "loads do not count")
      let passed = try await queue.store.openRuns(limit: 1, now: "2026-03-02 04:45+00")
      #expect(passed.map(\.root) == [second.runID.rawValue], "what can still be in time comes first")
      // A load's number means its batch.
      let named = try await queue.store.openRuns([free.runID.rawValue, first.loads[0].rawValue, 999])
      #expect(named.map(\.root) == [first.runID.rawValue, free.runID.rawValue])
      #expect(named.map(\.pending) == [2, 3])

      let claim = try #require(try await queue.claimOne(try await queue.worker()))
      #expect(claim.runID == first.runID)
      #expect(try await queue.store.openRuns(limit: 1).map(places) == [[.running, .blocked]])
      #expect(try await queue.complete(claim.holder))
      #expect(try await queue.store.openRuns(limit: 1).map(places) == [[.ready]])
      #expect(try await queue.store.openRuns(limit: 1).map(\.root) == [first.runID.rawValue])
      _ = try await queue.store.pause("p")
      #expect(try await queue.store.openRuns(limit: 1).map(places) == [[.blocked]])
    }
  }

  @Test("a time is hours and minutes", arguments: ["24:00", "5", "05:60", "05:30:00", "", "-1:00", "a:b"])
  func noTime(text: String) { #expect(DeadlineRule(loadedBy: text, timeZone: "UTC") == nil) }
}
