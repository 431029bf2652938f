import JobModel
import JobStore
import Postgres
import TestSupport
import Testing

@Suite("Decisions about the number of workers")
struct ScalingDecisionTests {
  private let lease = Duration.seconds(10)

  private func withStore(_ body: @Sendable (JobStore) async throws -> Void) async throws {
    try await TestDatabase.withDatabase { try await body(JobStore(database: $0.pool)) }
  }

  private func decision(_ total: Int, history: String = "{}") -> JobStore.NewScalingDecision {
    JobStore.NewScalingDecision(
      total: total, demanded: total + 1, counts: [0: 1, 7: total], stops: [3, 4], drains: [5],
      reasons: ["a \"quoted\" reason", "another, with a comma"], limitedBy: "limited by max", inputs: #"{"a":1}"#,
      history: history)
  }

  @Test("one process decides until its lease ends; each that begins has a higher epoch")
  func lead() async throws {
    try await withStore { store in
      #expect(try await store.scalingHolder() == nil)
      #expect(try await store.leadScaling(as: "a", lease: lease)?.epoch == 1)
      #expect(try await store.leadScaling(as: "a", lease: lease)?.epoch == 1, "it renews")
      #expect(try await store.leadScaling(as: "b", lease: lease) == nil)
      try await store.leaveScaling(as: "b")
      #expect(try await store.leadScaling(as: "b", lease: lease) == nil, "the lease is not its own")
      #expect(try await store.scalingHolder() == "a")
      try await store.leaveScaling(as: "a")
      #expect(try await store.scalingHolder() == nil)
      #expect(try await store.leadScaling(as: "b", lease: lease)?.epoch == 2)
      try await store.database.execute("update sluice.scaling_lead set until = now() - interval '1 s'")
      #expect(try await store.leadScaling(as: "a", lease: lease)?.epoch == 3)
    }
  }

  @Test("a worker is listed with the name that it was launched under, and without one where it has none")
  func launched() async throws {
    try await QueueFixture.with { queue in
      for launch in ["sluice-a.7.k3", nil] {
        let birth = JobStore.WorkerBirth(release: 0, host: "h", pid: 1, engine: "test", slots: 1, launch: launch)
        _ = try await queue.store.registerWorker(birth, lease: .seconds(60), on: queue.session)
      }
      #expect(try await queue.store.workers().map(\.launch) == ["sluice-a.7.k3", nil])
    }
  }

  @Test("a worker that was asked to drain is listed as draining before its next beat")
  func askedToDrain() async throws {
    try await QueueFixture.with { queue in
      let workers = [try await queue.worker(), try await queue.worker()]
      #expect(try await queue.store.workers().map(\.draining) == [false, false])
      _ = try await queue.store.askToDrain(worker: workers[1])
      #expect(try await queue.store.workers().map(\.draining) == [false, true])
    }
  }

  @Test("a launch whose worker has registered is known by its name, also when the worker has ended")
  func ended() async throws {
    try await QueueFixture.with { queue in
      for draw in ["k1", "k2"] {
        let birth = JobStore.WorkerBirth(
          release: 0, host: "h", pid: 1, engine: "test", slots: 1, launch: "sluice-a.7.\(draw)")
        let worker = try await queue.store.registerWorker(birth, lease: .seconds(60), on: queue.session)
        if draw == "k1" { try await queue.store.workerLeaves(worker) }
      }
      _ = try await queue.worker()
      let launches = ["sluice-a.7.k1", "sluice-a.7.k2", "sluice-a.7.k3"]
      #expect(try await queue.store.launched(launches) == ["sluice-a.7.k1", "sluice-a.7.k2"])
      #expect(try await queue.store.launched([]).isEmpty)
    }
  }

  @Test("a lease that a clock dated that was ahead keeps no other process from deciding")
  func clock() async throws {
    try await withStore { store in
      _ = try await store.leadScaling(as: "a", lease: lease)
      try await store.database.execute("update sluice.scaling_lead set until = now() + interval '1 h'")
      #expect(try await store.leadScaling(as: "b", lease: lease)?.epoch == 2)
    }
  }

  @Test("a decision is stored with its epoch, and what it leaves goes to the next process")
  func stored() async throws {
    try await withStore { store in
      #expect(try await store.scalingDecision() == nil)
      let lead = try #require(try await store.leadScaling(as: "a", lease: lease))
      #expect(lead.history == nil)
      #expect(try await store.keep(decision(3, history: #"{"n":1}"#), as: "a", epoch: lead.epoch) != nil)
      let found = try #require(try await store.scalingDecision())
      #expect((found.epoch, found.total, found.demanded) == (1, 3, 4))
      #expect(found.counts == [0: 1, 7: 3])
      #expect((found.stops, found.drains) == ([3, 4], [5]))
      #expect(found.reasons == ["a \"quoted\" reason", "another, with a comma"])
      #expect(found.limitedBy == "limited by max")
      #expect(found.inputs.contains("\"a\""))
      try await store.leaveScaling(as: "a")
      #expect(try await store.leadScaling(as: "b", lease: lease)?.history?.contains("\"n\"") == true)
    }
  }

