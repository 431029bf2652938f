import JobModel
import JobStore
import Logging
import Postgres
import TestSupport

/// A queue in a test's own database, with short ways to put jobs in and to look at them.
struct QueueFixture: Sendable {
  let store: JobStore
  let release: Int64
  /// The session of the workers' advisory locks.
  let session: PostgresConnection
  let settings: PostgresSettings

  static func with<T: Sendable>(_ body: @Sendable (QueueFixture) async throws -> T) async throws -> T {
    try await TestDatabase.withDatabase { try await with($0, body) }
  }

  static func with<T: Sendable>(
    _ database: TestDatabase.Handle, _ body: @Sendable (QueueFixture) async throws -> T
  ) async throws -> T {
    let store = JobStore(database: database.pool)
    let session = try await PostgresConnection.connect(database.settings)
    let release = try await store.registerRelease(contentHash: "h", files: [], label: nil, engine: "test")
    let result: T
    do {
      result = try await body(
        QueueFixture(store: store, release: release, session: session, settings: database.settings))
    } catch {
      await session.close()
      throw error
    }
    await session.close()
    return result
  }

  @discardableResult
  func enqueue(jobs: Int, attempts: Int = 3, after: [Int: [Int]] = [:]) async throws -> JobStore.EnqueuedRun {
    let jobs = (0..<jobs).map { index in
      RunPlan.Job(
        kind: "test", stage: "ingest", label: "j\(index)", payload: "{\"n\":\(index)}", after: after[index] ?? [],
        maximumAttempts: attempts)
    }
    return try await store.enqueue(RunPlan(pipeline: "p", jobs: jobs, loads: []), release: release)
  }

  func worker(lease: Duration = .seconds(3600)) async throws -> Int64 {
    try await store.registerWorker(
      JobStore.WorkerBirth(release: 0, host: "h", pid: 1, engine: "test", slots: 1), lease: lease, on: session)
  }

  func claimOne(_ worker: Int64) async throws -> Claim? { try await store.claim(worker: worker, limit: 1).first }

  func complete(_ holder: LeaseHolder) async throws -> Bool {
    try await store.complete([holder], in: session).ended.contains(holder.jobID)
  }

  func state(_ job: JobID) async throws -> JobState? { try await store.jobs(job: job).first?.state }

  func attempt(_ claim: Claim) -> JobAttempt {
    JobAttempt(claim: claim, store: store, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
  }
}
