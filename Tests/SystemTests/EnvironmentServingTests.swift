import FoundationEssentials
import Glibc
import Launchers
import Postgres
import Subprocess
import TestSupport
import Testing

@testable import sluice

/// One control process serves all environments of an installation, with real processes and databases.
@Suite("Serving environments")
struct EnvironmentServingTests {
  /// How many environments at once: `make soak-environments` takes fifty.
  private static let count =
    ProcessInfo.processInfo.environment["SLUICE_SOAK_ENVIRONMENTS"].flatMap(Int.init) ?? 3
  private static let patience = Duration.seconds(count > 3 ? 600 : 90)

  /// The rows of each environment's dataset in its own database; nil: none yet.
  private static func rows(_ name: String, _ database: TestDatabase.Handle) async throws -> Int64? {
    let own = try await EnvironmentTests.own(database)
    return try await EnvironmentTests.withDatabase("\(own)-env-\(name)", database) { pool in
      guard try await pool.query("select to_regclass('mart.orders') is not null as x").only("x") else { return nil }
      return try await pool.query("select count(*) as n from mart.orders").first?.int("n")
    }
  }

  /// Environments that have sessions of others than the test.
  private static func sessions(_ database: TestDatabase.Handle) async throws -> Int64 {
    try await database.pool.query(
      """
      select count(*) as n from pg_stat_activity
      where starts_with(datname, current_database() || '-env-') and application_name <> 'sluice-serving'
      """
    ).first?.int("n") ?? 0
  }

  /// Starts control, and returns when it serves environments.
  private static func serve(_ sluice: Installed, _ database: TestDatabase.Handle) async throws {
    let control = try await sluice("up", "--detach", "--workers", "0")
    #expect(control.status == 0, "\(control.errors)")
    let own = try await EnvironmentTests.own(database)
    try await eventually("control serves environments") {
      try await ServingLocks.isLed(sluice.project.directory, owner: own, on: database.pool)
    }
  }

  /// Starts a run of an environment by the API of control, and returns the answer and its status.
  private static func post(_ name: String, _ sluice: Installed) async throws -> String {
    let file = try #require(ControlFile.read(sluice.project.path(".sluice/local")))
    let token = try #require(ControlToken.read(sluice.project.path(".sluice/local")))
    let arguments = [
      "-s", "-w", " %{http_code}", "-H", "Authorization: Bearer \(token)", "--json",
      "{\"pipeline\":\"shop\",\"environment\":\"\(name)\"}", file.url + "/v1/runs",
    ]
    return try await run(
      .name("curl"), arguments: Arguments(arguments), output: .string(limit: 1 << 16), error: .discarded
    ).standardOutput
  }

  private static func processes(_ sluice: Installed, _ names: [String]) -> [Int32] {
    names.flatMap { Installation.processes(sluice.project.path(".sluice/\($0)")).entries().compactMap(\.pid) }
  }

