import FoundationEssentials
import Glibc
import Launchers
import Postgres
import TestSupport
import Testing

@testable import sluice

/// `sluice env` with real processes and databases.
@Suite("Environments")
struct EnvironmentTests {
  static let pipeline = """
    pipeline: shop
    schedule: {cron: "15 3 * * *", timezone: UTC}
    sources: {drops: {files: {at: "file:drops"}, streams: {orders: {match: "*.csv", records: {format: csv}, key: [id]}}}}
    curate: {orders: {from: drops.orders, columns: {id: {type: bigint, required: true}, name: {type: text}}}}
    load: {warehouse: {postgres: {url: "secret:warehouse"}, tables: {mart.orders: {from: orders, mode: merge, key: [id]}}}}
    notify: [{when: [failed], command: [touch, told]}]

    """

  static func write(_ project: TestProject) throws {
    try project.write("pipelines/shop.yaml", pipeline)
    try project.write("drops/1.csv", "id,name\n1,a\n2,b\n3,c\n")
  }

  /// - Parameter write: Gives the project its files.
  static func inProject(
    writing write: @Sendable (TestProject) throws -> Void = { try EnvironmentTests.write($0) },
    _ body: @Sendable (Installed, TestDatabase.Handle) async throws -> Void
  ) async throws {
    try await TestProject.withProject { project in
      try await TestDatabase.withEmptyDatabase { database in
        try write(project)
        let sluice = Installed(project, ["SLUICE_DATABASE_URL": database.url])
        do { try await body(sluice, database) } catch {
          // A failed test leaves no process behind.
          sluice.killAll()
          throw error
        }
      }
    }
  }

  /// The databases next to the control database, without the template.
  static func databases(_ database: TestDatabase.Handle) async throws -> [String] {
    try await database.pool.query(
      """
      select datname as name from pg_database
      where starts_with(datname, current_database() || '-') and datname not like '%-template-%' order by 1
      """, []
    ).map { try $0.string("name") }
  }

  static func own(_ database: TestDatabase.Handle) async throws -> String {
    try await database.pool.query("select current_database() as name", []).first?.string("name") ?? ""
  }

  static func withDatabase<T: Sendable>(
    _ name: String, _ database: TestDatabase.Handle, _ body: @Sendable (PostgresPool) async throws -> T
  ) async throws -> T {
    let pool = PostgresPool(
      try PostgresSettings(try PostgresSettings.conninfo(database.url, database: name)), maximum: 1)
    do {
      let result = try await body(pool)
      await pool.close()
      return result
    } catch {
      await pool.close()
      throw error
    }
  }

