import JobModel
import JobStore
import Postgres
import TestSupport
import Testing

@Suite("What scaling measures")
struct ScalingMeasureTests {
  private func lanes(_ store: JobStore) async throws -> [String: JobStore.LaneDepth] {
    let depths = try await store.laneDepths()
    return Dictionary(uniqueKeysWithValues: depths.map { ("\($0.lane.pipeline)/\($0.lane.stage)", $0) })
  }

  @Test("lanes with ready jobs are counted exactly, by their kind; paused and empty lanes have none")
  func depths() async throws {
    try await TestDatabase.withDatabase { database in
      let store = JobStore(database: database.pool)
      #expect(try await store.laneDepths().isEmpty)
      for _ in 0..<5 { try await database.pool.query("select sluice.enqueue('mail', pipeline => 'a')", []) }
      for _ in 0..<3 { try await database.pool.query("select sluice.enqueue('fax', pipeline => 'b')", []) }
      try await database.pool.query(
        "select sluice.enqueue('later', pipeline => 'c', run_at => now() + interval '1 h')", [])
      let found = try await lanes(store)
      #expect(found.mapValues(\.ready) == ["a/mail": 5, "b/fax": 3, "c/later": 0])
      #expect(found["a/mail"]?.lane.kind == "mail")
      #expect(found["a/mail"]?.lane.engine == 0)
      #expect(found["a/mail"]?.maxRunning == nil)
      _ = try await store.pause("b")
      #expect(try await lanes(store).mapValues(\.ready) == ["a/mail": 5, "b/fax": 0, "c/later": 0])
    }
  }

  /// A lane whose ready jobs have the numbers that a query gives.
  private func ready(_ numbers: String) async throws -> Int {
    try await TestDatabase.withDatabase { database in
      let store = JobStore(database: database.pool)
      try await database.pool.query("select sluice.enqueue('mail', pipeline => 'a')", [])
      try await database.pool.execute(
        """
        insert into sluice.ready (lane_id, job_id, attempt, epoch, since)
          select (select min(lane_id) from sluice.lane), 10 + n, 0, 0, now() from (\(numbers)) as numbers (n)
        """)
      return try #require(try await lanes(store)["a/mail"]).ready
    }
  }

  @Test(
    "a lane of very many jobs is estimated from samples of their numbers",
    arguments: [
      ("select generate_series(1, 20000)", 19_000...21_000),
      ("select generate_series(1, 140000, 7)", 19_000...21_000),
      ("select generate_series(1, 1000000, 1000) union all select generate_series(1000001, 1050000)", 46_000...56_000),
      // 3,001 jobs, close to each other first and then far apart: wrong by one part of the numbers at most.
      ("select generate_series(1, 2000) union all select generate_series(2001, 1002001, 1000)", 1_900...13_100),
    ])
  func estimated(numbers: String, range: ClosedRange<Int>) async throws {
    let found = try await ready(numbers)
    #expect(range.contains(found), "\(found)")
  }

