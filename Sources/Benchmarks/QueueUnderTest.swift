import Glibc
import JobModel
import JobStore
import JobWorker
import Logging
import Postgres
import Synchronization

/// The queue as the benchmarks use it: the only file that calls the store and builds workers.
struct QueueUnderTest: Sendable {
  /// Of every job that a benchmark enqueues; of jobs without a run it is the stage of their lanes as well.
  static let kind = "bench"
  /// Jobs at once in one worker of a drain: enough for claims of the longest kind to follow each other.
  static let drainSlots = 800
  /// Jobs of one call of ``enqueue(_:pipeline:)``.
  static let longestBatch = 1_000

  let database: BenchDatabase
  /// Of whoever enqueues.
  private let store: JobStore

  init(_ database: BenchDatabase) {
    self.database = database
    store = JobStore(database: database.pool, bell: LaneBell())
  }

  /// Enqueues jobs in one transaction.
  func enqueue(_ payloads: [String], pipeline: String = "bench") async throws {
    try await store.enqueue(payloads.map { NewJob(kind: Self.kind, payload: $0, pipeline: pipeline) })
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

  /// How workers hear of new jobs.
  enum Waking {
    /// As from another process: by a notification of the server.
    case byNotification
    /// From the same process.
    case directly
  }

  /// Runs workers of this process while `body` runs; each has connections of its own. They drain when it returns.
  func withWorkers<T: Sendable>(
    _ count: Int, slots: Int = drainSlots, waking: Waking = .byNotification, handler: any JobHandler,
    _ body: () async throws -> T
  ) async throws -> T {
    let pools = (0..<count).map { _ in PostgresPool(database.settings, maximum: 8) }
    let bell = waking == .directly ? store.bell : nil
    let workers = pools.map { pool in
      Self.worker(
        slots: slots, timing: LeaseTiming(), database: database.settings, store: JobStore(database: pool, bell: bell),
        handler: handler)
    }
    let result = try await withNotifier(waking) {
      try await withThrowingTaskGroup(of: Void.self) { group in
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
    }
    for pool in pools { await pool.close() }
    return result
  }

  private func withNotifier<T: Sendable>(_ waking: Waking, _ body: () async throws -> T) async throws -> T {
    guard waking == .byNotification, let bell = store.bell else { return try await body() }
    let notifier = LaneNotifier(bell, store: store, database: database.settings, logger: Self.silent)
    return try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await notifier.run() }
      defer { group.cancelAll() }
      return try await body()
    }
  }

  static func worker(
    slots: Int, timing: LeaseTiming, database: PostgresSettings, store: JobStore, handler: any JobHandler
  ) -> Worker {
    Worker(
      settings: WorkerSettings(
        slots: slots, timing: timing, host: "bench", pid: getpid(), engine: "bench", stopGrace: .seconds(1)),
      database: database, store: store, handlers: [kind: handler], logger: silent)
  }

  func maintenance(_ timing: LeaseTiming) -> QueueMaintenance {
    QueueMaintenance(store: store, database: database.settings, timing: timing, logger: Self.silent)
  }

  private static let silent = Logger(label: "bench", factory: { _ in SwiftLogNoOpLogHandler() })

  /// One who claims when it is told to, and does nothing else, while `body` runs.
  func withClaimer<T: Sendable>(_ body: (Claimer) async throws -> T) async throws -> T {
    let session = try await store.queueSession(database.settings)
    do {
      let birth = JobStore.WorkerBirth(release: 0, host: "bench", pid: getpid(), engine: "bench", slots: 1)
      // Longer than any measurement, because nothing beats for it.
      let worker = try await store.registerWorker(birth, lease: .seconds(86_400), on: session)
      let result = try await body(Claimer(store: store, session: session, worker: worker))
      await session.close()
      return result
    } catch {
      await session.close()
      throw error
    }
  }

  /// A worker's claims, step by step.
  final class Claimer: Sendable {
    private let store: JobStore
    private let session: PostgresConnection
    private let worker: Int64
    private let lane = Mutex<(lane: ReadyLane, from: Int64)?>(nil)

    init(store: JobStore, session: PostgresConnection, worker: Int64) {
      self.store = store
      self.session = session
      self.worker = worker
    }

    /// Looks for the lanes with ready work. Returns how many there are.
    func survey() async throws -> Int {
      let lanes = try await store.survey(stages: [kind], on: session)
      lane.withLock { known in known = lanes.first.map { ($0, $0.lowest) } }
      return lanes.count
    }

    /// Claims from the first lane that the survey found, from where the last claim began on. Returns how many it got.
    func claim(_ batch: ClaimBatch) async throws -> Int {
      guard let from = lane.withLock({ $0 }) else { return 0 }
      let claims = try await store.claim(ClaimRequest(lanes: [from], each: batch), worker: worker, on: session)
      if let lowest = claims.map(\.jobID.rawValue).min() { lane.withLock { $0 = (from.lane, lowest) } }
      return claims.count
    }
  }
}