  @Test(
    "one is made, runs with nothing else running, stays by itself and is removed without a trace; its name stays refused"
  )
  func whole() async throws {
    try await TestProject.withProject { project in
      try Self.write(project)
      // The project's own server.
      let sluice = Installed(project)
      let up = try await sluice("env", "up", "pr-1", "--scale", "0.5", "--ttl", "8h", "--json")
      #expect(up.status == 0, "\(up.errors)")
      #expect(try up.json("database").text == "sluice-env-pr-1")
      #expect(try up.json("made") == .bool(true))
      #expect(try up.json("slots").int == 1)
      let again = try await sluice("env", "up", "pr-1", "--scale", "0.5", "--json")
      #expect(try again.json("made") == .bool(false), "\(again.errors)")
      let other = try await sluice("env", "up", "pr-1", "--scale", "0.7")
      #expect(other.status == 3 && other.errors.contains("is there already"), "\(other.errors)")

      let run = try await sluice("--env", "pr-1", "run", "shop", "--wait", "--json")
      #expect(run.status == 0, "\(run.errors)")
      #expect(try run.json("stages", "load", "rows").int == 3, "\(run.output)")
      #expect(project.exists(".sluice/storage-pr-1/raw") && !project.exists(".sluice/storage"))
      #expect(!project.exists(".sluice/local"))
      let rows = try await sluice("query", "select count(*) as n from orders", "--env", "pr-1", "--json")
      #expect(rows.output.contains("3"), "\(rows.output)\(rows.errors)")
      let shell = try await sluice("env", "shell", "pr-1")
      #expect(shell.output.contains("export SLUICE_ENV='pr-1'\n"), "\(shell.errors)")
      #expect(shell.output.contains("export PGDATABASE='sluice-env-pr-1'\n"))

      let list = try await sluice("env", "list", "--json")
      let entry = try #require(try list.json("environments").list.first, "\(list.errors)")
      #expect(entry["name"].text == "pr-1" && entry["state"].text == "ready" && entry["model"].text == "local")
      #expect(entry["last_run_at"].text != nil && (entry["storage_bytes"].int ?? 0) > 0)
      #expect((7 * 3600...8 * 3600).contains(entry["seconds_left"].int ?? 0))
      #expect(entry["rows"].int == 3 && entry["last_use_at"].text != nil && entry["worker_hours"] != .null)
      let shown = try await sluice("env", "show", "pr-1", "--json")
      #expect(try (shown.json("files_bytes").int ?? 0) > (shown.json("storage_bytes").int ?? 0), "\(shown.output)")
      #expect(try shown.json("storage_bytes").int == entry["storage_bytes"].int)

      let asked = try await sluice("env", "down", "pr-1")
      #expect(asked.status == 3 && asked.errors.contains("sluice-env-pr-1"), "\(asked.errors)")
      let down = try await sluice("env", "down", "pr-1", "--yes", "--json")
      #expect(down.status == 0, "\(down.errors)")
      #expect(try down.json("left").list == [])
      #expect(try down.json("removed").list.compactMap { $0["kind"].text } == ["database", "storage", "state"])
      #expect(!project.exists(".sluice/storage-pr-1"))
      #expect(try await sluice("env", "list", "--json").json("environments").list == [])
      let gone = try await sluice("run", "shop", "--env", "pr-1", "--json")
      #expect(gone.status == 3)
      #expect(try gone.json("error", "code").text == "environment_gone")
      #expect(try await sluice("env", "down", "pr-1", "--yes").output.contains("nothing is there"))
      #expect(try await sluice("env", "forget", "pr-1").status == 0)
      #expect(!project.exists(".sluice/pr-1"))
    }
  }

  @Test(
    "the environment may be named before the verb",
    arguments: [
      ("--env pr-1 run p --wait", "run p --wait --env pr-1"), ("--env=pr-1 query x", "query x --env=pr-1"),
      ("--env pr-1 run -- p", "run --env pr-1 -- p"), ("run p --env x", "run p --env x"), ("--env x", "--env x"),
      ("--help", "--help"), ("", ""),
    ])
  func placed(given: String, expected: String) {
    let words = { (text: String) in text.split(separator: " ").map(String.init) }
    #expect(Sluice.placed(words(given)) == words(expected))
  }

  @Test("killed at any step, it is made or removed by the same call again, and by the sweep")
  func killed() async throws {
    try await Self.inProject { sluice, database in
      let making = EnvironmentStep.allCases.filter(\.makes)
      let removing = EnvironmentStep.allCases.filter(\.removes)
      for (number, step) in making.enumerated() {
        let killed = try await sluice("env", "up", "pr-1", adding: ["SLUICE_KILL_AT": step.rawValue])
        #expect(killed.status == 128 + Int(SIGKILL), "\(step): \(killed.errors)")
        let refused = try await sluice("run", "shop", "--env", "pr-1", "--json")
        #expect(try refused.json("error", "code").text == "environment_unfinished", "\(step): \(refused.errors)")
        if step == .marked {
          #expect(try await sluice("env", "sweep").output.contains("removed pr-1"))
          #expect(try await Self.databases(database) == [])
        }
        let up = try await sluice("env", "up", "pr-1")
        #expect(up.status == 0, "\(step): \(up.errors)")
        #expect(try await Self.databases(database) == ["\(try await Self.own(database))-env-pr-1"])

        let last = removing[number % removing.count]
        let halfway = try await sluice("env", "down", "pr-1", "--yes", adding: ["SLUICE_KILL_AT": last.rawValue])
        #expect(halfway.status == 128 + Int(SIGKILL), "\(last): \(halfway.errors)")
        let rest =
          number.isMultiple(of: 2)
          ? try await sluice("env", "down", "pr-1", "--yes") : try await sluice("env", "sweep")
        #expect(rest.status == 0, "\(last): \(rest.errors)")
        #expect(try await Self.databases(database) == [])
        #expect(!sluice.project.exists(".sluice/storage-pr-1"))
        let left = try FileManager.default.contentsOfDirectory(atPath: sluice.project.path(".sluice/pr-1"))
        #expect(left == ["environment"], "\(last)")
      }
      #expect(try await sluice("env", "sweep").output.contains("nothing is to be removed"))
    }
  }

