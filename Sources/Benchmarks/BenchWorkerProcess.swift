import Glibc
import JobModel
import JobStore
import JobWorker
import Postgres

/// The worker that `sluice bench` starts as processes of their own, in order to kill them.
package enum BenchWorkerProcess {
  private static let slots = 2
  /// How soon it notices that whoever started it is gone.
  private static let look = Duration.milliseconds(500)

  /// Works until the benchmark that started it ends.
  package static func run(databaseURL: String, lease: Duration) async throws {
    let parent = getppid()
    let settings = try PostgresSettings(databaseURL, applicationName: "sluice-bench-worker")
    let pool = PostgresPool(settings, maximum: 4)
    let worker = QueueUnderTest.worker(
      slots: slots, timing: LeaseTiming(beat: lease / 3, lease: lease), database: settings,
      store: JobStore(database: pool), handler: HeldJob(pool: pool))
    let clock = ContinuousClock()
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await worker.run() }
      group.addTask {
        while getppid() == parent { try await clock.sleep(for: look) }
        worker.drain()
      }
      try await group.next()
      group.cancelAll()
    }
    await pool.close()
  }
}

/// Says in the sink that it began, and then goes on until the sink says that it may end.
private struct HeldJob: JobHandler {
  private static let look = Duration.milliseconds(20)
  let pool: PostgresPool

  func run(_ attempt: JobAttempt) async throws {
    let job = PostgresValue.int(attempt.jobID.rawValue)
    try await pool.query(Statement.crashStart, [job, .int(attempt.epoch), .int(Int64(getpid()))])
    let clock = ContinuousClock()
    while try await pool.query(Statement.crashFinished, [job]).isEmpty {
      if attempt.shouldYield { throw JobYield() }
      try await clock.sleep(for: Self.look)
    }
    try await attempt.complete()
  }
}
