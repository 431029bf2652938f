import JobModel
import JobStore
import Postgres
import TestSupport
import Testing

@Suite("Permits")
struct PermitTests {
  /// Jobs of the pipeline `p`, claimed one by one.
  private func claims(_ count: Int, _ queue: QueueFixture, _ worker: Int64) async throws -> [Claim] {
    var claims: [Claim] = []
    for _ in 0..<count { claims.append(try #require(try await queue.claimOne(worker))) }
    return claims
  }

  private func take(_ key: String, slots: Int = 1, _ claim: Claim, _ queue: QueueFixture) async throws -> PermitAnswer {
    try await queue.store.takePermits([PermitNeed(key, slots: slots)], for: claim.holder)
  }

  private func permits(_ queue: QueueFixture) async throws -> [String] {
    try await queue.session.query(
      "select key || ' ' || slot || ' ' || job_id as permit from sluice.permit order by key, slot", []
    ).map { try $0.string("permit") }
  }

  @Test("a permit is one holder's until its lease ends; the next waits uncharged, and is ready as soon as it is free")
  func oneSlot() async throws {
    try await QueueFixture.with { queue in
      try await queue.enqueue(jobs: 2)
      let worker = try await queue.worker()
      let both = try await claims(2, queue, worker)
      let (first, second) = (both[0], both[1])
      #expect(try await take("k", first, queue) == .given(["k"]))
      #expect(try await take("k", first, queue) == .given(["k"]), "it has it already")
      #expect(try await take("k", second, queue) == .waits(for: "k"))
      #expect(try await queue.state(second.jobID) == .later)
      await #expect(throws: LeaseLost.self) { try await take("k", second, queue) }
      #expect(try await queue.store.passOn(["k"]).isEmpty, "nothing is free")
      #expect(try await queue.store.promoteDue(on: queue.session).isEmpty, "its time is not what it waits for")

      try await queue.store.endAttempt(first.holder, as: .snoozed(.seconds(3600)))
      #expect(try await queue.store.passOn(["k"]).values.map { $0 } == [second.jobID])
      let again = try #require(try await queue.claimOne(worker))
      #expect(again.jobID == second.jobID && again.attempt == 1)
      #expect(try await take("k", again, queue) == .given(["k"]))
      #expect(try await permits(queue) == ["k 1 \(second.jobID)"])
    }
  }

  @Test("a permit of a run is of all its jobs: another run waits for the last of them, and they for it")
  func ofRun() async throws {
    try await QueueFixture.with { queue in
      let need: Set = [PermitNeed("k", isOfRun: true)]
      let first = try await queue.enqueue(jobs: 4).runID
      let second = try await queue.enqueue(jobs: 1).runID
      let worker = try await queue.worker()
      let all = try await claims(5, queue, worker)
      #expect(all.map(\.runID) == [first, first, first, first, second])
      for claim in all.prefix(3) {
        #expect(try await queue.store.takePermits(need, for: claim.holder) == .given(["k"]))
      }
      #expect(try await queue.store.takePermits(need, for: all[0].holder) == .given(["k"]), "it has it already")
      #expect(try await permits(queue) == (0..<3).map { "k \($0 + 1) \(all[$0].jobID)" })
      #expect(try await queue.store.takePermits(need, for: all[4].holder) == .waits(for: "k"))
      for claim in all.prefix(2) { try await queue.store.endAttempt(claim.holder, as: .snoozed(.seconds(3600))) }
      #expect(try await queue.store.passOn(["k"]).isEmpty, "one of the run has it still")
      try await queue.store.endAttempt(all[2].holder, as: .snoozed(.seconds(3600)))
      #expect(try await queue.store.passOn(["k"]).values.map { $0 } == [all[4].jobID])
      #expect(try await queue.store.takePermits(need, for: all[3].holder) == .waits(for: "k"), "kept for the other run")
      let other = try #require(try await queue.claimOne(worker))
      #expect(try await queue.store.takePermits(need, for: other.holder) == .given(["k"]))
      #expect(try await queue.complete(other.holder))
      #expect(try await queue.store.passOn(["k"]).values.map { $0 } == [all[3].jobID])
    }
  }

  @Test("several slots are given to the oldest, and no more than there are")
  func slots() async throws {
    try await QueueFixture.with { queue in
      try await queue.enqueue(jobs: 6)
      let all = try await claims(6, queue, try await queue.worker())
      var answers: [PermitAnswer] = []
      for claim in all { answers.append(try await take("k", slots: 3, claim, queue)) }
      #expect(answers == Array(repeating: .given(["k"]), count: 3) + Array(repeating: .waits(for: "k"), count: 3))
      for claim in all.prefix(2) { try await queue.store.endAttempt(claim.holder, as: .snoozed(.seconds(3600))) }
      #expect(try await queue.store.passOn(["k"]).values.map { $0 } == [all[3].jobID])
      #expect(try await queue.state(all[4].jobID) == .ready)
      #expect(try await queue.state(all[5].jobID) == .later)
      #expect(try await queue.store.passOn(["k"]).isEmpty, "the free slots are kept for those that are ready")
    }
  }

  @Test("a slot is kept for whom it was passed on to, and given to another when he does not come")
  func reservation() async throws {
    try await QueueFixture.with { queue in
      try await queue.enqueue(jobs: 3)
      let all = try await claims(3, queue, try await queue.worker())
      _ = try await take("k", all[0], queue)
      _ = try await take("k", all[1], queue)
      try await queue.store.endAttempt(all[0].holder, as: .snoozed(.seconds(3600)))
      #expect(try await queue.store.passOn(["k"]).count == 1)
      let jumped = try await queue.store.takePermits([PermitNeed("k")], for: all[2].holder)
      #expect(jumped == .waits(for: "k"), "he may not overtake")
      let later = try await queue.session.query("select (now() + interval '3 seconds')::text as t", []).only.string("t")
      #expect(try await queue.store.passOn(["k"], now: later).values.map { $0 } == [all[2].jobID])
    }
  }

  @Test("a job has all the permits that it needs or none")
  func severalKeys() async throws {
    try await QueueFixture.with { queue in
      try await queue.enqueue(jobs: 3)
      let worker = try await queue.worker()
      let all = try await claims(3, queue, worker)
      _ = try await take("b", all[0], queue)
      let both: Set = [PermitNeed("a"), PermitNeed("b")]
      #expect(try await queue.store.takePermits(both, for: all[1].holder) == .waits(for: "b"))
      #expect(try await take("a", all[2], queue) == .given(["a"]), "nobody sits on it")
      try await queue.store.endAttempt(all[0].holder, as: .snoozed(.seconds(3600)))
      #expect(try await queue.store.passOn(["b"]).count == 1)
      let again = try #require(try await queue.claimOne(worker))
      #expect(try await queue.store.takePermits(both, for: again.holder) == .waits(for: "a"))
      try await queue.store.endAttempt(all[2].holder, as: .snoozed(.seconds(3600)))
      #expect(try await queue.store.passOn(["a"]).count == 1)
      let third = try #require(try await queue.claimOne(worker))
      #expect(try await queue.store.takePermits(both, for: third.holder) == .given(["a", "b"]))
    }
  }

  @Test("what a crashed worker held is free as soon as its lease is taken back, and the maintenance passes it on")
  func crash() async throws {
    try await QueueFixture.with { queue in
      try await queue.enqueue(jobs: 2)
      let (dead, worker) = (try await queue.worker(), try await queue.worker())
      let held = try #require(try await queue.claimOne(dead))
      _ = try await take("k", held, queue)
      let waiting = try #require(try await queue.claimOne(worker))
      #expect(try await take("k", waiting, queue) == .waits(for: "k"))
      try await queue.store.workerLeaves(dead)
      let lanes = try await queue.session.transaction { transaction in
        #expect(try await queue.store.passOnAll(in: transaction).isEmpty, "the lease is still there")
        _ = try await queue.store.reapLeases(on: transaction)
        return try await queue.store.passOnAll(in: transaction)
      }
      #expect(lanes.values.map { $0 } == [waiting.jobID])
    }
  }

  @Test("a limit that is lowered lets those who have permits end, and gives none until they are fewer")
  func lowered() async throws {
    try await QueueFixture.with { queue in
      try await queue.enqueue(jobs: 5)
      let all = try await claims(5, queue, try await queue.worker())
      for claim in all.prefix(3) { #expect(try await take("k", slots: 3, claim, queue) == .given(["k"])) }
      #expect(try await take("k", slots: 1, all[3], queue) == .waits(for: "k"))
      try await queue.store.endAttempt(all[0].holder, as: .snoozed(.seconds(3600)))
      #expect(try await queue.store.passOn(["k"]).isEmpty)
      try await queue.store.endAttempt(all[1].holder, as: .snoozed(.seconds(3600)))
      #expect(try await queue.store.passOn(["k"]).isEmpty)
      try await queue.store.endAttempt(all[2].holder, as: .snoozed(.seconds(3600)))
      #expect(try await queue.store.passOn(["k"]).count == 1)
    }
  }

  @Test("jobs of a pipeline with a limit are claimed with their permit, and those beyond it are never seen")
  func pipeline() async throws {
    try await QueueFixture.with { queue in
      let jobs = (0..<20).map { RunPlan.Job(kind: "test", stage: "ingest", label: "j\($0)", payload: "{}") }
      let plan = RunPlan(pipeline: "p", concurrency: 4, jobs: jobs, loads: [])
      _ = try await queue.store.enqueue(plan, release: queue.release)
      let workers = [try await queue.worker(), try await queue.worker()]
      let first = try await queue.store.claim(worker: workers[0], limit: 10)
      #expect(first.count == 4)
      #expect(first.allSatisfy { $0.permits == ["pipeline/p"] })
      #expect(try await queue.store.claim(worker: workers[1], limit: 10).isEmpty)
      let queues = try await queue.store.permitQueues()
      #expect(queues.map { "\($0.pipeline) \($0.key) \($0.taken)/\($0.slots) \($0.jobs)" } == ["p pipeline/p 4/4 16"])

      #expect(try await queue.complete(first[2].holder))
      #expect(try await queue.store.passOn(first[2].permits).count == 1)
      let next = try await queue.store.claim(worker: workers[1], limit: 10)
      #expect(next.map(\.jobID.rawValue) == [first[3].jobID.rawValue + 1], "the oldest")
      #expect(next[0].attempt == 1, "waiting is not charged")

      // A lane that is made later, by whomever, has the limit as well; and one whose limit goes has none.
      try await queue.session.execute("select sluice.enqueue('other', pipeline => 'p')")
      #expect(try await queue.store.survey().first { $0.stage == "other" }?.isLimited == true)
      try await queue.store.limit(pipeline: "p", to: nil)
      _ = try await queue.store.promoteDue(on: queue.session)
      #expect(try await queue.store.claim(worker: workers[0], limit: 50).count == 16)
    }
  }

  @Test("a job that is cancelled while it asks keeps its lease until it ends")
  func cancelled() async throws {
    try await QueueFixture.with { queue in
      let run = try await queue.enqueue(jobs: 2)
      let both = try await claims(2, queue, try await queue.worker())
      _ = try await take("k", both[0], queue)
      _ = try await queue.store.cancel(run: run.runID)
      #expect(try await take("k", both[1], queue) == .ending)
      try await queue.store.endAttempt(both[1].holder, as: .snoozed(.zero))
      #expect(try await queue.state(both[1].jobID) == .cancelled)
    }
  }

  @Test("a waiting job can be cancelled")
  func cancelledWhileWaiting() async throws {
    try await QueueFixture.with { queue in
      let run = try await queue.enqueue(jobs: 2)
      let both = try await claims(2, queue, try await queue.worker())
      _ = try await take("k", both[0], queue)
      _ = try await take("k", both[1], queue)
      #expect(try await queue.store.cancel(run: run.runID).ended == [both[1].jobID])
      #expect(try await queue.store.permitQueues().isEmpty)
    }
  }

  @Test("requests of a host are an interval apart whoever asks, from now on, and not far into the future")
  func rate() async throws {
    try await QueueFixture.with { queue in
      func wait(_ count: Int, at second: Int) async throws -> Duration {
        try await queue.store.reserveRequests(
          count, of: "h", every: .milliseconds(500), now: "2026-01-01T00:00:\(second < 10 ? "0" : "")\(second)Z")
      }
      #expect(try await wait(1, at: 10) == .zero)
      #expect(try await wait(4, at: 10) == .milliseconds(500))
      #expect(try await wait(1, at: 10) == .milliseconds(2500))
      #expect(try await wait(1, at: 11) == .milliseconds(2000))
      #expect(try await wait(1, at: 30) == .zero, "what was not used is gone")
      // The clock is set back by far.
      let back = try await queue.store.reserveRequests(
        1, of: "h", every: .milliseconds(500), now: "2025-01-01T00:00:00Z")
      #expect(back == .seconds(560))
    }
  }
}
