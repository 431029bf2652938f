import JobModel
import JobStore
import Postgres
import TestSupport
import Testing

@Suite("A job that is split")
struct SplitTests {
  private static let format = CheckpointFormat("part", 1)

  private func parts(_ count: Int) -> [JobPart] {
    (1...count).map { JobPart(state: #"{"part": \#($0)}"#, label: "j0 \($0 + 1)/\(count + 1)") }
  }

  private func pending(_ run: RunID, _ queue: QueueFixture) async throws -> Int64 {
    try await queue.session.query("select pending from sluice.run where run_id = $1", [.int(run.rawValue)])
      .only.int("pending")
  }

  @Test(
    "has its work done by all of its parts: each begins from its checkpoint, and what waits for the job waits for them")
  func whole() async throws {
    try await QueueFixture.with { queue in
      let run = try await queue.enqueue(jobs: 3, after: [1: [0], 2: [0]]).runID
      let worker = try await queue.worker()
      let first = try #require(try await queue.claimOne(worker))
      try await queue.attempt(first).split(format: Self.format, state: #"{"part": 0}"#, into: parts(3))
      #expect(try await pending(run, queue) == 6)
      #expect(try await queue.complete(first.holder))
      let others = try await queue.store.claim(worker: worker, limit: 10)
      #expect(others.map(\.label) == ["j0 2/4", "j0 3/4", "j0 4/4"])
      #expect(others.map(\.mark?.state) == parts(3).map(\.state))
      #expect(
        others.allSatisfy { $0.mark?.format == Self.format && $0.payload == first.payload && $0.kind == first.kind })
      #expect(others.allSatisfy { $0.runID == run && $0.maximumAttempts == first.maximumAttempts && $0.attempt == 1 })
      for other in others {
        #expect(try await queue.claimOne(worker) == nil, "a dependent began early")
        #expect(try await queue.complete(other.holder))
      }
      let dependents = try await queue.store.claim(worker: worker, limit: 10)
      #expect(dependents.map(\.label) == ["j1", "j2"])
      for dependent in dependents { #expect(try await queue.complete(dependent.holder)) }
      #expect(try await queue.store.run(run).first?.state == .succeeded)
    }
  }

  @Test("keeps its lane, also when that has gone to another engine, which must read the parts' checkpoints")
  func lane() async throws {
    try await QueueFixture.with { queue in
      try await queue.enqueue(jobs: 1)
      let first = try #require(try await queue.claimOne(try await queue.worker()))
      try await queue.attempt(first).split(format: Self.format, state: "{}", into: parts(2))
      let seen = try await queue.session.query(
        """
        select count(distinct w.lane_id) as lanes, count(*) as jobs, bool_and(w.was_claimed) as judged
        from sluice.open_work w join sluice.mark m on m.job_id = w.job_id and m.step = '' and m.format = 'part/1'
        """, []
      ).only
      #expect(try seen.int("lanes") == 1 && seen.int("jobs") == 3 && seen.bool("judged"))
    }
  }

  @Test("is not split by who lost its lease, nor once it is to be cancelled: then it ends, and nothing was written")
  func refused() async throws {
    try await QueueFixture.with { queue in
      let run = try await queue.enqueue(jobs: 2, after: [1: [0]]).runID
      let worker = try await queue.worker()
      let zombie = try #require(try await queue.claimOne(worker))
      try await queue.store.endAttempt(zombie.holder, as: .yielded)
      let owner = try #require(try await queue.claimOne(worker))
      await #expect(throws: LeaseLost.self) {
        try await queue.attempt(zombie).split(format: Self.format, state: "{}", into: parts(1))
      }
      _ = try await queue.store.cancel(run: run)
      await #expect(throws: JobYield.self) {
        try await queue.attempt(owner).split(format: Self.format, state: "{}", into: parts(1))
      }
      try await queue.store.endAttempt(owner.holder, as: .yielded)
      #expect(try await queue.store.jobs(run: run).map(\.state) == [.cancelled, .cancelled])
      #expect(try await pending(run, queue) == 2)
      #expect(try await queue.store.run(run).first?.state == .cancelled)
    }
  }

  @Test(
    "and cancelled, or with a dead part: a retry of the run takes up what is not done, and dependents wait for all of it"
  )
  func retried() async throws {
    try await QueueFixture.with { queue in
      let run = try await queue.enqueue(jobs: 2, after: [1: [0]]).runID
      let worker = try await queue.worker()
      let first = try #require(try await queue.claimOne(worker))
      try await queue.attempt(first).split(format: Self.format, state: "{}", into: parts(3))
      let second = try #require(try await queue.claimOne(worker))
      try await queue.store.endAttempt(second.holder, as: .dead(failure: #"{"code":"x"}"#))
      #expect(try await queue.store.run(run).first?.state == .failed)
      #expect(try await queue.complete(first.holder))
      #expect(try await queue.store.cancel(run: run).ended.count == 3)
      #expect(try await queue.store.retry(run: run) == 4)
      let again = try await queue.store.claim(worker: worker, limit: 10)
      #expect(again.map(\.label) == ["j0 2/4", "j0 3/4", "j0 4/4"])
      #expect(again.allSatisfy { $0.mark?.format == Self.format }, "each continues from its checkpoint")
      for claim in again { #expect(try await queue.complete(claim.holder)) }
      #expect(try await queue.claimOne(worker)?.label == "j1")
    }
  }

  @Test("ends with exactly one part that finds none open, however many end at once")
  func last() async throws {
    try await QueueFixture.with { queue in
      try await queue.enqueue(jobs: 2, after: [1: [0]])
      let worker = try await queue.worker()
      let first = try #require(try await queue.claimOne(worker))
      try await queue.attempt(first).split(format: Self.format, state: "{}", into: parts(15))
      let claims = [first] + (try await queue.store.claim(worker: worker, limit: 50))
      #expect(claims.count == 16)
      let found = await withTaskGroup(of: [JobStore.JobParts].self) { group in
        for share in 0..<8 {
          group.addTask {
            var found: [JobStore.JobParts] = []
            for claim in claims[(2 * share)..<(2 * share + 2)] {
              do {
                found.append(
                  try await queue.store.database.transaction { transaction in
                    _ = try await queue.store.complete(
                      [claim.holder], runs: Set([claim.runID].compactMap(\.self)), in: transaction)
                    return try await queue.store.parts(of: claim.jobID, in: transaction)
                  })
              } catch { Issue.record(error) }
            }
            return found
          }
        }
        return await group.reduce(into: []) { $0 += $1 }
      }
      #expect(found.allSatisfy { $0.jobs == 16 })
      #expect(found.count { $0.open == 0 } == 1)
      #expect(try await queue.claimOne(worker)?.label == "j1")
    }
  }
}
