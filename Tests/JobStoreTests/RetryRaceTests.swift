import JobModel
import JobStore
import Postgres
import TestSupport
import Testing

@Suite("A retry beside the completion of what its job waits for")
struct RetryRaceTests {
  @Test("leaves the job ready, not blocked for ever")
  func sameRun() async throws {
    try await QueueFixture.with { queue in
      let run = try await queue.enqueue(jobs: 2, after: [1: [0]]).runID
      try await queue.retry(besideTheCompletionOfItsUpstreamIn: run, cancelling: run) { dependent in
        try await queue.store.retry(job: dependent) ? 1 : 0
      }
    }
  }

  @Test("leaves a load ready as well, whose batch is another run")
  func load() async throws {
    try await QueueFixture.with { queue in
      let job = RunPlan.Job(kind: "test", stage: "ingest", label: "j", payload: "{}")
      let load = RunPlan.Job(kind: "test", stage: "load", label: "t", payload: "{}", after: [0])
      let run = try await queue.store.enqueue(
        RunPlan(pipeline: "p", jobs: [job], loads: [load]), release: queue.release)
      let child = try #require(run.loads.first)
      try await queue.retry(besideTheCompletionOfItsUpstreamIn: run.runID, cancelling: child) { _ in
        try await queue.store.retry(run: child)
      }
    }
  }
}

extension QueueFixture {
  /// The upstream job is done before it hears of a cancellation; its commit is on its way when someone retries what that
  /// has cancelled.
  fileprivate func retry(
    besideTheCompletionOfItsUpstreamIn run: RunID, cancelling cancelled: RunID,
    _ retry: @escaping @Sendable (JobID) async throws -> Int
  ) async throws {
    let worker = try await worker()
    let upstream = try #require(try await claimOne(worker))
    let dependent = try #require(try await store.cancel(run: cancelled).ended.first)
    let retrying = try await store.database.transaction { transaction in
      _ = try await store.complete([upstream.holder], runs: [run], in: transaction)
      let retrying = Task { try await retry(dependent) }
      try await someoneWaits()
      return retrying
    }
    #expect(try await retrying.value == 1)
    #expect(try await state(dependent) == .ready)
  }
}
