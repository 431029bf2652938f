import JobModel
import JobStore
import Postgres
import TestSupport
import Testing

@Suite("Reaper")
struct ReaperTests {
  @Test("a worker without a beat gets nothing, and what it held is claimed again with a higher epoch")
  func expiry() async throws {
    try await QueueFixture.with { queue in
      try await queue.enqueue(jobs: 1)
      let dead = try await queue.worker()
      let claim = try #require(try await queue.claimOne(dead))
      #expect(try await queue.store.expireBeats(on: queue.session).isEmpty)
      let later = "2100-01-01T00:00:00Z"
      #expect(try await queue.store.expireBeats(on: queue.session, now: later) == [dead])
      #expect(try await queue.store.reapLeases(on: queue.session).map(\.job) == [claim.jobID])
      #expect(try await queue.claimOne(dead) == nil)
      #expect(
        try await queue.store.beat(worker: dead, lease: .seconds(15), draining: false, on: queue.session) == .revoked)
      let next = try #require(try await queue.claimOne(try await queue.worker()))
      #expect(next.epoch == claim.epoch + 1)
      #expect(next.attempt == 2)
    }
  }

  @Test("a worker whose session ends is a suspect; a beat on another connection clears it, silence revokes it")
  func sessionLock() async throws {
    try await TestDatabase.withDatabase { database in
      try await QueueFixture.with(database) { queue in
        let own = try await PostgresConnection.connect(database.settings)
        let birth = JobStore.WorkerBirth(release: 0, host: "h", pid: 1, engine: "test", slots: 1)
        let worker = try await queue.store.registerWorker(birth, lease: .seconds(15), on: own)
        #expect(try await queue.store.suspects(on: queue.session).isEmpty)
        await own.close()
        try await eventually("the server notices the end of the session") {
          try await !queue.store.suspects(on: queue.session).isEmpty
        }
        let suspect = try #require(try await queue.store.suspects(on: queue.session).first)
        #expect(
          try await queue.store.beat(worker: worker, lease: .seconds(15), draining: false, on: queue.session).isAccepted
        )
        #expect(try await queue.store.revoke(suspect, on: queue.session) == false)

        let again = try #require(try await queue.store.suspects(on: queue.session).first)
        #expect(try await queue.store.revoke(again, on: queue.session))
        #expect(try await queue.store.workers().isEmpty)
      }
    }
  }

  @Test("the end of a worker of an engine that knows no jobs that run alone is charged to each of its jobs")
  func earlierEngine() async throws {
    try await QueueFixture.with { queue in
      try await queue.enqueue(jobs: 2, attempts: 2)
      var deaths: [Bool] = []
      for attempt in 1...2 {
        // One each: after the first crash each of the two runs alone.
        let workers = [try await queue.worker(), try await queue.worker()]
        for worker in workers { _ = try #require(try await queue.claimOne(worker)) }
        // As a claim leaves it that does not name the column.
        try await queue.session.execute("update sluice.lease set alone = default")
        #expect(try await queue.store.expireBeats(on: queue.session, now: "2100-01-01T00:00:00Z").sorted() == workers)
        let reaped = try await queue.store.reapLeases(on: queue.session)
        deaths += reaped.map(\.isDead)
        #expect(reaped.count == 2, "attempt \(attempt)")
      }
      #expect(deaths == [false, false, true, true])
    }
  }

  @Test("one worker at a time keeps slots free for a job that must run alone, until it says so no more")
  func waiting() async throws {
    try await QueueFixture.with { queue in
      try await queue.enqueue(jobs: 1)
      let (one, two) = (try await queue.worker(), try await queue.worker())
      let job = try #require(try await queue.claimOne(one)).jobID
      func isGranted(_ worker: Int64, at second: Int) async throws -> Bool {
        try await queue.store.survey(
          release: 0, stages: nil, worker: worker, waitingFor: job, on: queue.session,
          now: "2030-01-01T00:00:\(second < 10 ? "0" : "")\(second)Z"
        ).waitingFor == job
      }
      #expect(try await !isGranted(one, at: 10), "it need not run alone")
      try await queue.session.execute(
        "insert into sluice.suspect (job_id, runs_alone, since) values (\(job), true, now())")
      #expect(try await isGranted(one, at: 10))
      #expect(try await !isGranted(two, at: 14))
      #expect(try await isGranted(one, at: 14))
      #expect(try await !isGranted(two, at: 19))
      #expect(try await isGranted(two, at: 20), "it has said nothing for longer than 5 seconds")
      #expect(try await !isGranted(one, at: 20))
      #expect(try await isGranted(one, at: 1), "the clock was set back")
    }
  }

  @Test("a draining worker keeps its jobs and gets no more")
  func draining() async throws {
    try await QueueFixture.with { queue in
      try await queue.enqueue(jobs: 2)
      let worker = try await queue.worker()
      let claim = try #require(try await queue.claimOne(worker))
      #expect(
        try await queue.store.beat(worker: worker, lease: .seconds(15), draining: true, on: queue.session).isAccepted)
      #expect(try await queue.claimOne(worker) == nil)
      #expect(try await queue.complete(claim.holder))
    }
  }
}
