import FoundationEssentials
import Postgres
import Subprocess
import TestSupport
import Testing

@testable import sluice

@Suite("Clients of control")
struct ClientLoadTests {
  /// Every connection that clients can use waits for a lock, and more clients wait for a connection. What control does by itself
  /// would wait too, if it used the same connections.
  @Test("that take all the connections they can use keep the scheduler from nothing, and have their answers in the end")
  func starvation() async throws {
    try await TestProject.withProject { project in
      try await TestDatabase.withEmptyDatabase { database in
        let sluice = Installed(project, ["SLUICE_DATABASE_URL": database.url])
        #expect(try await sluice("init").status == 0)
        try project.write(
          "pipelines/p.yaml",
          """
          pipeline: p
          schedule: {cron: "* * * * *", timezone: UTC}
          sources: {s: {files: {at: "file:d"}, streams: {a: {match: "*.csv", records: {format: csv}}}}}
          curate: {d: {from: s.a}}

          """)
        let control = try sluice.start("control", name: "control")
        let blocker = try await PostgresConnection.connect(database.settings)
        do {
          try await eventually("control is up") { project.exists(Installed.controlFile("json")) }
          let file = try #require(ControlFile.read(project.path(".sluice/local")))
          let token = try #require(ControlToken.read(project.path(".sluice/local")))
          try await blocker.execute("insert into sluice.pause (pipeline, since) values ('p', now())")
          try await blocker.execute("begin; lock table sluice.run in share row exclusive mode")
          async let answers = Self.post(60, file.url + "/v1/runs", token)
          // A pause skips the time, which writes no run.
          for _ in 1...2 {
            try await eventually("all connections of the clients wait") { try await Self.waiting(database) >= 4 }
            try await database.pool.execute(
              """
              delete from sluice.schedule_tick;
              update sluice.schedule set considered_at = now() - interval '2 minutes', next_at = now() - interval '1 minute'
              """)
            try await eventually("the scheduler decides a time") {
              try await !database.pool.query("select from sluice.schedule_tick where pipeline = 'p'").isEmpty
            }
          }
          // Of eight, and retention may wait too.
          #expect(try await Self.waiting(database) < 8)
          try await blocker.execute("rollback")
          #expect(try await answers == Array(repeating: "201", count: 60))
        } catch {
          await blocker.close()
          sluice.killAll()
          throw error
        }
        await blocker.close()
        try await Installed.stop(control)
      }
    }
  }

  /// How many sessions wait for the lock.
  private static func waiting(_ database: TestDatabase.Handle) async throws -> Int {
    try await database.pool.query("select from pg_locks where not granted and relation = 'sluice.run'::regclass").count
  }

  /// Starts runs, all at once. Returns the status codes.
  private static func post(_ count: Int, _ url: String, _ token: String) async throws -> [Substring] {
    let arguments = [
      "-s", "-Z", "--parallel-immediate", "--parallel-max", "\(count)", "-o", "/dev/null", "-w", "%{http_code}\\n",
      "-H",
      "Authorization: Bearer \(token)", "--json", "{\"pipeline\":\"cities\"}", "\(url)?[1-\(count)]",
    ]
    return try await run(
      .name("curl"), arguments: Arguments(arguments), output: .string(limit: 1 << 16), error: .discarded
    ).standardOutput.split(separator: "\n")
  }
}
