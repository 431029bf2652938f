import JobModel
import JobStore
import Testing

@Suite("Whether a job of a run lives")
struct LivingJobTests {
  @Test("is true wherever it waits or runs, and false once it or its run has ended")
  func places() async throws {
    try await QueueFixture.with { queue in
      let worker = try await queue.worker()
      let run = try await queue.enqueue(jobs: 2, after: [1: [0]]).runID
      func lives(_ label: String, kind: String = "test", runs: Set<RunID>? = nil) async throws -> Bool {
        try await queue.store.hasLivingJob(ofRuns: runs ?? [run, RunID(run.rawValue + 1)], kind: kind, label: label)
      }
      #expect(try await lives("j0"), "it is ready")
      #expect(try await lives("j1"), "it is blocked")
      #expect(try await !lives("j2"))
      #expect(try await !lives("j0", kind: "other"))
      #expect(try await !lives("j0", runs: [RunID(run.rawValue + 1)]))
      #expect(try await !lives("j0", runs: []))

      let first = try #require(try await queue.claimOne(worker))
      #expect(try await lives("j0"), "it is leased")
      try await queue.store.endAttempt(first.holder, as: .snoozed(.seconds(60)))
      #expect(try await lives("j0"), "it is put off")
      _ = try await queue.store.promoteDue(on: queue.session, now: "2100-01-01T00:00:00Z")
      #expect(try await queue.complete(try #require(try await queue.claimOne(worker)).holder))
      #expect(try await !lives("j0"), "it is done")
      #expect(try await lives("j1"))

      let second = try #require(try await queue.claimOne(worker))
      try await queue.store.endAttempt(second.holder, as: .dead(failure: "{}"))
      #expect(try await !lives("j1"), "it is dead")
      _ = try await queue.store.retry(run: run)
      #expect(try await lives("j1"))
      _ = try await queue.store.cancel(run: run)
      #expect(try await !lives("j1"), "it is cancelled")
    }
  }
}