  @Test("it reads no secret of the project, loads into its own database and writes nothing into the project's")
  func isolated() async throws {
    try await Self.inProject { sluice, database in
      try sluice.project.write("secrets/warehouse", database.url)
      #expect(try await sluice("env", "up", "pr-1").status == 0)
      let run = try await sluice("run", "shop", "--env", "pr-1", "--wait")
      #expect(run.status == 0, "\(run.errors)")
      let name = "\(try await Self.own(database))-env-pr-1"
      let loaded = try await Self.withDatabase(name, database) { pool in
        try await pool.query("select count(*) as n from mart.orders", []).first?.int("n")
      }
      #expect(loaded == 3)
      let untouched = try await database.pool.query(
        "select count(*) as n from pg_namespace where nspname in ('sluice', 'sluice_ledger', 'mart')", [])
      #expect(try untouched.first?.int("n") == 0)
      // The same source with a secret in its place: a secret of the project is none of the environment's.
      try sluice.project.write("secrets/place", "file:drops")
      try sluice.project.write(
        "pipelines/shop.yaml", Self.pipeline.replacing("\"file:drops\"", with: "\"file:${SLUICE_SECRET_PLACE}\""))
      let denied = try await sluice("run", "shop", "--env", "pr-1", "--wait", adding: ["SLUICE_SECRET_PLACE": "drops"])
      #expect(denied.status == 1 && denied.output.contains("SLUICE_SECRET_PLACE is not known"), "\(denied.output)")
      // The environment of the project does not use the database of another one.
      let wrong = try await sluice(
        "run", "shop", "--json",
        adding: ["SLUICE_DATABASE_URL": try PostgresSettings.conninfo(database.url, database: name)])
      #expect(wrong.status == 3)
      #expect(try wrong.json("error", "code").text == "environment_database")
      let diff = try await sluice("env", "diff", "local", "pr-1", "--json")
      #expect(diff.status == 0, "\(diff.errors)")
      #expect(try diff.json("datasets").list.first?["likeness"].text == "only_second", "\(diff.output)")
      #expect(try diff.json("datasets").list.first?["second"]["rows"].int == 3)
      #expect(try diff.json("pipelines").list.first?["likeness"].text == "same")
      #expect(try await sluice("env", "down", "pr-1", "--yes").status == 0)
    }
  }

  @Test("what is protected, not made by env up, or of another name stays")
  func protected() async throws {
    try await Self.inProject { sluice, database in
      try sluice.project.write("secrets/warehouse", database.url)
      #expect(try await sluice("env", "up", "pr-1", "--ttl", "10m").status == 0)
      #expect(try await sluice("env", "protect", "pr-1").status == 0)
      let refused = try await sluice("env", "down", "pr-1", "--yes", "--json")
      #expect(refused.status == 3)
      #expect(try refused.json("error", "code").text == "protected")
      let own = try await Self.own(database)
      try await Self.expire("\(own)-env-pr-1", database)
      #expect(try await sluice("env", "sweep").output.contains("nothing is to be removed"))
      for name in ["local", "pr0d", "Prod"] {
        #expect(try await sluice("env", "up", name).status == 2, "\(name)")
      }
      let typo = try await sluice("env", "up", "dev", "--like", "stagin", "--json")
      #expect(try typo.status == 2 && typo.json("error", "code").text == "unknown_environment")
      let down = try await sluice("env", "down", "other", "--yes", "--json")
      #expect(try down.status == 3 && down.json("error", "code").text == "not_made_by_env_up")
      // A database and a folder of a name that env up would use.
      try await database.pool.execute("create database \"\(own)-env-taken\"")
      let taken = try await sluice("env", "up", "taken", "--json")
      #expect(try taken.status == 3 && taken.json("error", "code").text == "database_taken", "\(taken.errors)")
      #expect(try await sluice("env", "down", "taken", "--yes").status == 3)
      try sluice.project.write(".sluice/storage-kept/mine", "x")
      let kept = try await sluice("env", "up", "kept", "--json")
      #expect(try kept.status == 3 && kept.json("error", "code").text == "storage_taken", "\(kept.errors)")
      #expect(try await sluice("env", "sweep").status == 0)
      #expect(sluice.project.exists(".sluice/storage-kept/mine"))
      #expect(try await Self.databases(database) == ["\(own)-env-pr-1", "\(own)-env-taken"])
      #expect(try await sluice("env", "protect", "pr-1", "--off").status == 0)
      #expect(try await sluice("env", "down", "pr-1", "--yes").status == 0)
      try await database.pool.execute("drop database \"\(own)-env-taken\"")
    }
  }

