import JobModel
import JobStore
import Postgres
import TestSupport
import Testing

@Suite("Pause")
struct PauseTests {
  @Test("the ready jobs of a paused pipeline wait, those that run go on, and others are not touched")
  func waits() async throws {
    try await QueueFixture.with { queue in
      try await queue.enqueue(jobs: 2, after: [1: [0]])
      let worker = try await queue.worker()
      let running = try #require(try await queue.claimOne(worker))
      _ = try await queue.store.pause("p")
      try await queue.enqueue(jobs: 1)
      #expect(try await queue.claimOne(worker) == nil)
      #expect(try await queue.complete(running.holder))
      // The one that it has set free waits too.
      #expect(try await queue.claimOne(worker) == nil)
      let other = RunPlan(
        pipeline: "q", jobs: [RunPlan.Job(kind: "k", stage: "ingest", label: "a", payload: "{}")], loads: [])
      _ = try await queue.store.enqueue(other, release: queue.release)
      #expect(try await queue.claimOne(worker)?.pipeline == "q")
      _ = try await queue.store.resume("p")
      #expect(try await queue.store.claim(worker: worker, limit: 10).count == 2)
    }
  }

  @Test("a lane that is made during a pause is paused, and goes on with the others")
  func newLane() async throws {
    try await QueueFixture.with { queue in
      _ = try await queue.store.pause("p")
      let plan = RunPlan(
        pipeline: "p", urgencyClass: 7, jobs: [RunPlan.Job(kind: "k", stage: "curate", label: "a", payload: "{}")],
        loads: [])
      _ = try await queue.store.enqueue(plan, release: queue.release)
      let worker = try await queue.worker()
      #expect(try await queue.claimOne(worker) == nil)
      _ = try await queue.store.resume("p")
      #expect(try await queue.claimOne(worker) != nil)
    }
  }

  @Test("a lane that another transaction is making is not overlooked by a pause")
  func unseenLane() async throws {
    try await QueueFixture.with { queue in
      let plan = RunPlan(
        pipeline: "p", jobs: [RunPlan.Job(kind: "k", stage: "ingest", label: "a", payload: "{}")], loads: [])
      let pausing = try await queue.store.database.transaction { transaction in
        _ = try await queue.store.enqueue(plan, with: .implicit(queue.release), in: transaction)
        let pausing = Task { try await queue.store.pause("p").wasPaused }
        try await eventually("the pause waits for the lane") {
          try await !queue.session.query(
            """
            select from pg_locks l join pg_database d on d.oid = l.database
            where l.locktype = 'advisory' and not l.granted and d.datname = current_database()
            """, []
          ).isEmpty
        }
        return pausing
      }
      #expect(try await pausing.value == false)
      let worker = try await queue.worker()
      #expect(try await queue.claimOne(worker) == nil)
    }
  }
}
