import FoundationEssentials
import Glibc
import Launchers
import Postgres
import TestSupport
import Testing

/// A control database belongs to one project folder.
@Suite("Which folder a database belongs to")
struct IdentityTests {
  private static let scheduled = """
    pipeline: nightly
    schedule: {cron: "15 3 * * *", timezone: UTC}
    sources: {s: {files: {at: "file:d"}, streams: {a: {match: "*.csv", records: {format: csv}}}}}
    curate: {d: {from: s.a}}

    """

  @Test("a second project on the same database is refused by every verb that writes, and ends no schedule of the first")
  func secondProject() async throws {
    try await inTwoProjects { first, second, database in
      try first.project.write("pipelines/nightly.yaml", Self.scheduled)
      for sluice in [first, second] { #expect(try await sluice("init").status == 0) }
      let up = try await first("up", "--detach", "--workers", "1")
      #expect(up.status == 0, "\(up.errors)")
      let verbs = [
        ["run", "cities"], ["up", "--detach"], ["control"], ["worker"], ["pause", "cities"], ["jobs", "retry", "1"],
        ["migrate"],
      ]
      for verb in verbs {
        let refused = try await second.call(verb)
        #expect(refused.status == 3, "\(verb): \(refused.errors)")
        #expect(refused.errors.contains(first.project.directory) && refused.errors.contains(second.project.directory))
        #expect(refused.errors.contains("sluice migrate --adopt"))
      }
      let status = try await second("status", "--json")
      #expect(status.status == 0)
      #expect(status.errors.contains(first.project.directory), "\(status.errors)")
      let schedules = try status.json("schedules").list.map { $0["pipeline"].text }
      #expect(schedules == ["nightly"], "\(status.output)")
      #expect(!second.project.exists(".sluice/local/installation"))
      // Another environment of the same project is another folder's state.
      #expect(try await first("run", "cities", "--env", "staging").status == 3)

      let busy = try await second("migrate", "--adopt", "--json")
      #expect(try busy.json("error", "code").text == "installation_busy")
      #expect(try await first("down").status == 0)
      let adopted = try await second("migrate", "--adopt", "--json")
      #expect(adopted.status == 0, "\(adopted.errors)")
      #expect(try adopted.json("adopted_from").text?.hasSuffix(first.project.directory) == true)
      #expect(try await second("run", "cities").status == 0)
      #expect(try await first("run", "cities").errors.contains(second.project.directory))
    }
  }

  @Test("a folder without pipelines steers the queue, and neither claims the database nor is refused")
  func noProject() async throws {
    try await inTwoProjects { empty, first, database in
      try empty.project.write("sluice.yaml", "limits: {slots: 1}\n")
      for _ in 1...2 {
        for verb in [["migrate"], ["pause", "default"], ["resume", "default"]] {
          let outcome = try await empty.call(verb)
          #expect(outcome.status == 0, "\(verb): \(outcome.errors)")
        }
        let retry = try await empty("jobs", "retry", "1")
        #expect(retry.status != 3, "\(retry.errors)")
        // The second time the database belongs to a project.
        #expect(try await first("init").status == 0)
        #expect(try await first("run", "cities").status == 0)
      }
      #expect(try await empty("worker").status == 3)
    }
  }

  @Test("a copied folder is told that it is one; its down stops nothing of the original")
  func copy() async throws {
    try await inTwoProjects { first, second, database in
      #expect(try await first("init").status == 0)
      #expect(try await first("up", "--detach", "--workers", "1").status == 0)
      #expect(try await cp(first.project.directory, second.project.directory) == 0)
      let down = try await second("down")
      #expect(down.status == 0 && down.output.contains("nothing was running"), "\(down.output)\(down.errors)")
      #expect(try await first("status", "--json").json("workers").list.count == 1)
      let refused = try await second("run", "cities", "--json")
      #expect(refused.status == 3)
      #expect(try refused.json("error", "code").text == "copied_folder")
      #expect(refused.errors.contains(first.project.directory) && refused.errors.contains(second.project.directory))
      let run = try await first("run", "cities", "--wait")
      #expect(run.status == 0, "\(run.errors)")
      #expect(try await first("down").status == 0)
      #expect(try await second("migrate", "--adopt").status == 0)
      #expect(try await second("run", "cities").status == 0)
      #expect(try await first("run", "cities").status == 3)
    }
  }

  @Test("a copy with the database in it becomes an installation of its own, and the original stays up")
  func copyWithDatabase() async throws {
    try await TestProject.withProject { place in
      let first = Installed(TestProject(directory: place.path("first")))
      let second = Installed(TestProject(directory: place.path("second")))
      try place.write("first/pipelines/.keep", "")
      #expect(try await first("init").status == 0)
      #expect(try await first("run", "cities").status == 0)
      #expect(try await cp(first.project.directory, second.project.directory) == 0)
      #expect(try await first("up", "--detach", "--workers", "1").status == 0)
      let run = try await second("run", "cities")
      #expect(run.status == 0, "\(run.errors)")
      #expect(run.errors.contains("is a copy of \(first.project.directory)"), "\(run.errors)")
      #expect(try await second("run", "cities").errors.contains("copy") == false, "it is said once")
      #expect(try await second("down").output.contains("nothing was running"))
      #expect(try await first("status", "--json").json("workers").list.count == 1)
      #expect(try await first("down").status == 0)
    }
  }

  @Test("a database that no folder has claimed is refused while workers of another folder are at work on it")
  func unclaimed() async throws {
    try await inTwoProjects { first, second, database in
      for sluice in [first, second] { #expect(try await sluice("init").status == 0) }
      let up = try await first("up", "--detach", "--workers", "1", "--json")
      let control = Int32(try #require(try up.json("pid").int, "\(up.errors)"))
      let worker = try #require(try await first("status", "--json").json("workers").list.first?["pid"].int)
      // As control of an engine from before the identity, which claims nothing.
      kill(control, SIGSTOP)
      _ = try await database.pool.query("delete from sluice.project_folder", [])
      let refused = try await second("run", "cities", "--json")
      #expect(refused.status == 3, "\(refused.errors)")
      #expect(try refused.json("error", "code").text == "installation_busy")
      #expect(refused.errors.contains("pid \(worker)"), "\(refused.errors)")
      #expect(try await first("run", "cities").status == 0)
      kill(control, SIGCONT)
      #expect(try await first("down").status == 0)
    }
  }

  @Test("a refused folder changes no schema, and a verb that only looks changes none either")
  func olderSchema() async throws {
    try await inTwoProjects { first, second, database in
      for sluice in [first, second] { #expect(try await sluice("init").status == 0) }
      #expect(try await first("run", "cities").status == 0)
      _ = try await database.pool.query(
        "create table kept as select * from sluice.migration order by number desc limit 1", [])
      _ = try await database.pool.query("delete from sluice.migration where number in (select number from kept)", [])
      for (sluice, verb, code) in [
        (first, ["status"], "schema_older"), (second, ["status"], "schema_older"),
        (second, ["run", "cities"], "other_installation"), (second, ["migrate"], "other_installation"),
      ] {
        let refused = try await sluice.call(verb + ["--json"])
        #expect(refused.status == 3, "\(verb): \(refused.errors)")
        #expect(try refused.json("error", "code").text == code, "\(refused.output)")
        #expect(refused.errors.contains("sluice migrate"), "\(refused.errors)")
      }
      _ = try await database.pool.query("insert into sluice.migration select * from kept", [])
      #expect(try await first("status").status == 0)
    }
  }

  @Test("a copy of hard links is a copy, and its processes are its own")
  func hardLinks() async throws {
    try await inTwoProjects { first, second, database in
      #expect(try await first("init").status == 0)
      #expect(try await first("up", "--detach", "--workers", "1").status == 0)
      #expect(try await cp(first.project.directory, second.project.directory, "-al") == 0)
      let refused = try await second("run", "cities", "--json")
      #expect(try refused.json("error", "code").text == "copied_folder", "\(refused.errors)")
      let down = try await second("down")
      #expect(down.output.contains("nothing was running"), "\(down.output)\(down.errors)")
      #expect(try await first("control", "--json").json("error", "code").text == "already_up")
      let control = try await second("control", "--json")
      #expect(try control.json("error", "code").text == "copied_folder", "\(control.errors)")
      #expect(try await first("status", "--json").json("workers").list.count == 1)
      #expect(try await first("down").output.contains("stopped 2"))
    }
  }

  @Test("a folder that was moved goes on, and so does one that lost its file")
  func moved() async throws {
    try await TestProject.withProject { place in
      try await TestDatabase.withEmptyDatabase { database in
        let variables = ["SLUICE_DATABASE_URL": database.url]
        let before = Installed(TestProject(directory: place.path("before")), variables)
        let after = Installed(TestProject(directory: place.path("after")), variables)
        try place.write("before/pipelines/.keep", "")
        #expect(try await before("init").status == 0)
        #expect(try await before("run", "cities").status == 0)
        #expect(rename(before.project.directory, after.project.directory) == 0)
        let run = try await after("run", "cities")
        #expect(run.status == 0, "\(run.errors)")
        let known = try await database.pool.query("select folder from sluice.project_folder", []).first
        #expect(try known?.string("folder") == after.project.directory)
        #expect(unlink(after.project.path(".sluice/local/installation")) == 0)
        #expect(try await after("run", "cities").status == 0)
      }
    }
  }

  @Test("control ends when its folder is moved, and comes up at the new path")
  func movedWhileUp() async throws {
    try await TestProject.withProject { place in
      try await TestDatabase.withEmptyDatabase { database in
        let variables = ["SLUICE_DATABASE_URL": database.url]
        let before = Installed(TestProject(directory: place.path("before")), variables)
        let after = Installed(TestProject(directory: place.path("after")), variables)
        try place.write("before/pipelines/.keep", "")
        #expect(try await before("init").status == 0)
        #expect(try await before("up", "--detach", "--workers", "1").status == 0)
        #expect(rename(before.project.directory, after.project.directory) == 0)
        try await eventually(within: .seconds(30), "control and its worker have ended") {
          ProcessLockTests.processes(of: after.project) == []
        }
        let log = try after.project.text(".sluice/local/logs/control.log")
        #expect(log.contains("the folder was moved: sluice up there"), "\(log)")
        let up = try await after("up", "--detach", "--workers", "1")
        #expect(up.status == 0, "\(up.errors)")
        #expect(try await after("down").output.contains("stopped 2"))
      }
    }
  }

  @Test("a container with another host name and the same volume goes on", .enabled(if: geteuid() == 0))
  func otherHost() async throws {
    try await TestProject.withProject { project in
      try await TestDatabase.withEmptyDatabase { database in
        var sluice = Installed(project, ["SLUICE_DATABASE_URL": database.url])
        #expect(try await sluice("init").status == 0)
        #expect(try await sluice("run", "cities").status == 0)
        sluice.command = [
          "/usr/bin/unshare", "--uts", "/bin/sh", "-c", "hostname container-2 && exec \"$@\"", "sh", Installed.program,
        ]
        let run = try await sluice("run", "cities")
        #expect(run.status == 0, "\(run.errors)")
      }
    }
  }

  @Test("when the database is lost, or restored from before, and the storage is kept, the first run works")
  func databaseLost() async throws {
    try await TestProject.withProject { project in
      let sluice = Installed(project)
      #expect(try await sluice("init").status == 0)
      for step in ["backup", "later", "restored", "lost"] {
        if step == "later" {
          #expect(try await cp(project.path(".sluice/postgres"), project.path("backup")) == 0)
        }
        if step == "restored" || step == "lost" {
          try FileManager.default.removeItem(atPath: project.path(".sluice/postgres"))
        }
        if step == "restored" { #expect(try await cp(project.path("backup"), project.path(".sluice/postgres")) == 0) }
        try project.write("data/cities.csv", "city,country,population\n\(step),CH,1\n")
        let run = try await sluice("run", "cities", "--json")
        #expect(run.status == 0, "\(step): \(run.errors)")
        #expect(try run.json("state").text == "succeeded", "\(step): \(run.output)")
        let cities = try await sluice("query", "select city from cities", "--json").json("rows").list
        #expect(cities.contains { $0["city"].text == step }, "\(step): \(cities)")
      }
    }
  }

  private func inTwoProjects(
    _ body: @Sendable (Installed, Installed, TestDatabase.Handle) async throws -> Void
  ) async throws {
    try await TestProject.withProject { first in
      try await TestProject.withProject { second in
        try await TestDatabase.withEmptyDatabase { database in
          let variables = ["SLUICE_DATABASE_URL": database.url]
          let installed = (Installed(first, variables), Installed(second, variables))
          do { try await body(installed.0, installed.1, database) } catch {
            // A failed test leaves no process behind.
            for sluice in [installed.0, installed.1] { _ = try? await sluice("down", "--timeout", "5") }
            throw error
          }
        }
      }
    }
  }

  /// With everything that cp can keep.
  private func cp(_ from: String, _ to: String, _ how: String = "-a") async throws -> Int32 {
    let copy = DetachedProcess(
      executable: "/bin/cp", arguments: [how, "-T", from, to], environment: ["PATH": "/bin:/usr/bin"], directory: "/",
      logPath: "/dev/null")
    let pid = try copy.start()
    var status: Int32?
    try await eventually("the copy is made") {
      if case .ended(let code) = DetachedProcess.ending(of: pid) { status = code }
      return status != nil
    }
    return status ?? -1
  }
}
