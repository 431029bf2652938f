import JobModel
import JobStore
import Postgres
import TestSupport
import Testing

@testable import JobWorker

@Suite("Retention")
struct QueueRetentionTests {
  private func count(_ table: String, _ queue: WorkerFixture) async throws -> Int64 {
    try await queue.database.pool.query(SQLStatement(text: "select count(*) as rows from sluice.\(table)")).only.int(
      "rows")
  }

  @Test("a day of history goes when its time is over, with its jobs; what stands somewhere stays")
  func expires() async throws {
    try await WorkerFixture.with { queue in
      let store = queue.store
      let session = try await PostgresConnection.connect(queue.database.settings)
      let birth = JobStore.WorkerBirth(release: 0, host: "h", pid: 1, engine: "test", slots: 1)
      let worker = try await store.registerWorker(birth, lease: .seconds(3600), on: session)
      try await store.enqueue((0..<300).map { _ in NewJob(kind: "test") })
      var claims: [Claim] = []
      while claims.count < 300 { claims += try await store.claim(worker: worker, limit: 200) }
      let done = claims.prefix(298).map { FinishedJob($0.holder) }
      #expect(try await store.finish(Array(done), in: session).isEmpty)
      try await store.endAttempt(claims[298].holder, as: .retried(after: .seconds(3600), failure: "{}"))
      try await store.endAttempt(claims[299].holder, as: .dead(failure: "{}"))

      let retention = QueueRetention(store: store, keep: .seconds(7 * 86_400), logger: queue.logger)
      try await retention.run(on: session)
      #expect(try await count("job", queue) == 300)

      let today = try await session.query(
        "select 'outcome_' || to_char(now() at time zone 'UTC', 'YYYYMMDD') as name", []
      ).only.string("name")
      let later = try await session.query("select (now() + interval '9 days')::text as at").only.string("at")
      try await retention.run(on: session, now: later)
      #expect(try await count("outcome", queue) == 0)
      let left = try await store.jobs()
      #expect(left.map(\.state) == [.later], "the dead one's time is over too")
      let isThere = "select to_regclass('sluice.\(today)') is not null as there"
      #expect(try await session.query(SQLStatement(text: isThere)).only.bool("there") == false)
      await session.close()
    }
  }

  @Test("a step that the database refuses keeps neither the other steps nor the session from their work")
  func refusedSteps() async throws {
    try await WorkerFixture.with { queue in
      let session = try await PostgresConnection.connect(queue.database.settings)
      let birth = JobStore.WorkerBirth(release: 0, host: "h", pid: 1, engine: "test", slots: 1)
      _ = try await queue.store.registerWorker(birth, lease: .seconds(3600), on: session)
      try await queue.database.pool.execute(
        """
        update sluice.worker set started_at = now() - interval '90 days';
        delete from sluice.beat;
        create function refuse() returns trigger language plpgsql as $$
        begin raise exception 'not now' using errcode = 'data_exception'; end $$;
        create trigger refuse before delete on sluice.outbox for each statement execute function refuse();
        create trigger refuse before delete on sluice.suspect for each statement execute function refuse();
        create trigger refuse before update on sluice.lane for each statement execute function refuse();
        create trigger refuse before update on sluice.later for each statement execute function refuse()
        """)
      let retention = QueueRetention(store: queue.store, keep: .seconds(7 * 86_400), logger: queue.logger)
      try await retention.recover(on: session)
      try await retention.run(on: session)
      try await retention.runSeldom(on: session)
      #expect(try await count("worker", queue) == 0)
      await session.close()
    }
  }

  @Test("a jump of the clock is seen also where the session ended in between")
  func jumpAcrossSessions() {
    let start = ContinuousClock.now
    var judge = QueueMaintenance.Judge(lease: .seconds(15))
    judge.watchClock(.seconds(1000), at: start)
    judge.connected()
    judge.watchClock(.seconds(1010), at: start + .seconds(10))
    #expect(judge.jumpedAt == nil)
    judge.connected()
    judge.watchClock(.seconds(1_000_000), at: start + .seconds(20))
    #expect(judge.jumpedAt == start + .seconds(20))
    judge.connected()
    #expect(judge.jumpedAt != nil)
  }

