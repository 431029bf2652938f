import Glibc
import JobModel
import JobStore
import Postgres
import TestSupport
import Testing

@Suite("Whether a process of the server has crashed under an attempt")
struct ServerCrashTests {
  @Test(
    "is told by the server itself; a reset of its statistics by hand is no crash, and after a restart it is not known")
  func told() async throws {
    try await OwnServer.with { server in
      try await server.migrate()
      let pool = PostgresPool(try PostgresSettings(server.url), maximum: 2)
      do { try await Self.tell(server, pool) } catch {
        await pool.close()
        throw error
      }
      await pool.close()
    }
  }

  private static func tell(_ server: OwnServer, _ pool: PostgresPool) async throws {
    let store = JobStore(database: pool)
    for _ in 0..<3 { try await pool.query("select sluice.enqueue('k')", []) }
    let worker = try await store.registerWorker(
      JobStore.WorkerBirth(release: 0, host: "h", pid: 1, engine: "test", slots: 3), lease: .seconds(3600),
      keepsSession: false, on: pool)
    func claim() async throws -> LeaseHolder {
      try #require(try await store.claim(worker: worker, limit: 1).first).holder
    }
    func reset(_ kinds: [String]) async throws {
      for kind in kinds { try await pool.query("select pg_stat_reset_shared($1)", [.text(kind)]) }
    }

    let first = try await claim()
    #expect(try await store.hasServerCrashed(during: first) == false)
    try await pool.query("select pg_stat_reset()", [])
    try await reset(["bgwriter"])
    #expect(try await store.hasServerCrashed(during: first) == false)
    try await reset(["archiver", "wal"])
    #expect(try await store.hasServerCrashed(during: first) == nil)
    #expect(try await store.hasServerCrashed(during: LeaseHolder(jobID: first.jobID, epoch: 9)) == nil)

    let second = try await claim()
    #expect(try await store.hasServerCrashed(during: second) == false)
    await #expect(throws: PostgresError.self) {
      try await pool.transaction { transaction in
        let process = try await transaction.query("select pg_backend_pid()::bigint as pid", []).only.int("pid")
        kill(Int32(process), SIGKILL)
        try await transaction.query("select pg_sleep(10)", [])
      }
    }
    try await eventually("the server has recovered and says so") {
      (try? await store.hasServerCrashed(during: second)) == true
    }
    let third = try await claim()
    #expect(try await store.hasServerCrashed(during: third) == false, "the crash was before")
    try await server.crash()
    try await eventually("the server has started again") {
      (try? await store.hasServerCrashed(during: third)) != .some(.some(false))
    }
    #expect(try await store.hasServerCrashed(during: third) == nil)
  }
}
