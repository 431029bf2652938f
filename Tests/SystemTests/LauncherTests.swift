import FoundationEssentials
import Glibc
import Postgres
import TestSupport
import Testing

/// Launchers with real processes: over ssh, refused, and after the end of the control that used them.
@Suite("Workers are started by a launcher")
struct LauncherTests {
  /// An installed project on a database that processes of other machines could reach.
  private func with(
    settings: String, _ body: @Sendable (Installed, TestDatabase.Handle) async throws -> Void
  ) async throws {
    try await TestProject.withProject { project in
      try await TestDatabase.withEmptyDatabase { database in
        let sluice = Installed(project, ["SLUICE_DATABASE_URL": database.url])
        #expect(try await sluice("init").status == 0)
        try project.write("sluice.yaml", settings)
        do { try await body(sluice, database) } catch {
          _ = try? await sluice("down", "--timeout", "10")
          throw error
        }
        #expect(try await sluice("down").status == 0)
      }
    }
  }

  private func number(_ query: String, _ database: TestDatabase.Handle) async throws -> Int {
    try await Int(database.pool.query(SQLStatement(text: "select (\(query))::bigint as n"))[0].int("n"))
  }

  private func working(_ database: TestDatabase.Handle) async throws -> [Int64] {
    try await database.pool.query("select worker_id from sluice.beat where expires_at > now() order by 1", [])
      .map { try $0.int("worker_id") }
  }

  /// What a process was started with; empty: it is gone.
  private func words(_ pid: Int, _ file: String = "cmdline") -> String {
    let data = FileManager.default.contents(atPath: "/proc/\(pid)/\(file)") ?? Data()
    return String(decoding: data.map { $0 == 0 ? UInt8(ascii: "\n") : $0 }, as: UTF8.self)
  }

  private func up(_ sluice: Installed) async throws -> Int32 {
    let up = try await sluice("up", "--detach", "--json")
    #expect(up.status == 0, "\(up.errors)")
    return Int32(try #require(try up.json("pid").int))
  }

  private func write(_ script: String, to path: String, _ project: TestProject) throws {
    try project.write(path, script)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: project.path(path))
  }

  @Test(
    "the example starts, lists and stops workers over ssh, and a new control adopts what a killed one left",
    .enabled(if: LoopbackSSH.isInstalled, "openssh-server is not installed; .ci/run installs it"))
  func ssh() async throws {
    let settings = "scaling: {min: 1, max: 1, launcher: {command: [ops/launch], secrets: [control], patience: 50s}}\n"
    try await with(settings: settings) { sluice, database in
      let project = sluice.project
      let example = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Examples/SSHLauncher/launch")
      try write(String(decoding: try Data(contentsOf: example), as: UTF8.self), to: "ops/launch", project)
      let ssh = try await LoopbackSSH.start(in: project)
      defer { ssh.stop() }
      try project.write(
        "ops/launch.conf",
        """
        HOSTS=127.0.0.1
        DIRECTORY=\(project.directory)
        SLUICE=\(Installed.program)
        STATE=\(project.path("state"))
        SSH="\(ssh.command)"

        """)
      try project.write("secrets/control", database.url)

      let control = try await up(sluice)
      try await eventually(within: .seconds(60), "a worker is there") { try await working(database).count == 1 }
      let run = try await sluice("run", "cities", "--wait", "--timeout", "60")
      #expect(run.status == 0, "\(run.errors)")
      let worker = try await working(database)
      let row = try await database.pool.query("select pid, launch_id from sluice.worker", [])[0]
      let pid = Int(try row.int("pid"))
      #expect(try row.string("launch_id").hasPrefix("sluice-"))
      #expect(words(pid).contains("--slots") == false)
      #expect(words(pid).contains(database.url) == false, "no argument list shows the database")
      #expect(words(pid, "environ").contains("SSH_CONNECTION=127.0.0.1"), "it came over ssh")

      kill(control, SIGKILL)
      try await eventually("control is gone") { words(Int(control)).isEmpty }
      _ = try await up(sluice)
      try await eventually("the new one decides") {
        try await number("select count(*) from sluice.scaling_decision where epoch > 1", database) > 0
      }
      #expect(try await working(database) == worker, "the worker still runs")
      #expect(try await number("select count(*) from sluice.worker", database) == 1, "and no other one was started")

      #expect(try await sluice("down").status == 0)
      #expect(try await working(database).isEmpty)
      try await eventually("its process is gone") { words(pid).isEmpty }
    }
  }

  @Test("why a launcher refuses is in status, and nothing else is touched")
  func refused() async throws {
    try await with(settings: "scaling: {max: 2, launcher: {command: [ops/launch]}}\n") { sluice, database in
      try write(
        "#!/bin/sh\n[ $1 = start ] || exit 0\necho 'the quota of the account is used up' >&2\nexit 3\n",
        to: "ops/launch", sluice.project)
      _ = try await up(sluice)
      let run = try await sluice("run", "cities", "--json")
      #expect(run.status == 0, "\(run.errors)")
      try await eventually(within: .seconds(30), "status has the reason") {
        try await sluice("status").output.contains("ops/launch start was refused: the quota of the account is used up")
      }
      // A person's worker does the work all the same.
      let worker = try sluice.start("worker", name: "worker")
      try await eventually(within: .seconds(60), "the run is done") {
        try await number("select count(*) from sluice.run where state = 'succeeded'", database) == 1
      }
      try await Installed.stop(worker)
    }
  }

  @Test("a command needs a database that other machines reach")
  func embedded() async throws {
    try await TestProject.withProject { project in
      let sluice = Installed(project, ["SLUICE_DATABASE_URL": ""])
      #expect(try await sluice("init").status == 0)
      try project.write("sluice.yaml", "scaling: {launcher: {command: [ops/launch]}}\n")
      let up = try await sluice("up")
      #expect(up.status == 3, "\(up.errors)")
      #expect(
        up.errors.contains("embedded_database") || up.errors.contains("cannot reach the database"), "\(up.errors)")
    }
  }

  @Test("kill -9 of control leaves no orphans: the next one keeps the same processes, and stops them in the end")
  func killed() async throws {
    try await with(settings: "scaling: {min: 2, max: 2}\n") { sluice, database in
      let control = try await up(sluice)
      try await eventually(within: .seconds(60), "two workers are there") { try await working(database).count == 2 }
      let workers = try await working(database)
      let pids = try await database.pool.query("select pid from sluice.worker", []).map { Int(try $0.int("pid")) }
      kill(control, SIGKILL)
      try await eventually("control is gone") { words(Int(control)).isEmpty }
      _ = try await up(sluice)
      try await eventually("the new one decides") {
        try await number("select count(*) from sluice.scaling_decision where epoch > 1", database) > 0
      }
      #expect(try await working(database) == workers)
      #expect(try await number("select count(*) from sluice.worker", database) == 2)
      #expect(try await sluice("down").status == 0)
      for pid in pids { try await eventually("process \(pid) is gone") { words(pid).isEmpty } }
    }
  }
}
