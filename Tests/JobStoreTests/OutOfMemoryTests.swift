import JobModel
import JobStore
import Postgres
import TestSupport
import Testing

@Suite("Attempts that ran out of memory")
struct OutOfMemoryTests {
  private static let shortage = JobStore.AttemptEnd.outOfMemory(after: .zero, failure: "{\"code\": \"memory_limit\"}")

  private static func due(_ queue: QueueFixture) async throws {
    _ = try await queue.store.promoteDue(on: queue.session, now: "2100-01-01T00:00:00Z")
  }

  @Test("are charged and counted, and the next one is alone; a charged end for another reason takes nothing back")
  func counted() async throws {
    try await QueueFixture.with { queue in
      let worker = try await queue.worker()
      try await queue.enqueue(jobs: 1, attempts: 9)
      let first = try #require(try await queue.claimOne(worker))
      #expect(first.memoryKills == 0 && !first.isAlone)
      #expect(try await queue.store.endAttempt(first.holder, as: Self.shortage))
      try await Self.due(queue)
      let lanes = try await queue.store.survey()
      #expect(lanes.map(\.hasWork) == [false], "no claim of many jobs takes it")
      #expect(lanes.map(\.suspect) == [first.jobID])
      let second = try #require(try await queue.claimOne(worker))
      #expect(second.isAlone && second.memoryKills == 1 && second.attempt == 2)
      let other = JobStore.AttemptEnd.retried(after: .zero, failure: "{\"code\": \"x\"}")
      try await queue.store.endAttempt(second.holder, as: other)
      try await Self.due(queue)
      let third = try #require(try await queue.claimOne(worker))
      #expect(third.isAlone && third.memoryKills == 1 && third.attempt == 3)
      try await queue.store.endAttempt(third.holder, as: .yielded)
      let fourth = try #require(try await queue.claimOne(worker))
      #expect(fourth.isAlone && fourth.memoryKills == 1)
      // Its time limit passed.
      try await queue.store.database.query("update sluice.lease set deadline_at = now() - interval '1 s'")
      _ = try await queue.store.reapLeases(on: queue.session)
      let fifth = try #require(try await queue.claimOne(worker))
      #expect(fifth.isAlone && fifth.memoryKills == 1)
      try await queue.store.endAttempt(fifth.holder, as: Self.shortage)
      try await Self.due(queue)
      let sixth = try #require(try await queue.claimOne(worker))
      #expect(sixth.memoryKills == 2)

      // Taken up by hand it has all of its tries again.
      try await queue.store.endAttempt(sixth.holder, as: .dead(failure: "{\"code\": \"memory_limit\"}"))
      #expect(try await queue.store.retry(job: sixth.jobID))
      #expect(try await queue.claimOne(worker)?.memoryKills == 0)
    }
  }
}