  @Test("a process whose lease has ended, or that another one has replaced, stores nothing")
  func fenced() async throws {
    try await withStore { store in
      let first = try #require(try await store.leadScaling(as: "a", lease: lease))
      try await store.leaveScaling(as: "a")
      #expect(try await store.keep(decision(1), as: "a", epoch: first.epoch) == nil)
      _ = try await store.leadScaling(as: "b", lease: lease)
      #expect(try await store.keep(decision(1), as: "a", epoch: first.epoch) == nil)
      #expect(try await store.keep(decision(1), as: "b", epoch: first.epoch) == nil, "not its epoch")
      #expect(try await store.scalingDecision() == nil)
    }
  }

  @Test("the decision that held at a time is found, and old ones go, but the last one stays")
  func past() async throws {
    try await withStore { store in
      let lead = try #require(try await store.leadScaling(as: "a", lease: lease))
      for total in 1...3 { _ = try await store.keep(decision(total), as: "a", epoch: lead.epoch) }
      try await store.database.execute(
        "update sluice.scaling_decision set decided_at = timestamptz '2026-01-01T00:00:00Z' + total * interval '1 h'")
      #expect(try await store.scalingDecision(at: "2026-01-01T00:30:00Z") == nil)
      #expect(try await store.scalingDecision(at: "2026-01-01T01:30:00Z")?.total == 1)
      #expect(try await store.scalingDecision(at: "2026-01-01T02:00:00Z")?.total == 2)
      #expect(try await store.scalingDecision()?.total == 3)
      let now = "2026-01-01T02:30:00Z"
      #expect(try await store.expireScaling(after: .seconds(3600), limit: 10, now: now) == 1)
      #expect(try await store.expireScaling(after: .zero, limit: 10, now: "2026-02-01T00:00:00Z") == 1)
      #expect(try await store.scalingDecision()?.total == 3)
    }
  }

  @Test("a number that a person set holds until it expires, is replaced, or is ended")
  func override() async throws {
    try await withStore { store in
      #expect(try await store.scalingOverride() == nil)
      #expect(try await store.endScalingOverride(by: "me") == nil)
      _ = try await store.overrideScaling(workers: 2, for: .seconds(3600), reason: "a test", author: "me")
      let second = try await store.overrideScaling(workers: 5, for: .seconds(7200), reason: "a backfill", author: "you")
      let found = try #require(try await store.scalingOverride())
      #expect(found.id == second.id)
      #expect((found.workers, found.reason, found.author) == (5, "a backfill", "you"))
      #expect((7100...7200).contains(found.secondsLeft))
      #expect(try await store.endScalingOverride(by: "me")?.workers == 5)
      #expect(try await store.scalingOverride() == nil)
      _ = try await store.overrideScaling(workers: 2, for: .seconds(3600), reason: "a test", author: "me")
      try await store.database.execute("update sluice.scaling_override set expires_at = now() - interval '1 s'")
      #expect(try await store.scalingOverride() == nil)
      #expect(try await store.endScalingOverride(by: "me") == nil)
    }
  }

  @Test("predictions are kept next to what came, and go with their time")
  func predictions() async throws {
    try await withStore { store in
      let seconds = JobStore.PredictedAmount(mean: 60.5, deviation: 6, high: 90, actual: 42)
      let bytes = JobStore.PredictedAmount(mean: 5e8, deviation: 1e8, high: 7e8, actual: nil)
      let one = JobStore.SettledPrediction(
        job: 1, kind: "curate", release: 7, basis: "kind", seconds: seconds, bytes: bytes)
      var other = one
      other.bytes.actual = 4e8
      try await store.settle([])
      try await store.settle([one, other])
      let rows = try await store.database.query(
        "select seconds_mean, seconds_actual, bytes_actual from sluice.scaling_prediction order by prediction_id", [])
      #expect(try rows.map { try $0.double("seconds_mean") } == [60.5, 60.5])
      #expect(try rows.map { try $0.double("seconds_actual") } == [42, 42])
      #expect(try rows.map { try $0.isNull("bytes_actual") } == [true, false])
      #expect(try await store.expireScaling(after: .seconds(60), limit: 10) == 0)
      #expect(try await store.expireScaling(after: .seconds(60), limit: 10, now: "2126-01-01T00:00:00Z") == 2)
    }
  }

