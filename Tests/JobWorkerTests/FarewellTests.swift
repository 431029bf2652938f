import Glibc
import JobModel
import JobStore
import Logging
import Postgres
import TestSupport
import Testing

@testable import JobWorker

@Suite("The end of a worker")
struct FarewellTests {
  @Test("comes within seconds where the database is away and nothing is to be given back")
  func emptyHanded() async throws {
    try await OwnServer.with { server in
      let settings = try PostgresSettings(server.url)
      try await server.migrate()
      let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
      let pool = PostgresPool(settings, maximum: 1)
      let session = try await WorkerSession.open(
        WorkerSettings(slots: 1, host: "h", pid: 1, engine: "test"), database: settings,
        store: JobStore(database: pool), logger: logger)
      let running = RunningAttempts(slots: 1)
      _ = try await session.giveBackUnknown(running, suspected: WorkerSession.Unknown())
      try await server.end(with: SIGKILL)
      let began = ContinuousClock.now
      await session.leave(running, logger: logger)
      #expect(began.duration(to: .now) < .seconds(20))
      await pool.close()
      try await server.start()
    }
  }

  @Test("does not wait for a server that hangs, and leaves the rest to the reaper")
  func hungServer() async throws {
    try await WorkerFixture.with { queue in
      // One connection, which is the one that hangs.
      let pool = PostgresPool(queue.database.settings, maximum: 1)
      let store = JobStore(database: pool)
      let session = try await WorkerSession.open(
        WorkerSettings(slots: 1, host: "h", pid: 1, engine: "test"), database: queue.database.settings, store: store,
        logger: queue.logger)
      let backend = try await pool.query("select pg_backend_pid() as pid").only.int("pid")
      kill(Int32(backend), SIGSTOP)
      defer { kill(Int32(backend), SIGCONT) }
      let began = ContinuousClock.now
      await session.leave(logger: queue.logger, limit: .milliseconds(200), patience: .zero)
      #expect(began.duration(to: .now) < .seconds(10))
      kill(Int32(backend), SIGCONT)
      await pool.close()
    }
  }
}