  @Test("what a clock that was ahead has dated begins now, and says so; what the caller dated stays")
  func clockSetBack() async throws {
    try await WorkerFixture.with { queue in
      let store = queue.store
      let session = try await PostgresConnection.connect(queue.database.settings)
      let birth = JobStore.WorkerBirth(release: 0, host: "h", pid: 1, engine: "test", slots: 2)
      let worker = try await store.registerWorker(birth, lease: .seconds(15), on: session)
      let jobs = try await store.enqueue([
        NewJob(kind: "test"), NewJob(kind: "test", timeLimit: .seconds(60)),
        NewJob(kind: "test", runAt: "2090-01-01T00:00:00Z"),
      ]).map(\.id)
      // A year ahead.
      let ahead = try await session.query("select (now() + interval '1 year')::text as at").only.string("at")
      try await session.execute(
        "update sluice.beat set beat_at = beat_at + interval '1 year', expires_at = expires_at + interval '1 year'")
      let claims = try await store.claim(worker: worker, limit: 2, now: ahead).sorted { $0.jobID < $1.jobID }
      try await store.endAttempt(claims[0].holder, as: .retried(after: .seconds(30), failure: "{}"), now: ahead)

      let retention = QueueRetention(store: store, keep: .seconds(30 * 86_400), logger: queue.logger)
      try await retention.recover(on: session)
      #expect(try await store.promoteDue(on: session).isEmpty)
      let row = try await session.query(
        """
        select
          (select run_at - now() between interval '25 s' and interval '30 s' from sluice.later where job_id = $1) as retried,
          (select run_at > now() + interval '50 years' from sluice.later where job_id = $2) as dated,
          (select expires_at - now() between interval '10 s' and interval '15 s' from sluice.beat) as beats,
          (select deadline_at - now() between interval '50 s' and interval '60 s' from sluice.lease) as limited,
          (select count(*) from sluice.event where kind = 'clock_set_back') as events
        """, [.int(jobs[0].rawValue), .int(jobs[2].rawValue)]
      ).only
      for column in ["retried", "dated", "beats", "limited"] { #expect(try row.bool(column), "\(column)") }
      #expect(try row.int("events") == 1)
      try await retention.recover(on: session)
      #expect(try await count("event", queue) == 1)
      await session.close()
    }
  }

  @Test(
    "settled messages and workers that ended go with their time; open messages and workers that hold something stay")
  func settledRows() async throws {
    try await WorkerFixture.with { queue in
      let store = queue.store
      let session = try await PostgresConnection.connect(queue.database.settings)
      let birth = JobStore.WorkerBirth(release: 0, host: "h", pid: 1, engine: "test", slots: 1)
      _ = try await store.registerWorker(birth, lease: .seconds(15), on: session)
      let holder = try await store.registerWorker(birth, lease: .seconds(3600), on: session)
      let gone = try await store.registerWorker(birth, lease: .seconds(15), on: session)
      try await store.enqueue([NewJob(kind: "test")])
      #expect(try await store.claim(worker: holder, limit: 1).count == 1)
      for worker in [holder, gone] { try await store.workerLeaves(worker) }
      for _ in 1...3 { try await store.tell("failed", pipeline: "p", run: nil, body: "{}", in: session) }
      let messages = try await store.takeOutbox(limit: 2, patience: .seconds(60)).map(\.id)
      try await store.settleOutbox(messages[0], as: .delivered)
      try await store.settleOutbox(messages[1], as: .givenUp(error: "e"))

      let retention = QueueRetention(store: store, keep: .seconds(7 * 86_400), logger: queue.logger)
      try await retention.run(on: session)
      #expect(try await count("outbox", queue) == 3)
      #expect(try await count("worker", queue) == 3)
      let later = try await session.query("select (now() + interval '9 days')::text as at").only.string("at")
      try await retention.run(on: session, now: later)
      #expect(try await count("outbox", queue) == 1)
      #expect(try await count("worker", queue) == 2)
      await session.close()
    }
  }

  @Test("a lane without jobs is closed and then deleted, and one that is used again stays")
  func lanes() async throws {
    try await WorkerFixture.with { queue in
      let store = queue.store
      let session = try await PostgresConnection.connect(queue.database.settings)
      try await store.enqueue([NewJob(kind: "used"), NewJob(kind: "left")])
      let retention = QueueRetention(store: store, keep: .seconds(7 * 86_400), logger: queue.logger)
      func run(_ days: Int) async throws {
        let now = try await session.query("select (now() + $1 * interval '1 day')::text as at", [.int(Int64(days))])
        try await retention.runSeldom(on: session, now: now.only.string("at"))
      }
      let left = try #require(try await store.jobs().first { $0.kind == "left" })
      _ = try await store.cancel(job: left.id)
      #expect(try await store.expire([left.id], on: session) == 1)
      for days in [0, 6, 8] { try await run(days) }
      #expect(try await count("lane", queue) == 2)
      // It is closed now: a new job makes a lane of its own.
      try await store.enqueue([NewJob(kind: "left")])
      #expect(try await count("lane", queue) == 3)
      try await run(10)
      #expect(try await count("lane", queue) == 2)
      for days in 11...40 { try await run(days) }
      #expect(try await count("lane", queue) == 2)
      #expect(try await store.survey().count == 2)
      await session.close()
    }
  }

  @Test("who holds an old snapshot is named")
  func oldSnapshots() async throws {
    try await WorkerFixture.with { queue in
      let holder = try await PostgresConnection.connect(
        PostgresSettings(queue.database.url, applicationName: "nightly report"))
      try await holder.execute("begin isolation level repeatable read; select 1")
      let named = try await queue.store.oldSnapshots(olderThan: .zero)
      let mine = try #require(named.first { $0.name == "\(holder.backendPID)" })
      #expect(mine.application == "nightly report")
      #expect(mine.holder == "session")
      #expect(try await queue.store.oldSnapshots(olderThan: .seconds(600)).isEmpty)
      await holder.close()
    }
  }
}
