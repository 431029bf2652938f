import JobModel
import JobStore
import Logging
import Postgres
import TestSupport
import Testing

@testable import JobWorker

@Suite("Beats under load")
struct BeatTests {
  @Test("a beat is accepted while every other commit waits")
  func slowCommit() async throws {
    try await OwnServer.with { server in
      try await server.migrate()
      let settings = try PostgresSettings(server.url)
      let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
      let pool = PostgresPool(settings, maximum: 2)
      let session = try await WorkerSession.open(
        WorkerSettings(slots: 1, host: "h", pid: 1, engine: "test"), database: settings,
        store: JobStore(database: pool), logger: logger)
      // From now on a commit waits for a standby that does not exist.
      try await pool.execute("create table waits (n integer)")
      try await pool.execute("alter system set synchronous_standby_names = 'none'")
      try await pool.execute("select pg_reload_conf()")
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          let other = try await PostgresConnection.connect(settings)
          try await other.query("insert into waits values (1)", [])
          await other.close()
        }
        try await eventually("a commit waits") {
          try await !pool.query("select from pg_stat_activity where wait_event = 'SyncRep'", []).isEmpty
        }
        let before = ContinuousClock.now
        let (sentAt, answer) = try await session.beat(draining: false)
        #expect(answer == .accepted(isAskedToDrain: false))
        #expect(sentAt >= before)
        #expect(try await !pool.query("select from pg_stat_activity where wait_event = 'SyncRep'", []).isEmpty)
        try await pool.execute("alter system reset synchronous_standby_names")
        try await pool.execute("select pg_reload_conf()")
        try await group.waitForAll()
      }
      await session.leave(logger: logger)
      await pool.close()
    }
  }

  @Test("a statement after a beat that waits for a lock does not keep the next beats from being sent")
  func heldLock() async throws {
    let timing = LeaseTiming(beat: .milliseconds(500), lease: .seconds(3))
    try await WorkerFixture.with(timing: timing) { queue in
      let (began, mayEnd) = (WakeUp(), WakeUp())
      let worker = queue.worker(slots: 1) { attempt in
        began.set()
        await mayEnd.wait()
        try await attempt.complete()
      }
      try await queue.store.enqueue([NewJob(kind: "test", maximumAttempts: 1)])
      try await queue.running([worker]) {
        await began.wait()
        // Read by a worker after each beat.
        let other = try await PostgresConnection.connect(queue.database.settings)
        try await other.execute("begin; lock table sluice.migration in access exclusive mode")
        try await eventually("the lease is renewed for longer than a lease") {
          try await !other.query("select from sluice.beat where beat_at > now() + interval '3.2 s'", []).isEmpty
        }
        try await other.execute("rollback")
        await other.close()
        mayEnd.set()
        try await queue.allDone(1)
      }
      #expect(try await queue.outcomes() == ["done": 1])
    }
  }

  @Test("an operator's request to drain comes with the answer to a beat")
  func askedToDrain() async throws {
    try await WorkerFixture.with { queue in
      let session = try await WorkerSession.open(
        WorkerSettings(slots: 1, host: "h", pid: 1, engine: "test"), database: queue.database.settings,
        store: queue.store, logger: queue.logger)
      #expect(try await session.beat(draining: false).answer == .accepted(isAskedToDrain: false))
      #expect(try await queue.store.askToDrain(worker: session.worker).count == 1)
      #expect(try await session.beat(draining: false).answer == .accepted(isAskedToDrain: true))
      try await queue.store.workerLeaves(session.worker)
      #expect(try await session.beat(draining: false).answer == .revoked)
      await session.leave(logger: queue.logger)
    }
  }
}