  @Test(
    "environments are idle, run one batch each at once, and are idle again; one in work is removed with its processes")
  func atOnce() async throws {
    try await EnvironmentTests.inProject { sluice, database in
      let names = (1...Self.count).map { "pr-\($0)" }
      for name in names { #expect(try await sluice("env", "up", name).status == 0) }
      try await Self.serve(sluice, database)
      let alone = Self.processes(sluice, ["local"])
      #expect(alone.count == 1 && Self.processes(sluice, names) == [])
      let posted = try await Self.post(names[1], sluice)
      #expect(posted.contains("\"pipeline\":\"shop\"") && posted.hasSuffix(" 201"), "\(posted)")
      let unknown = try await Self.post("local2", sluice)
      #expect(unknown.contains("unknown_environment") && unknown.hasSuffix(" 404"), "\(unknown)")
      for name in names where name != names[1] {
        let run = try await sluice("run", "shop", "--env", name)
        #expect(run.status == 0 && run.output.contains("queued"), "\(name): \(run.output)\(run.errors)")
      }
      for name in names {
        try await eventually(within: Self.patience, "\(name) has its rows") {
          try await Self.rows(name, database) == 3
        }
      }
      try await eventually(within: Self.patience, "all are idle") {
        let open = try await Self.sessions(database)
        return open == 0 && Self.processes(sluice, names).isEmpty
      }
      #expect(Self.processes(sluice, ["local"]) == alone)
      let list = try await sluice("env", "list", "--json").json("environments").list
      #expect(list.map { $0["active"] } == names.map { _ in .bool(false) })
      // Each has its own runs, rows and files only.
      for name in names {
        #expect(try await sluice("runs", "--env", name, "--json").json("runs").list.count == 2, "a batch, its load")
        #expect(sluice.project.exists(".sluice/storage-\(name)/raw"))
      }
      #expect(!sluice.project.exists(".sluice/storage"))
      let untouched = try await database.pool.query(
        "select count(*) as n from pg_namespace where nspname in ('mart', 'sluice_ledger')")
      #expect(try untouched.first?.int("n") == 0)

      // What is made ready by SQL is found too.
      try await enqueueBySQL(names[0], sluice, database)
      try await eventually(within: Self.patience, "it has the new row") { try await Self.rows(names[0], database) == 4 }

      try await refused(names, sluice, database)
      try await removed(names[0], sluice, database)
      for name in names.dropFirst() { #expect(try await sluice("env", "down", name, "--yes").status == 0) }
      #expect(try await EnvironmentTests.databases(database) == [])
      #expect(try await sluice("down").status == 0)
    }
  }

  /// One whose load waits for a lock is active, and is removed with its processes.
  private func removed(_ name: String, _ sluice: Installed, _ database: TestDatabase.Handle) async throws {
    let own = try await EnvironmentTests.own(database)
    let session = try await PostgresConnection.connect(
      try PostgresSettings(try PostgresSettings.conninfo(database.url, database: "\(own)-env-\(name)")))
    do {
      try await session.execute("begin; lock table mart.orders in access exclusive mode")
      try sluice.project.write("drops/3.csv", "id,name\n5,e\n")
      #expect(try await sluice("run", "shop", "--env", name).status == 0)
      try await eventually(within: Self.patience, "it is active") {
        try await sluice("env", "list", "--json").json("environments").list
          .first { $0["name"].text == name }?["active"] == .bool(true)
      }
      let down = try await sluice("env", "down", name, "--yes", "--json")
      #expect(down.status == 0, "\(down.errors)")
      #expect(try down.json("left").list == [])
      #expect(Self.processes(sluice, [name]) == [])
    } catch {
      await session.close()
      throw error
    }
    await session.close()
  }

  /// A definition that names the database and the storage of others, in one environment: it reaches its own.
  private func refused(_ names: [String], _ sluice: Installed, _ database: TestDatabase.Handle) async throws {
    let own = try await EnvironmentTests.own(database)
    let other = try PostgresSettings.conninfo(database.url, database: "\(own)-env-\(names[1])")
    let files = { (folder: String) in
      try FileManager.default.subpathsOfDirectory(atPath: sluice.project.path(".sluice/storage-\(folder)")).count
    }
    let before = try files(names[1])
    try sluice.project.write(
      "pipelines/thief.yaml",
      """
      pipeline: thief
      sources: {drops: {files: {at: "file:drops"}, streams: {stolen: {match: "*.csv", records: {format: csv}, key: [id]}}}}
      raw: {to: "file:.sluice/storage-\(names[1])"}
      curate: {stolen: {from: drops.stolen, columns: {id: {type: bigint, required: true}}}}
      load: {w: {postgres: {url: "\(other)"}, tables: {mart.stolen: {from: stolen, mode: merge, key: [id]}}}}

      """)
    let run = try await sluice("run", "thief", "--env", names[0], "--wait")
    #expect(run.status == 0, "\(run.output)\(run.errors)")
    for (index, name) in names.prefix(2).enumerated() {
      try await EnvironmentTests.withDatabase("\(own)-env-\(name)", database) { pool in
        let isThere = try await pool.query("select to_regclass('mart.stolen') is not null as x").only("x")
        #expect(isThere == (index == 0), "\(name)")
      }
    }
    #expect(try files(names[1]) == before)
    try FileManager.default.removeItem(atPath: sluice.project.path("pipelines/thief.yaml"))
  }

  /// Makes the jobs of a run ready by SQL alone.
  private func enqueueBySQL(_ name: String, _ sluice: Installed, _ database: TestDatabase.Handle) async throws {
    let own = try await EnvironmentTests.own(database)
    let paused = { (isPaused: Bool) in
      try await EnvironmentTests.withDatabase("\(own)-env-\(name)", database) { pool in
        _ = try await pool.query("update sluice.lane set paused = $1", [.bool(isPaused)])
      }
    }
    try await paused(true)
    try sluice.project.write("drops/2.csv", "id,name\n4,d\n")
    #expect(try await sluice("run", "shop", "--env", name).status == 0)
    #expect(Self.processes(sluice, [name]) == [], "nothing can be claimed")
    try await paused(false)
  }

  @Test(
    "after kill -9 of control the processes of environments end by themselves, and the next control starts no second one"
  )
  func killed() async throws {
    try await EnvironmentTests.inProject { sluice, database in
      #expect(try await sluice("env", "up", "pr-1").status == 0)
      try await Self.serve(sluice, database)
      try sluice.project.write("drops/2.csv", "id,name\n4,d\n")
      #expect(try await sluice("run", "shop", "--env", "pr-1").status == 0)
      let folder = Installation.processes(sluice.project.path(".sluice/pr-1"))
      try await eventually("it is served") { folder.entry(ProcessTable.control)?.pid != nil }
      let served = folder.entry(ProcessTable.control)?.pid
      let control = try #require(Self.processes(sluice, ["local"]).first)
      kill(control, SIGKILL)
      try await eventually("control has ended") { Self.processes(sluice, ["local"]).isEmpty }
      try await Self.serve(sluice, database)
      try await eventually(within: .seconds(90), "the run ends") { try await Self.rows("pr-1", database) == 4 }
      let now = folder.entry(ProcessTable.control)?.pid
      #expect(now == nil || now == served)
      let second = try await sluice("up", "--until-idle", "--env", "pr-1")
      // It ends as the second one, or because there is nothing to do.
      #expect([0, 3].contains(second.status), "\(second.errors)")
      try await eventually(within: .seconds(90), "all is idle") { folder.entries().isEmpty }
      // Control that ends in order stops what it has started.
      #expect(try await sluice("run", "shop", "--env", "pr-1").status == 0)
      try await eventually("it is served again") { !folder.entries().isEmpty }
      #expect(try await sluice("down").status == 0)
      #expect(Self.processes(sluice, ["pr-1", "local"]) == [])
      #expect(try await sluice("env", "down", "pr-1", "--yes").status == 0)
    }
  }

  @Test("one that is due is warned of, and removed after a grace by a clock that is not set, also after a killed sweep")
  func grace() async throws {
    try await EnvironmentTests.inProject { sluice, database in
      #expect(try await sluice("env", "up", "pr-1", "--ttl", "8h").status == 0)
      let name = "\(try await EnvironmentTests.own(database))-env-pr-1"
      let notice = { try await EnvironmentTests.comment(name, database)?.contains("\"due\":{") }
      // The database's clock has jumped.
      try await EnvironmentTests.expire(name, noticed: nil, database)
      let warned = try await sluice("env", "sweep", "--json")
      #expect(try warned.json("swept").list.map { $0["action"].text } == ["warned"], "\(warned.errors)")
      #expect(try await notice() == true)
      #expect(try await sluice("env", "sweep").output.contains("nothing is to be removed"))
      #expect(try await EnvironmentTests.databases(database) == [name])
      // It was set right.
      let mark = try #require(try await EnvironmentTests.comment(name, database))
      try await EnvironmentTests.comment(
        on: name, mark.replacing(/"expires":[0-9]+/, with: "\"expires\":99999999999"), database)
      #expect(try await sluice("env", "sweep").output.contains("nothing is to be removed"))
      #expect(try await notice() == false)
      // Control that is killed in the middle of its sweep leaves the rest to the next start.
      try await EnvironmentTests.expire(name, database)
      let control = try sluice.start(
        "control", name: "first", adding: ["SLUICE_KILL_AT": EnvironmentStep.emptied.rawValue])
      try await Installed.ended(control)
      #expect(try await EnvironmentTests.databases(database) == [name])
      #expect(!sluice.project.exists(".sluice/storage-pr-1"))
      let next = try sluice.start("control", name: "second")
      try await eventually("the rest is removed") { try await EnvironmentTests.databases(database).isEmpty }
      try await Installed.stop(next)
      let left = try FileManager.default.contentsOfDirectory(atPath: sluice.project.path(".sluice/pr-1"))
      #expect(left == ["environment"])
    }
  }
}

extension PostgresResult {
  fileprivate func only(_ column: String) throws -> Bool { try first?.bool(column) ?? false }
}
