import JobModel
import JobStore
import Postgres
import TestSupport
import Testing

@testable import JobWorker

@Suite("A job that no claim can take")
struct SetAsideTests {
  /// Makes every claim of the jobs with this label fail, whatever the cause would be.
  private static func obstruct(_ label: String, _ queue: WorkerFixture) async throws {
    try await queue.database.pool.execute(
      """
      create function obstruct() returns trigger language plpgsql as $$
      begin
        if exists (select from sluice.job j where j.job_id = new.job_id and j.label = '\(label)') then
          raise exception 'no lease for such a job' using errcode = 'data_exception';
        end if;
        return new;
      end $$;
      create trigger obstruct before insert on sluice.lease for each row execute function obstruct()
      """)
  }

  @Test("is dead with the reason, and keeps no other from running; without the cause it is taken up again")
  func setAside() async throws {
    try await WorkerFixture.with { queue in
      try await Self.obstruct("bad", queue)
      let worker = queue.worker(slots: 20) { try await $0.complete() }
      // One by one: orders of one label would lie together, and of bad ones in a row only the first is told at once.
      var made: [JobID] = []
      for number in 0..<60 {
        let order = NewJob(kind: "test", label: number % 20 == 7 ? "bad" : "good")
        made += try await queue.store.enqueue([order]).map(\.id)
      }
      let jobs = made
      try await queue.running([worker]) {
        try await queue.allDone(57)
        try await eventually("the bad ones are set aside") { try await queue.store.jobs(state: .dead).count == 3 }
        let bad = try #require(try await queue.store.jobs(state: .dead).last)
        #expect(bad.id == jobs[7] && bad.attempt == 0)
        let detail = try #require(try await queue.store.attempts(of: [bad.id]).first?.detail)
        #expect(detail.contains("set_aside") && detail.contains("no lease for such a job"), "\(detail)")
        #expect(detail.contains("sluice jobs retry \(bad.id)"), "\(detail)")

        try await queue.database.pool.execute("drop trigger obstruct on sluice.lease")
        #expect(try await queue.store.retry(job: bad.id))
        try await queue.allDone(58)
      }
      #expect(try await queue.store.attempts(of: [jobs[7]]).map(\.status) == ["dead", "done"])
    }
  }

  @Test("is not made of jobs where every claim fails for another reason")
  func otherReason() async throws {
    try await WorkerFixture.with { queue in
      try await queue.database.pool.execute(
        """
        create function obstruct() returns trigger language plpgsql as $$
        begin raise exception 'no claims now' using errcode = 'data_exception'; end $$;
        create trigger obstruct before insert on sluice.lease for each statement execute function obstruct()
        """)
      let job = try await queue.store.enqueue([NewJob(kind: "test")])[0].id
      let session = try await queue.store.queueSession(queue.database.settings)
      let birth = JobStore.WorkerBirth(release: 0, host: "h", pid: 1, engine: "test", slots: 1)
      let worker = try await queue.store.registerWorker(birth, lease: .seconds(3600), on: session)
      let request = ClaimRequest(lanes: [(try await queue.store.survey()[0], 0)], each: .one)
      await #expect(throws: PostgresError.self) {
        var rule = SetAsideRule()
        _ = try await queue.store.claimSingly(
          request, worker: worker, release: 0, rule: &rule, at: .now, on: session)
      }
      #expect(try await queue.store.jobs(job: job).first?.state == .ready)
      await session.close()
    }
  }

  @Test(
    "is one at most where each claim of any job fails, and none where a trigger's own error or a damaged page says so",
    arguments: [("22000", 1), ("P0001", 0), ("XX001", 0), ("38000", 0)])
  func everyJob(sqlState: String, most: Int) async throws {
    try await WorkerFixture.with { queue in
      try await queue.database.pool.execute(
        """
        create function obstruct() returns trigger language plpgsql as $$
        begin raise exception 'no claims now' using errcode = '\(sqlState)'; end $$;
        create trigger obstruct before insert on sluice.lease for each row execute function obstruct()
        """)
      try await queue.store.enqueue((0..<30).map { _ in NewJob(kind: "test") })
      let session = try await queue.store.queueSession(queue.database.settings)
      let birth = JobStore.WorkerBirth(release: 0, host: "h", pid: 1, engine: "test", slots: 10)
      let worker = try await queue.store.registerWorker(birth, lease: .seconds(3600), on: session)
      let request = ClaimRequest(lanes: [(try await queue.store.survey()[0], 0)], each: .ten)
      var rule = SetAsideRule()
      for _ in 0..<5 {
        let found = try? await queue.store.claimSingly(
          request, worker: worker, release: 0, rule: &rule, at: .now, on: session)
        #expect(found?.claims.isEmpty ?? true)
      }
      #expect(try await queue.store.jobs(state: .dead).count == most)
      try await queue.database.pool.execute("drop trigger obstruct on sluice.lease")
      let found = try await queue.store.claimSingly(
        request, worker: worker, release: 0, rule: &rule, at: .now, on: session)
      #expect(found.claims.count == 10)
      await session.close()
    }
  }

  @Test("are ten in a minute at most, and none after another that failed with the same words")
  func rule() {
    let error = { PostgresError(.statement, operation: "claim", message: $0, sqlState: "22003") }
    let start = ContinuousClock.now
    var rule = SetAsideRule()
    rule.setAside(JobID(1), error("a"), at: start)
    #expect(!rule.allows(JobID(2), error("a"), at: start) && rule.allows(JobID(2), error("b"), at: start))
    rule.claimed()
    #expect(rule.allows(JobID(2), error("a"), at: start))
    for job in Int64(2)...10 { rule.setAside(JobID(job), error("\(job)"), at: start) }
    #expect(!rule.allows(JobID(11), error("c"), at: start))
    #expect(rule.allows(JobID(11), error("c"), at: start + .seconds(60)))
    #expect(!rule.allows(JobID(11), error("10"), at: start + .seconds(59)))
    #expect(rule.allows(JobID(11), error("10"), at: start + .seconds(60)))
  }
}