  @Test("the sweep removes those whose time is over, extends one in use once, and touches no other database")
  func sweep() async throws {
    try await Self.inProject { sluice, database in
      let own = try await Self.own(database)
      for name in ["old", "used", "new"] { #expect(try await sluice("env", "up", name).status == 0) }
      try await database.pool.execute("create database \"\(own)-env-foreign\"")
      for name in ["old", "used"] { try await Self.expire("\(own)-env-\(name)", database) }
      try await Self.withDatabase("\(own)-env-used", database) { pool in
        _ = try await pool.query("select 1 as one", [])
        let swept = try await sluice("env", "sweep", "--json")
        let actions = try swept.json("swept").list.map { "\($0["name"].text ?? "") \($0["action"].text ?? "")" }
        #expect(actions == ["old removed", "used extended"], "\(swept.errors)")
      }
      #expect(
        try await Self.databases(database) == ["\(own)-env-foreign", "\(own)-env-new", "\(own)-env-used"])
      #expect(!sluice.project.exists(".sluice/storage-old"))
      try await Self.expire("\(own)-env-used", database)
      // The state folder is lost: the mark is enough.
      try FileManager.default.removeItem(atPath: sluice.project.path(".sluice/used"))
      #expect(try await sluice("env", "sweep").output.contains("removed used"))
      #expect(!sluice.project.exists(".sluice/storage-used"))
      // The database is lost: the file is enough.
      try await database.pool.execute("drop database \"\(own)-env-new\"")
      #expect(try await sluice("run", "shop", "--env", "new").status == 3)
      #expect(try await sluice("env", "sweep").output.contains("removed new"))
      #expect(!sluice.project.exists(".sluice/storage-new"))
      #expect(try await Self.databases(database) == ["\(own)-env-foreign"])
      try await database.pool.execute("drop database \"\(own)-env-foreign\"")
    }
  }

  @Test("control and workers of one stop with it, and control of the project sweeps it")
  func services() async throws {
    try await Self.inProject { sluice, database in
      #expect(try await sluice("env", "up", "pr-1").status == 0)
      let up = try await sluice("up", "--detach", "--env", "pr-1", "--json")
      #expect(up.status == 0, "\(up.errors)")
      #expect(try await sluice("status", "--env", "pr-1", "--json").json("schedules").list == [])
      let down = try await sluice("env", "down", "pr-1", "--yes", "--json")
      #expect(down.status == 0, "\(down.errors)")
      #expect(try down.json("removed").list.contains { $0["kind"].text == "process" })
      #expect(try down.json("left").list == [])
      #expect(try await sluice("env", "up", "pr-1").status == 0)
      let name = "\(try await Self.own(database))-env-pr-1"
      try await Self.expire(name, database)
      let control = try await sluice("up", "--detach", "--workers", "0")
      #expect(control.status == 0, "\(control.errors)")
      try await eventually("control sweeps it") { try await Self.databases(database).isEmpty }
      #expect(try await sluice("down").status == 0)
    }
  }