  @Test("the last predictions of each kind are read as they were stored, the oldest first")
  func lastPredictions() async throws {
    try await withStore { store in
      #expect(try await store.settledPredictions(perKind: 10, maxKinds: 10).isEmpty)
      func settled(_ job: Int64, _ kind: String) -> JobStore.SettledPrediction {
        JobStore.SettledPrediction(
          job: job, kind: kind, release: 7, basis: "kind",
          seconds: JobStore.PredictedAmount(mean: 60.5, deviation: 6, high: 90, actual: 42, width: 1.5),
          bytes: JobStore.PredictedAmount(mean: 5e8, deviation: 1e8, high: 7e8, actual: job % 2 == 0 ? 4e8 : nil),
          standsFor: 3)
      }
      for job in 1...6 { try await store.settle([settled(Int64(job), "load"), settled(Int64(job), "it's; \\ \"k\"")]) }
      try await store.settle([settled(1, "mail")])
      let found = try await store.settledPredictions(perKind: 4, maxKinds: 2)
      #expect(found == (3...6).map { settled($0, "it's; \\ \"k\"") } + (3...6).map { settled($0, "load") })
      #expect(try await store.settledPredictions(perKind: 1, maxKinds: 9).map(\.kind).count == 3)
    }
  }

  @Test("the last decisions are read in their order")
  func recent() async throws {
    try await withStore { store in
      let lead = try #require(try await store.leadScaling(as: "a", lease: lease))
      for total in 1...5 { _ = try await store.keep(decision(total), as: "a", epoch: lead.epoch) }
      #expect(try await store.scalingDecisions(last: 3).map(\.total) == [3, 4, 5])
      #expect(try await store.scalingDecisions(last: 100).count == 5)
    }
  }

  @Test("of each part of a time the decision that asked for most is read")
  func parts() async throws {
    try await withStore { store in
      let lead = try #require(try await store.leadScaling(as: "a", lease: lease))
      for total in [1, 9, 3, 4, 5] { _ = try await store.keep(decision(total), as: "a", epoch: lead.epoch) }
      // One a minute.
      try await store.database.execute(
        "update sluice.scaling_decision set decided_at = timestamptz '2026-01-01T00:00:00Z' + decision_id * interval '1 min'"
      )
      let start = 1_767_225_600.0
      func totals(_ from: Double, _ to: Double, _ parts: Int) async throws -> [Int] {
        try await store.scalingDecisions(within: (start + from * 60)...(start + to * 60), parts: parts).map(\.total)
      }
      #expect(try await totals(0, 10, 100) == [1, 9, 3, 4, 5])
      #expect(try await totals(0, 10, 1) == [9])
      #expect(try await totals(1, 5, 2) == [9, 4], "the end is not part of it")
      #expect(try await totals(6, 7, 5).isEmpty)
    }
  }

  @Test("a deadline is missed by a run that ended later, failed or runs still; a run and its loads are one")
  func missed() async throws {
    try await QueueFixture.with { queue in
      try await queue.session.execute(
        """
        insert into sluice.run (pipeline, kind, parent_id, release_id, state, pending, run_at, created_at, finished_at, deadline_at)
        select 'p', 'batch', null, min(r.release_id), v.state, 0, now(), now(), to_timestamp(v.finished), to_timestamp(v.due)
        from sluice.release r, (values
          ('succeeded', 100, 100), ('succeeded', 101, 100), ('failed', 50, 100), ('cancelled', 500, 100), ('running', null, 100),
          ('succeeded', 900, 250), ('queued', null, null), ('running', null, 1e12)) as v (state, finished, due)
        group by v.state, v.finished, v.due;
        insert into sluice.run (pipeline, kind, parent_id, release_id, state, pending, run_at, created_at, finished_at, deadline_at)
        select 'p', 'load', run_id, release_id, 'succeeded', 0, now(), now(), to_timestamp(200), to_timestamp(100)
        from sluice.run where state in ('succeeded') and finished_at = to_timestamp(101)
        """)
      let found = try await queue.store.missedDeadlines(within: 0...300, parts: 3)
      #expect(found.map(\.at) == [100, 200])
      #expect(found.map(\.runs) == [3, 1])
      #expect(try await queue.store.missedDeadlines(within: 0...100, parts: 3).isEmpty)
    }
  }