  @Test("a part of the lanes is those in turn, and those that are named")
  func part() async throws {
    try await TestDatabase.withDatabase { database in
      let store = JobStore(database: database.pool)
      for name in ["a", "b", "c", "d", "e"] {
        try await database.pool.query("select sluice.enqueue('mail', pipeline => $1)", [.text(name)])
      }
      let all = try await store.laneDepths().map(\.lane.lane)
      #expect(all.count == 5)
      func look(_ part: JobStore.LanePart) async throws -> [String] {
        try await store.laneDepths(part).map { "\($0.lane.pipeline) \($0.ready) \($0.isInTurn)" }
      }
      #expect(try await look(JobStore.LanePart(above: all[1], limit: 2)) == ["c 1 true", "d 1 true"])
      #expect(
        try await look(JobStore.LanePart(changed: [all[0], all[3]], above: all[2], limit: 1))
          == ["a 1 false", "d 1 true"])
      #expect(try await look(JobStore.LanePart(changed: [all[4], 999], above: all[4], limit: 3)) == ["e 1 false"])
    }
  }

  @Test("of arrivals of two kinds in turns, a sample sees both")
  func alternating() async throws {
    try await QueueFixture.with { queue in
      try await queue.session.execute(
        """
        select sluice.enqueue('a');
        insert into sluice.job (lane_id, kind, label, payload, max_attempts, created_at)
          select (select min(lane_id) from sluice.lane), case n % 2 when 0 then 'a' else 'b' end, 'k', '{}', 3, now()
          from generate_series(1, 4000) as n
        """)
      let newest = try await queue.store.scalingMoment().newestJob
      let found = try await queue.store.arrivals(above: newest - 4000, upTo: newest, probes: 500)
      #expect(found.map(\.lane.kind) == ["a", "b"])
      #expect(found.allSatisfy { (1600...2400).contains($0.jobs) }, "\(found.map(\.jobs))")
    }
  }

  @Test("a pipeline's limit is told with its lanes")
  func limits() async throws {
    try await QueueFixture.with { queue in
      try await queue.enqueue(jobs: 3)
      let worker = try await queue.worker()
      _ = try await queue.claimOne(worker)
      try await queue.store.limit(pipeline: "p", to: 2)
      let lane = try #require(try await queue.store.laneDepths().first)
      #expect(lane.ready == 2)
      #expect(lane.maxRunning == 2)
    }
  }

  @Test("arrivals are those after a number, by lane and kind; of very many only some are looked at")
  func arrivals() async throws {
    try await TestDatabase.withDatabase { database in
      let store = JobStore(database: database.pool)
      func newest() async throws -> Int64 { try await store.scalingMoment().newestJob }
      let before = try await newest()
      #expect(before == 0)
      for _ in 0..<4 { try await database.pool.query("select sluice.enqueue('mail', pipeline => 'a')", []) }
      let middle = try await newest()
      for _ in 0..<6 { try await database.pool.query("select sluice.enqueue('fax', pipeline => 'b')", []) }
      let after = try await newest()
      #expect(try await store.arrivals(above: after, upTo: after).isEmpty)
      let late = try await store.arrivals(above: middle, upTo: after)
      #expect(late.map { "\($0.lane.pipeline) \($0.lane.kind) \($0.jobs)" } == ["b fax 6"])
      let all = try await store.arrivals(above: before, upTo: after)
      #expect(all.map { "\($0.lane.kind) \($0.jobs)" } == ["mail 4", "fax 6"])
      for _ in 0..<400 { try await database.pool.query("select sluice.enqueue('fax', pipeline => 'b')", []) }
      let many = try await store.arrivals(above: after, upTo: try await newest(), probes: 20)
      #expect(many.map(\.jobs) == [400])
    }
  }

  @Test("a running attempt is told with its worker, its progress, what it waits for and its last checkpoint")
  func running() async throws {
    try await QueueFixture.with { queue in
      try await queue.enqueue(jobs: 1)
      let worker = try await queue.worker()
      let claim = try #require(try await queue.claimOne(worker))
      let bare = try #require(try await queue.store.runningAttempts().first)
      #expect(bare.job == claim.jobID.rawValue)
      #expect(bare.epoch == claim.epoch)
      #expect(bare.worker == worker)
      #expect((bare.kind, bare.stage, bare.pipeline) == ("test", "ingest", "p"))
      #expect(bare.progress == nil && bare.waiting == nil && bare.memory == nil && bare.checkpointSeconds == nil)
      #expect((0..<60).contains(bare.seconds))
      try await queue.store.writeProgress([
        (claim.holder, #"{"bytes":50,"units":0,"total_bytes":200,"waiting":"source","peak_memory":1000}"#)
      ])
      let shown = try #require(try await queue.store.runningAttempts().first)
      #expect(shown.progress == 0.25)
      #expect(shown.waiting == "source")
      #expect(shown.memory == 1000)
      try await queue.store.writeProgress([(claim.holder, #"{"bytes":50,"units":9,"total_units":6}"#)])
      #expect(try await queue.store.runningAttempts().first?.progress == 1)
      #expect(try await queue.complete(claim.holder))
      #expect(try await queue.store.runningAttempts().isEmpty)
    }
  }

  @Test("attempts that ended are told with their kind, release and memory, after a time and up to a number")
  func finished() async throws {
    try await QueueFixture.with { queue in
      try await queue.enqueue(jobs: 3)
      let worker = try await queue.worker()
      for _ in 0..<3 {
        let claim = try #require(try await queue.claimOne(worker))
        #expect(try await queue.complete(claim.holder))
      }
      try await queue.store.database.execute(
        """
        update sluice.outcome set finished_at = now() - interval '10 s', started_at = now() - interval '14 s',
          detail = '{"peak_memory": 5000000}'
        """)
      let moment = try await queue.store.scalingMoment()
      let all = try await queue.store.finishedAttempts(after: nil, until: moment.settled, limit: 10)
      #expect(all.count == 3)
      #expect(all.allSatisfy { $0.kind == "test" && $0.status == "done" && $0.release == 0 && $0.memory == 5e6 })
      #expect(all.allSatisfy { abs($0.seconds - 4) < 0.1 })
      #expect(try await queue.store.finishedAttempts(after: nil, until: moment.settled, limit: 2).count == 2)
      #expect(try await queue.store.finishedAttempts(after: moment.settled, until: moment.at, limit: 10).isEmpty)
    }
  }

  @Test("the moment has the database's clock, its connections and a time until when history is complete")
  func moment() async throws {
    try await TestDatabase.withDatabase { database in
      let moment = try await JobStore(database: database.pool).scalingMoment()
      #expect(moment.seconds > 1.6e9)
      #expect(moment.connections > 3)
      #expect(moment.settled < moment.at)
    }
  }

  @Test("every day of the history from today on is indexed by time, also one that is made later")
  func days() async throws {
    try await TestDatabase.withDatabase { database in
      try await database.pool.query("select sluice.outcome_day(((now() at time zone 'UTC')::date + 9)::date)", [])
      let rows = try await database.pool.query(
        """
        select c.relname::text as partition, exists (
          select from pg_indexes x where x.schemaname = 'sluice' and x.tablename = c.relname
            and x.indexdef like '%brin%(finished_at)%') as is_indexed
        from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'sluice.outcome'::regclass
          and c.relname <> 'outcome_' || to_char(now() at time zone 'UTC' - interval '1 day', 'YYYYMMDD')
        """, [])
      #expect(rows.count >= 4)
      #expect(try rows.allSatisfy { try $0.bool("is_indexed") })
    }
  }
}