  @Test("a mark alone, named like a plain environment, ends none of its processes and removes none of its state")
  func bareMark() async throws {
    try await Self.inProject { sluice, database in
      let own = try await Self.own(database)
      let up = try await sluice("up", "--detach", "--workers", "0", "--env", "qa")
      #expect(up.status == 0, "\(up.errors)")
      try sluice.project.write(".sluice/qa/mine", "x")
      try sluice.project.write(".sluice/storage-qa/mine", "x")
      for name in ["qa", "local"] {
        try await database.pool.execute("create database \"\(own)-env-\(name)\"")
        try await database.pool.execute(
          """
          comment on database "\(own)-env-\(name)" is '{"by":"","due":{"at":1,"boot":"","uptime":0},"expires":1,"folder":"","isExtended":true,"isProtected":false,\
          "made":0,"model":"local","name":"\(name)","owner":"\(own)","scale":1,"sluice":"environment","state":"ready",\
          "storage":"file:.sluice/storage-qa","token":"0"}'
          """)
      }
      let swept = try await sluice("env", "sweep")
      #expect(swept.status == 0, "\(swept.errors)")
      // The database is what the mark is on. Environments with reserved names are not made.
      #expect(try await Self.databases(database) == ["\(own)-env-local"])
      #expect(sluice.project.exists(".sluice/qa/mine") && sluice.project.exists(".sluice/storage-qa/mine"))
      #expect(!sluice.project.exists(".sluice/qa/environment") && !sluice.project.exists(".sluice/local"))
      #expect(!Installation.processes(sluice.project.path(".sluice/qa")).entries().isEmpty)
      #expect(try await sluice("down", "--env", "qa").status == 0)
      try await database.pool.execute("drop database \"\(own)-env-local\"")
    }
  }

  @Test("one whose mark or database name a person changed is not taken for lost, and a broken one stops no sweep")
  func changed() async throws {
    try await Self.inProject { sluice, database in
      #expect(try await sluice("env", "up", "pr-1").status == 0)
      let name = "\(try await Self.own(database))-env-pr-1"
      let mark = try #require(try await Self.comment(name, database))
      try sluice.project.write(".sluice/broken/environment", "{")
      let stays = { (code: String) in
        let swept = try await sluice("env", "sweep")
        #expect(swept.status == 0 && swept.output.contains("nothing is to be removed"), "\(code): \(swept.errors)")
        let up = try await sluice("env", "up", "pr-1", "--json")
        #expect(try up.status == 3 && up.json("error", "code").text == code, "\(up.errors)")
        #expect(sluice.project.exists(".sluice/storage-pr-1"), "\(code)")
        #expect(sluice.project.exists(".sluice/pr-1/environment"), "\(code)")
        #expect(try await Self.databases(database).count == 1, "\(code)")
      }
      try await Self.comment(on: name, "Anna", database)
      try await stays("database_taken")
      try await Self.comment(on: name, mark, database)
      try await database.pool.execute("alter database \"\(name)\" rename to \"\(name)-2\"")
      try await stays("database_renamed")
      try await database.pool.execute("alter database \"\(name)-2\" rename to \"\(name)\"")
      #expect(try await sluice("env", "forget", "broken").status != 0)
      #expect(try await sluice("env", "forget", "broken", "--lost").status == 0)
      #expect(!sluice.project.exists(".sluice/broken"))
      #expect(try await sluice("env", "down", "pr-1", "--yes").status == 0)
      #expect(try await Self.databases(database) == [])
    }
  }

  /// Lets the time of an environment be over, and with the notice its grace too.
  static func expire(
    _ name: String, at time: Int64 = 1, noticed: String? = #"{"at":1,"boot":"","uptime":0}"#,
    _ database: TestDatabase.Handle
  ) async throws {
    let mark = try #require(try await comment(name, database)).replacing(/"due":{[^}]*},/, with: "")
    let notice = noticed.map { "\"due\":\($0)," } ?? ""
    try await comment(on: name, mark.replacing(/"expires":[0-9]+/, with: "\(notice)\"expires\":\(time)"), database)
  }

  static func comment(_ name: String, _ database: TestDatabase.Handle) async throws -> String? {
    try await database.pool.query(
      "select shobj_description(oid, 'pg_database') as text from pg_database where datname = $1", [.text(name)]
    ).first?.string("text")
  }

  static func comment(on name: String, _ text: String, _ database: TestDatabase.Handle) async throws {
    try await database.pool.execute(
      "comment on database \"\(name)\" is '\(text.replacing("'", with: "''"))'")
  }
}
