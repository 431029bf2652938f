import JobModel
import JobStore
import Postgres
import TestSupport
import Testing

@Suite("A retry beside the completion of what its job waits for")
struct RetryRaceTests {
  @Test("leaves the job ready, not blocked for ever")
  func race() async throws {
    try await TestDatabase.withDatabase { database in
      let store = JobStore(database: database.pool)
      let release = try await store.registerRelease(contentHash: "h", files: [], label: nil, engine: "test")
      let jobs = [[], [0]].map {
        RunPlan.Job(kind: "test", stage: "ingest", label: "j", payload: "{}", after: $0, maximumAttempts: 3)
      }
      let run = try await store.enqueue(RunPlan(pipeline: "p", jobs: jobs, loads: []), release: release).runID
      let worker = try await store.registerWorker(
        JobStore.WorkerBirth(release: 0, host: "h", pid: 1, engine: "test", slots: 1), lease: .seconds(3600),
        keepsSession: false, on: database.pool)
      let upstream = try #require(try await store.claim(worker: worker, limit: 1).first)
      let dependent = try #require(try await store.cancel(run: run).ended.first)

      // The upstream job is done before it hears of the cancellation; its commit is on its way when someone retries.
      let retry = try await database.pool.transaction { transaction in
        _ = try await store.complete([upstream.holder], runs: [run], in: transaction)
        let retry = Task { try await store.retry(job: dependent) }
        try await eventually("the retry waits for the completion") {
          try await database.pool.query(
            "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'", []
          ).count == 1
        }
        return retry
      }
      #expect(try await retry.value)
      #expect(try await store.jobs(job: dependent).first?.state == .ready)
    }
  }

  @Test("leaves a load ready as well, whose batch is another run")
  func load() async throws {
    try await TestDatabase.withDatabase { database in
      let store = JobStore(database: database.pool)
      let release = try await store.registerRelease(contentHash: "h", files: [], label: nil, engine: "test")
      let job = RunPlan.Job(kind: "test", stage: "ingest", label: "j", payload: "{}")
      let load = RunPlan.Job(kind: "test", stage: "load", label: "t", payload: "{}", after: [0])
      let run = try await store.enqueue(RunPlan(pipeline: "p", jobs: [job], loads: [load]), release: release)
      let child = try #require(run.loads.first)
      let worker = try await store.registerWorker(
        JobStore.WorkerBirth(release: 0, host: "h", pid: 1, engine: "test", slots: 1), lease: .seconds(3600),
        keepsSession: false, on: database.pool)
      let upstream = try #require(try await store.claim(worker: worker, limit: 1).first)
      let dependent = try #require(try await store.cancel(run: child).ended.first)
      let retry = try await database.pool.transaction { transaction in
        _ = try await store.complete([upstream.holder], runs: [run.runID], in: transaction)
        let retry = Task { try await store.retry(run: child) }
        try await eventually("the retry waits for the completion") {
          try await database.pool.query(
            "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'", []
          ).count == 1
        }
        return retry
      }
      #expect(try await retry.value == 1)
      #expect(try await store.jobs(job: dependent).first?.state == .ready)
    }
  }
}
