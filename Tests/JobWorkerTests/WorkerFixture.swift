import JobModel
import JobStore
import Logging
import Postgres
import TestSupport

@testable import JobWorker

/// Does with an attempt what a test says.
struct ClosureHandler: JobHandler {
  let body: @Sendable (JobAttempt) async throws -> Void
  func run(_ attempt: JobAttempt) async throws { try await body(attempt) }
}

/// A queue in a test's own database with workers of this process.
struct WorkerFixture: Sendable {
  let database: TestDatabase.Handle
  let store: JobStore
  let timing: LeaseTiming
  let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  static func with<T: Sendable>(
    timing: LeaseTiming = LeaseTiming(), _ body: @Sendable (WorkerFixture) async throws -> T
  ) async throws -> T {
    try await TestDatabase.withDatabase { database in
      try await body(
        WorkerFixture(
          database: database, store: JobStore(database: database.pool, bell: LaneBell()), timing: timing))
    }
  }

  func worker(
    slots: Int, poll: Duration = .milliseconds(200), settings: PostgresSettings? = nil, store: JobStore? = nil,
    memory: WorkerMemory? = nil,
    _ handle: @escaping @Sendable (JobAttempt) async throws -> Void
  ) -> Worker {
    var own = WorkerSettings(
      slots: slots, timing: timing, retry: RetryPolicy(firstDelay: .milliseconds(1)), host: "h", pid: 1,
      engine: "test", poll: poll, stopGrace: .seconds(5))
    own.memory = memory
    return Worker(
      settings: own, database: settings ?? database.settings, store: store ?? self.store,
      handlers: ["test": ClosureHandler(body: handle)],
      logger: logger)
  }

  /// Runs these workers, and maintenance, while the body runs; then drains them.
  func running<T: Sendable>(_ workers: [Worker], _ body: @Sendable () async throws -> T) async throws -> T {
    try await withThrowingTaskGroup(of: Void.self) { group in
      let maintenance = QueueMaintenance(
        store: store, database: database.settings, timing: timing, tick: .milliseconds(20), logger: logger)
      group.addTask { try await maintenance.run() }
      return try await withThrowingTaskGroup(of: Void.self) { crew in
        for worker in workers { crew.addTask { try await worker.run() } }
        let result: T
        do { result = try await body() } catch {
          for worker in workers { worker.drain() }
          crew.cancelAll()
          group.cancelAll()
          throw error
        }
        for worker in workers { worker.drain() }
        try await crew.waitForAll()
        group.cancelAll()
        return result
      }
    }
  }

  /// Attempts by status, and whether a job was done more than once.
  func outcomes() async throws -> [String: Int] {
    let rows = try await database.pool.query(
      "select status, count(*) as attempts from sluice.outcome group by status", [])
    return Dictionary(uniqueKeysWithValues: try rows.map { (try $0.string("status"), Int(try $0.int("attempts"))) })
  }

  func doneTwice() async throws -> Int64 {
    try await database.pool.query(
      "select count(*) as jobs from (select job_id from sluice.outcome where status = 'done' group by 1 having count(*) > 1) x",
      []
    ).only.int("jobs")
  }

  func allDone(_ count: Int) async throws {
    try await eventually(within: .seconds(60), "\(count) jobs are done") { try await outcomes()["done"] == count }
  }
}
