import Glibc
import JobModel
import JobStore
import JobWorker
import Logging
import Postgres

/// The queue as the benchmarks use it: the only file that calls the store and builds workers.
struct QueueUnderTest: Sendable {
  /// Of every job that a benchmark enqueues.
  static let kind = "bench"
  static let stage = "bench"
  /// Jobs at once in one worker of a drain: enough for claims of the longest kind to follow each other.
  static let drainSlots = 400
  /// Jobs of one call of ``enqueue(_:pipeline:)``.
  static let longestBatch = 1_000

  let database: BenchDatabase
  private let store: JobStore
  private let release: Int64

  init(_ database: BenchDatabase) async throws {
    self.database = database
    store = JobStore(database: database.pool)
    release = try await store.registerRelease(contentHash: "bench", files: [], label: "bench", engine: "bench")
  }

  /// Enqueues jobs in one transaction.
  func enqueue(_ payloads: [String], pipeline: String = "bench") async throws {
    let jobs = payloads.map { RunPlan.Job(kind: Self.kind, stage: Self.stage, label: "bench", payload: $0) }
    _ = try await store.enqueue(RunPlan(pipeline: pipeline, jobs: jobs, loads: []), release: release)
  }

  /// Enqueues so many jobs, in batches, spread over so many pipelines.
  func fill(_ count: Int, pipelines: Int = 1) async throws {
    let batch = max(1, min(Self.longestBatch, count / pipelines))
    var sent = 0
    var turn = 0
    while sent < count {
      let size = min(batch, count - sent)
      try await enqueue(Array(repeating: "{}", count: size), pipeline: "bench_\(turn % pipelines)")
      sent += size
      turn += 1
    }
  }

  /// Runs workers of this process while `body` runs; each has connections of its own. They drain when it returns.
  func withWorkers<T: Sendable>(
    _ count: Int, slots: Int = drainSlots, handler: any JobHandler, _ body: () async throws -> T
  ) async throws -> T {
    let pools = (0..<count).map { _ in PostgresPool(database.settings, maximum: 8) }
    let workers = pools.map { pool in
      Self.worker(slots: slots, timing: LeaseTiming(), database: database.settings, pool: pool, handler: handler)
    }
    let result = try await withThrowingTaskGroup(of: Void.self) { group in
      for worker in workers { group.addTask { try await worker.run() } }
      do {
        let result = try await body()
        for worker in workers { worker.drain() }
        try await group.waitForAll()
        return result
      } catch {
        for worker in workers { worker.drain() }
        group.cancelAll()
        throw error
      }
    }
    for pool in pools { await pool.close() }
    return result
  }

  static func worker(
    slots: Int, timing: LeaseTiming, database: PostgresSettings, pool: PostgresPool, handler: any JobHandler
  ) -> Worker {
    Worker(
      settings: WorkerSettings(
        slots: slots, timing: timing, host: "bench", pid: getpid(), engine: "bench", stopGrace: .seconds(1)),
      database: database, store: JobStore(database: pool), handlers: [kind: handler], logger: silent)
  }

  func maintenance(_ timing: LeaseTiming) -> QueueMaintenance {
    QueueMaintenance(store: store, database: database.settings, timing: timing, logger: Self.silent)
  }

  /// A worker that claims when it is told to, and does nothing else.
  func registerClaimer() async throws -> Int64 {
    let birth = JobStore.WorkerBirth(release: 0, host: "bench", pid: getpid(), engine: "bench", slots: 1)
    // Longer than any measurement, because nothing beats for it.
    return try await database.pool.withConnection { connection in
      try await store.registerWorker(birth, lease: .seconds(86_400), on: connection)
    }
  }

  /// - Returns: How many jobs it got.
  func claim(worker: Int64, limit: Int) async throws -> Int {
    try await store.claim(worker: worker, limit: limit).count
  }

  private static let silent = Logger(label: "bench", factory: { _ in SwiftLogNoOpLogHandler() })
}
