import Glibc
import JobModel
import JobStore
import Postgres
import TestSupport
import Testing

@Suite("Databases that go away")
struct DatabaseFaultTests {
  @Test("a server that is killed and started again revokes nobody and charges nothing")
  func restarted() async throws {
    try await FaultBench.withServer { server, bench in
      let workers = try await bench.start(["one", "two"])
      let jobs = try await bench.enqueue(12, chunks: 20, pause: 150)
      try await bench.areAtWork(workers)
      try await server.end(with: SIGKILL)
      try await server.start()
      try await bench.allEnd()
      #expect(workers.allSatisfy { $0.ending == nil })
      #expect(try await bench.store.workers().count == 2)
      try await bench.expectNothingCharged()
      #expect(!bench.said.contains("revoked"), "\(bench.said)")
      try await bench.expectExactlyOnce(jobs, chunks: 20)
    }
  }

  @Test("a server that stays away for longer than a lease stops the workers, which give back uncharged what they held")
  func longOutage() async throws {
    try await FaultBench.withServer { server, bench in
      let workers = try await bench.start(["one", "two"])
      let jobs = try await bench.enqueue(12, chunks: 12, pause: 150)
      try await bench.areAtWork(workers)
      try await server.end(with: SIGKILL)
      try await eventually("the workers know") {
        workers.allSatisfy { $0.log.contains("the worker cannot say goodbye yet") }
      }
      try await server.start()
      for worker in workers { #expect(try await worker.ended() == 3) }
      _ = try await bench.start(["three"])
      try await bench.allEnd()
      try await bench.expectNothingCharged()
      try await bench.expectExactlyOnce(jobs, chunks: 12)
    }
  }

  @Test("a crash recovery, in which the server's start time stays the same, revokes nobody and charges nothing")
  func crashRecovery() async throws {
    try await FaultBench.withServer { server, bench in
      let workers = try await bench.start(["one", "two"])
      let jobs = try await bench.enqueue(12, chunks: 20, pause: 150)
      try await bench.areAtWork(workers)
      let started = try await bench.rows("select pg_postmaster_start_time()")
      let victim = try await bench.pool.query(
        "select max(pid) as pid from pg_stat_activity where application_name = 'one'"
      ).only.int("pid")
      kill(Int32(victim), SIGKILL)
      try await bench.allEnd()
      #expect(try await bench.rows("select pg_postmaster_start_time()") == started)
      #expect(workers.allSatisfy { $0.ending == nil })
      try await bench.expectNothingCharged()
      #expect(!bench.said.contains("revoked"), "\(bench.said)")
      try await bench.expectExactlyOnce(jobs, chunks: 20)
    }
  }

  @Test("an attempt that crashes the server's process of its own session is charged from the second time on")
  func ownBackend() async throws {
    try await FaultBench.withServer { _, bench in
      let workers = try await bench.start(["one"], lease: 6)
      let others = try await bench.enqueue(2, chunks: 30, pause: 150)
      let jobs = try await bench.enqueue(1, chunks: 1, attempts: 2, more: "\"crashesBackend\":true")
      try await bench.allEnd()
      let attempts = try await bench.store.attempts(of: jobs)
      #expect(attempts.map(\.status) == ["snoozed", "retried", "dead"], "\(attempts)\n\(bench.said)")
      #expect(workers[0].ending == nil)
      // The others heard why their sessions ended.
      #expect(
        try await bench.store.attempts(of: others).allSatisfy { !["retried", "crashed", "dead"].contains($0.status) })
    }
  }