  @Test("runs with a deadline that have ended are told with what was said before; open and cancelled ones are not")
  func endedRuns() async throws {
    try await QueueFixture.with { queue in
      try await queue.session.execute(
        """
        create temp table made as
        with runs as (
          insert into sluice.run (pipeline, kind, release_id, state, pending, run_at, created_at, finished_at, deadline_at)
          select v.name, 'batch', (select min(release_id) from sluice.release), v.state, 0, now(), now(), to_timestamp(v.ended), to_timestamp(v.due)
          from (values
            (1, 'in time', 'succeeded', 100, 200), (2, 'late', 'succeeded', 300, 200), (3, 'failed', 'failed', 100, 200),
            (4, 'cancelled', 'cancelled', 100, 200), (5, 'open', 'running', null, 200), (6, 'load', 'succeeded', 100, 200),
            (7, 'no deadline', 'succeeded', 100, null), (8, 'load open', 'succeeded', 100, 200)) as v (n, name, state, ended, due)
          order by v.n
          returning run_id, pipeline, release_id)
        select * from runs;
        insert into sluice.run (pipeline, kind, parent_id, release_id, state, pending, run_at, created_at, finished_at, deadline_at)
        select pipeline, 'load', run_id, release_id, case pipeline when 'load' then 'succeeded' else 'running' end, 0, now(), now(),
          case pipeline when 'load' then to_timestamp(250) end, to_timestamp(200)
        from made where pipeline in ('load', 'load open');
        insert into sluice.finish_forecast (run_id, made_at, early_at, mean_at, late_at)
        select run_id, to_timestamp(10), to_timestamp(60), to_timestamp(90), to_timestamp(140) from made where pipeline in ('late', 'failed', 'load');
        insert into sluice.event (kind, pipeline, run_id, message, at)
        select 'deadline_late', pipeline, run_id, '', to_timestamp(case pipeline when 'late' then 199 else 201 end)
        from made where pipeline in ('late', 'load')
        """)
      func ended(
        _ name: String, actual: Double? = nil, isPredicted: Bool = false, announced: Bool = false, missed: Bool = false
      ) -> JobStore.EndedRun {
        JobStore.EndedRun(
          pipeline: name, early: isPredicted ? 50 : nil, mean: isPredicted ? 80 : nil, late: isPredicted ? 130 : nil,
          actual: actual, announced: announced, missed: missed)
      }
      #expect(
        try await queue.store.endedRuns(last: 10) == [
          ended("load", actual: 240, isPredicted: true, missed: true),
          ended("failed", isPredicted: true, missed: true),
          ended("late", actual: 290, isPredicted: true, announced: true, missed: true), ended("in time"),
        ])
      #expect(try await queue.store.endedRuns(last: 1).map(\.pipeline) == ["load"])
    }
  }

  @Test("worker-hours count from a worker's start or from when they were counted last, whatever process did, by month")
  func hours() async throws {
    try await QueueFixture.with { queue in
      let store = queue.store
      /// Hours that are counted where `seconds` have passed since the last count, and these workers have lived for so long. The rest is what
      /// the statements themselves take.
      func counted(after seconds: Int, lives: [Int64: Int]) async throws -> Double {
        let before = try await store.countWorkerHours(atMost: .seconds(600)).used
        try await store.database.execute(
          "update sluice.scaling_usage set counted_at = now() - \(seconds) * interval '1 s' where counted_at is not null"
        )
        for (worker, seconds) in lives {
          try await store.database.execute(
            "update sluice.worker set started_at = now() - \(seconds) * interval '1 s' where worker_id = \(worker)")
        }
        return try await store.countWorkerHours(atMost: .seconds(600)).used - before
      }
      let (old, young) = (try await queue.worker(), try await queue.worker())
      let first = try await store.countWorkerHours(atMost: .seconds(600))
      #expect(first.used == 0, "what was before the first decision is no cost of scaling")
      #expect((0...31 * 86_400.0).contains(first.renewsInSeconds))
      let lives: [Int64: Int] = [old: 7200, young: 60]
      #expect(
        (159.9...220).contains(try await counted(after: 100, lives: lives) * 3600), "100 s of one, 60 s of the other")
      #expect((1199.9...1200.1).contains(try await counted(after: 7200, lives: [old: 7200, young: 7200]) * 3600))
      try await store.workerLeaves(young)
      #expect((99.9...160).contains(try await counted(after: 100, lives: [old: 7200]) * 3600))
      let month = try await store.countWorkerHours(atMost: .seconds(600)).used
      try await store.database.execute(
        "update sluice.scaling_usage set month = month - interval '1 month', counted_at = now() - interval '36 s'")
      let next = try await store.countWorkerHours(atMost: .seconds(600)).used
      #expect((0.01...0.02).contains(next), "\(month) stays with its month")
    }
  }
}
