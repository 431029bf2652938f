import JobModel
import JobStore
import Postgres
import TestSupport
import Testing

@Suite("What a queue asks for, seen from outside")
struct DemandTests {
  @Test(
    "ready, running and lost jobs of the stages that count, and when the next one is due; paused ones ask for nothing")
  func demand() async throws {
    try await QueueFixture.with { queue in
      let stages = ["ingest", "curate"]
      #expect(try await JobStore.demand(of: stages, on: queue.session) == QueueDemand())
      _ = try await queue.session.query("select sluice.enqueue('invoice.print')", [])
      #expect(try await JobStore.demand(of: stages, on: queue.session) == QueueDemand())
      #expect(try await JobStore.demand(of: nil, on: queue.session).isReady)
      try await queue.enqueue(jobs: 1)
      #expect(try await JobStore.demand(of: stages, on: queue.session) == QueueDemand(isReady: true))
      _ = try await queue.store.pause("p")
      #expect(try await JobStore.demand(of: stages, on: queue.session) == QueueDemand())
      _ = try await queue.store.resume("p")
      let worker = try await queue.worker()
      _ = try #require(try await queue.store.claim(worker: worker, limit: 10).first { $0.pipeline == "p" })
      #expect(try await JobStore.demand(of: stages, on: queue.session) == QueueDemand(isRunning: true))
      _ = try await queue.session.query("update sluice.beat set expires_at = now() - interval '1 s'", [])
      #expect(try await JobStore.demand(of: stages, on: queue.session) == QueueDemand(isRunning: true, isLost: true))
      _ = try await queue.session.query(
        "select sluice.enqueue('curate', pipeline => 'q', run_at => now() + interval '1 hour')", [])
      let due = try #require(try await JobStore.demand(of: stages, on: queue.session).dueSeconds)
      #expect((1...3600).contains(due))
    }
  }
}