  @Test("the same of one that has come further each time: it ends after its attempts, and the reason says why")
  func ownBackendWithProgress() async throws {
    try await FaultBench.withServer { _, bench in
      _ = try await bench.start(["one"], lease: 6)
      let jobs = try await bench.enqueue(1, chunks: 30, attempts: 2, more: "\"crashesAfterChunk\":true")
      try await bench.allEnd()
      let attempts = try await bench.store.attempts(of: jobs)
      #expect(attempts.map(\.status) == ["snoozed", "retried", "dead"], "\(attempts)\n\(bench.said)")
      #expect(
        try await bench.rows("select distinct detail->>'code' from sluice.outcome where status in ('retried', 'dead')")
          == ["(server_process_crashed)"])
    }
  }

  @Test("restarts of the server charge nothing to a job that comes further between them")
  func restartedAgain() async throws {
    try await FaultBench.withServer { server, bench in
      let workers = try await bench.start(["one"], lease: 6)
      let jobs = try await bench.enqueue(1, chunks: 30, pause: 100, attempts: 1)
      for signal in [SIGKILL, SIGQUIT, SIGKILL] {
        let written = try await bench.written()
        try await eventually("it comes further") { try await bench.written() > written + 2 }
        try await server.end(with: signal)
        try await server.start()
      }
      try await bench.allEnd()
      #expect(workers.allSatisfy { $0.ending == nil })
      try await bench.expectNothingCharged()
      try await bench.expectExactlyOnce(jobs, chunks: 30)
    }
  }

  @Test("every session but the crashed one hears that a process of the server has crashed")
  func crashIsTold() async throws {
    // The server ends by SIGKILL what has not said farewell within five seconds, on a machine that is busy with other suites.
    var heard = false
    for _ in 1...5 where !heard { heard = try await isCrashTold() }
    #expect(heard)
  }

  /// Whether all but the crashed session heard of the crash.
  private func isCrashTold() async throws -> Bool {
    try await OwnServer.with { server in
      let settings = try PostgresSettings(server.url)
      let victim = try await PostgresConnection.connect(settings)
      let busy = try await PostgresConnection.connect(settings)
      let idle = try await PostgresConnection.connect(settings)
      func loss(_ connection: PostgresConnection, _ statement: SQLStatement) async -> PostgresError? {
        do { try await connection.query(statement) } catch { return error as? PostgresError }
        return nil
      }
      async let silent = loss(victim, "select pg_sleep(20)")
      async let told = loss(busy, "select pg_sleep(20)")
      try await eventually("both are at work") {
        try await idle.query("select count(*) as n from pg_stat_activity where query = 'select pg_sleep(20)'").only.int(
          "n")
          == 2
      }
      kill(victim.backendPID, SIGKILL)
      let (one, two, three) = (await silent, await told, await loss(idle, "select 1"))
      #expect(one?.isSilentLoss == true && one?.tellsOfCrash == false, "\(String(describing: one))")
      #expect(two?.isOutage == true, "\(String(describing: two))")
      for connection in [victim, busy, idle] { await connection.close() }
      return two?.tellsOfCrash == true && three?.tellsOfCrash == true
    }
  }

  @Test("every backend terminated, again and again, revokes nobody and charges nothing")
  func everyBackend() async throws {
    try await FaultBench.with { bench in
      let workers = try await bench.start(["one", "two"])
      let jobs = try await bench.enqueue(12, chunks: 20, pause: 150)
      for round in 1...4 {
        try await eventually("they are at work") { try await bench.written() > 30 * round }
        try await bench.terminate("application_name <> 'fault-test'")
      }
      try await bench.allEnd()
      #expect(workers.allSatisfy { $0.ending == nil })
      try await bench.expectNothingCharged()
      #expect(!bench.said.contains("revoked"), "\(bench.said)")
      try await bench.expectExactlyOnce(jobs, chunks: 20)
    }
  }

  @Test(
    "one backend of a worker terminated charges nothing",
    arguments: [
      // The session that proves the worker's life.
      """
      pid in (select pid from pg_locks where locktype = 'advisory' and classid = 7351904 and objsubid = 2)
        and application_name = 'one'
      """,
      "application_name = 'one' and query like '%sluice.ready%'",
      "application_name = 'one' and query ilike 'listen%'",
    ])
  func oneBackend(which: String) async throws {
    try await FaultBench.with { bench in
      let workers = try await bench.start(["one", "two"])
      let jobs = try await bench.enqueue(40, chunks: 6, pause: 100)
      try await bench.areAtWork(workers)
      try await eventually("there is one to terminate") { try await bench.terminate(which) > 0 }
      try await bench.allEnd()
      #expect(workers.allSatisfy { $0.ending == nil })
      #expect(try await bench.store.workers().count == 2)
      try await bench.expectNothingCharged()
      #expect(!bench.said.contains("revoked"), "\(bench.said)")
      try await bench.expectExactlyOnce(jobs, chunks: 6)
    }
  }

  @Test("jobs start within the poll while the listener has lost its session")
  func listenerLost() async throws {
    try await FaultBench.with { bench in
      _ = try await bench.start(["one"], ["FAULT_POLL_SECONDS": "0.2"])
      try await eventually("it listens") { try await bench.terminate("query ilike 'listen%'") > 0 }
      let moment = try await bench.moment()
      let jobs = try await bench.enqueue(1, chunks: 1)
      try await bench.allEnd()
      let seconds = try await bench.pool.query(
        "select extract(epoch from max(at) - $1::timestamptz)::double precision as seconds from begun", [.text(moment)]
      ).only.double("seconds")
      // It listens again a second after the loss.
      #expect(seconds < 0.9)
      try await bench.expectExactlyOnce(jobs, chunks: 1)
    }
  }
}

extension FaultBench {
  /// Terminates the database's sessions that this condition is true of. Returns how many.
  @discardableResult
  func terminate(_ condition: String) async throws -> Int {
    try await pool.query(
      SQLStatement(
        text: """
          select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()
            and (\(condition))
          """)
    ).count
  }
}
