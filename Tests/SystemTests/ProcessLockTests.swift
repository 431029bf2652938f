import Foundation
import Glibc
import Launchers
import TestSupport
import Testing

/// Processes are known by locks that the kernel holds, whatever is in files and whatever programs are called.
@Suite("Who is up")
struct ProcessLockTests {
  @Test("of three that come up at once one does, control next to it is refused, and down leaves no process")
  func threeAtOnce() async throws {
    try await TestProject.withProject { project in
      let sluice = Installed(project)
      #expect(try await sluice("init").status == 0)
      let outcomes = try await withThrowingTaskGroup(of: Installed.Outcome.self) { group in
        for _ in 0..<3 { group.addTask { try await sluice("up", "--detach", "--workers", "1", "--json") } }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(outcomes.map(\.status).sorted() == [0, 3, 3], "\(outcomes.map(\.errors))")
      for refused in outcomes where refused.status == 3 {
        #expect(try refused.json("error", "code").text == "already_up")
      }
      let control = try await sluice("control", "--json")
      #expect(control.status == 3, "\(control.errors)")
      #expect(try control.json("error", "code").text == "already_up")
      #expect(try await sluice("status", "--json").json("workers").list.count == 1, "up waited for it")
      #expect(try await sluice("down").status == 0)
      #expect(Self.processes(of: project) == [])
    }
  }

  @Test("a binary of another name keeps the workers that it was asked for, also those of a control that was killed")
  func otherName() async throws {
    try await TestProject.withProject { project in
      // As deep in the project as the tools are looked for from.
      try FileManager.default.createDirectory(atPath: project.path("a/b"), withIntermediateDirectories: true)
      try FileManager.default.copyItem(atPath: Installed.program, toPath: project.path("a/b/engine-v7"))
      try FileManager.default.createSymbolicLink(
        atPath: project.path(".tools"), withDestinationPath: FileManager.default.currentDirectoryPath + "/.tools")
      var sluice = Installed(project)
      sluice.command = [project.path("a/b/engine-v7")]
      #expect(try await sluice("init").status == 0)
      let up = try await sluice("up", "--detach", "--workers", "2", "--json")
      #expect(up.status == 0, "\(up.errors)")
      try await eventually("both register") { try await workers(sluice).count == 2 }
      let first = try await workers(sluice)
      kill(Int32(try #require(try up.json("pid").int)), SIGKILL)
      let again = try await sluice("up", "--detach", "--workers", "2", "--json")
      #expect(again.status == 0, "\(again.errors)")
      // During a run the pool looks several times, and each look would start what it misses.
      #expect(try await sluice("run", "cities", "--wait").status == 0)
      #expect(try await workers(sluice) == first)
      #expect(Self.processes(of: project, below: false).count == 3)
      #expect(try await sluice("down").status == 0)
      #expect(Self.processes(of: project) == [])
    }
  }

  @Test(
    "a container that is made again after kill -9 comes up, although its number stands in a file",
    .enabled(if: geteuid() == 0))
  func container() async throws {
    try await TestProject.withProject { project in
      try await TestDatabase.withEmptyDatabase { database in
        let sluice = Installed(project, ["SLUICE_DATABASE_URL": database.url])
        #expect(try await sluice("init").status == 0)
        for life in 1...2 {
          // The program is number 1 there.
          let pid = try sluice.start(
            program: "/usr/bin/unshare", "--pid", "--fork", "--kill-child", Installed.program, "up", "--workers", "1",
            name: "life\(life)")
          try await eventually(within: .seconds(30), "life \(life) is up") {
            guard !DetachedProcess.reap(pid) else { throw TestSupportError(try project.text("life\(life).log")) }
            return try project.text("life\(life).log").contains("control is up")
          }
          #expect(try project.text(Installed.controlFile("json")).contains("\"pid\":1"))
          if life == 1 {
            var other = sluice
            other.command = ["/usr/bin/unshare", "--pid", "--fork", Installed.program]
            let refused = try await other("control")
            #expect(refused.status == 3)
            #expect(refused.errors.contains("in another container"), "\(refused.errors)")
          }
          kill(pid, SIGKILL)
          try await Installed.ended(pid)
        }
      }
    }
  }

  @Test("control and workers that become another engine are known without a gap")
  func succession() async throws {
    try await TestProject.withProject { project in
      let engine = project.path("other-engine")
      try FileManager.default.copyItem(atPath: Installed.program, toPath: engine)
      let file = try #require(FileHandle(forWritingAtPath: engine))
      try file.seekToEnd()
      try file.write(contentsOf: Data("another".utf8))
      try file.close()
      let sluice = Installed(project)
      #expect(try await sluice("init").status == 0)
      let up = try await sluice("up", "--detach", "--workers", "1", "--json")
      let control = Int32(try #require(try up.json("pid").int, "\(up.errors)"))
      let host = try #require(
        try FileManager.default.contentsOfDirectory(atPath: project.path(".sluice/local/processes")).first)
      let processes = ProcessTable(folder: project.path(".sluice/local/processes/\(host)"))
      let before = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(control)/exe")
      async let deploying = sluice("deploy", "--engine", engine, "--label", "two")
      var gaps = 0
      try await eventually(within: .seconds(60), "control is the other engine") {
        if processes.entry(ProcessTable.control)?.pid != control { gaps += 1 }
        // There is none for a moment: exec ends the process's other threads first.
        let now = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(control)/exe")
        guard let now, now != before else { return false }
        return try await sluice("status", "--json").json("control_url") != .null
      }
      #expect(gaps == 0)
      let deployed = try await deploying
      #expect(deployed.status == 0, "\(deployed.errors)")
      #expect(try await sluice("control").status == 3)
      // The binary that is called becomes the release's engine.
      let worker = try sluice.start("worker", name: "worker")
      try await eventually("it registers") {
        try await sluice("status", "--json").json("workers").list.contains { $0["pid"].int == Int(worker) }
      }
      #expect(processes.entries().contains { $0.pid == worker })
      #expect(try await sluice("down").status == 0)
      try await Installed.ended(worker)
      #expect(Self.processes(of: project) == [])
    }
  }

  @Test("a control of an engine from before the locks keeps others out, and is stopped by down")
  func predecessor() async throws {
    try await TestProject.withProject { project in
      let sluice = Installed(project)
      #expect(try await sluice("init").status == 0)
      let old = try sluice.start(
        program: "/bin/sh", "-c", "sleep 600 & wait", "up", "--project", project.directory, "--env", "local",
        name: "old")
      defer { kill(-old, SIGKILL) }
      try project.write(".sluice/local/control.json", "{\"pid\": \(old), \"url\": \"http://127.0.0.1:1\"}")
      #expect(try await sluice("up", "--detach").status == 3)
      #expect(try await sluice("down").output.contains("stopped 1"))
      try await Installed.ended(old)
      #expect(try await sluice("down").output.contains("nothing was running"))
    }
  }

  @Test("a process of this installation that is no control is not taken for one, whatever number a file has")
  func noPredecessor() async throws {
    try await TestProject.withProject { project in
      let sluice = Installed(project)
      #expect(try await sluice("init").status == 0)
      let worker = try sluice.start(
        program: "/bin/sh", "-c", "sleep 600 & wait", "worker", "--project", project.directory, "--env", "local",
        name: "worker")
      defer { kill(-worker, SIGKILL) }
      try project.write(".sluice/local/control.json", "{\"pid\": \(worker), \"url\": \"http://127.0.0.1:1\"}")
      #expect(try await sluice("down").output.contains("nothing was running"))
      #expect(kill(worker, 0) == 0)
    }
  }

  @Test("down stops control and workers while the database is away")
  func databaseAway() async throws {
    try await TestProject.withProject { project in
      try await OwnServer.with { server in
        let sluice = Installed(project, ["SLUICE_DATABASE_URL": server.url])
        #expect(try await sluice("init").status == 0)
        let up = try await sluice("up", "--detach", "--workers", "2")
        #expect(up.status == 0, "\(up.errors)")
        try await server.end(with: SIGKILL)
        let start = ContinuousClock.now
        let down = try await sluice("down", "--json")
        #expect(down.status == 0, "\(down.errors)")
        #expect(start.duration(to: .now) < .seconds(20))
        #expect(Self.processes(of: project) == [])
        try await server.start()
      }
    }
  }

  @Test("down without the database's URL, or refused by the server, kills no process that is slow to end")
  func downWithoutURL() async throws {
    try await TestProject.withProject { project in
      try await TestDatabase.withEmptyDatabase { database in
        let sluice = Installed(project, ["SLUICE_DATABASE_URL": database.url])
        #expect(try await sluice("init").status == 0)
        let up = try await sluice("up", "--detach", "--workers", "1", "--json")
        let control = Int32(try #require(try up.json("pid").int, "\(up.errors)"))
        kill(control, SIGSTOP)
        for url in ["", database.url.replacingOccurrences(of: "@/", with: "@/no_such_")] {
          let down = try await sluice("down", "--timeout", "6", adding: ["SLUICE_DATABASE_URL": url])
          #expect(down.errors.contains("still stopping"), "\(down.output)\(down.errors)")
          #expect(kill(control, 0) == 0)
        }
        kill(control, SIGCONT)
        #expect(try await sluice("down").status == 0)
      }
    }
  }

  @Test("up says why no worker comes, and leaves nothing behind")
  func noWorker() async throws {
    try await TestProject.withProject { project in
      let sluice = Installed(project, ["SLUICE_DUCKDB": project.path("no-such-duckdb")])
      #expect(try await sluice("init").status == 0)
      let up = try await sluice("up", "--detach", "--json")
      #expect(up.status == 1, "\(up.errors)")
      #expect(try up.json("error", "code").text == "no_worker")
      #expect(try up.json("error", "message").text?.contains("no-such-duckdb") == true, "\(up.errors)")
      #expect(Self.processes(of: project) == [])
      #expect(try await sluice("up", "--detach", "--slots", "0").status == 2)
    }
  }

  @Test("after root, another user is told what belongs to root and how to get it", .enabled(if: geteuid() == 0))
  func rootFirst() async throws {
    try await TestProject.withProject { project in
      #expect(chmod(project.directory, 0o777) == 0)
      var sluice = Installed(project)
      #expect(try await sluice("init").status == 0)
      #expect(try await sluice("run", "cities").status == 0)
      let program = Installed.program
      try FileManager.default.copyItem(atPath: program, toPath: project.path("sluice"))
      #expect(chmod(project.path("sluice"), 0o755) == 0)
      sluice.command = [
        "/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", project.path("sluice"),
      ]
      for verb in [["run", "cities"], ["up", "--detach"], ["down"], ["status"]] {
        let refused = try await sluice.call(verb + ["--json"])
        #expect(refused.status == 3, "\(verb): \(refused.errors)")
        #expect(try refused.json("error", "code").text == "not_owner")
        #expect(refused.errors.contains("chown -R nobody '\(project.directory)/.sluice'"), "\(refused.errors)")
      }
    }
  }

  private func workers(_ sluice: Installed) async throws -> Set<Int> {
    Set(try await sluice("status", "--json").json("workers").list.compactMap { $0["pid"].int })
  }

  /// Every process that works in the project's folder.
  ///
  /// - Parameter below: Also in a folder of it, as its PostgreSQL does.
  static func processes(of project: TestProject, below: Bool = true) -> [Int32] {
    ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { Int32($0) }.filter { pid in
      guard let folder = realpath("/proc/\(pid)/cwd", nil) else { return false }
      defer { free(folder) }
      let path = String(cString: folder)
      return path == project.directory || below && path.hasPrefix(project.directory + "/")
    }.sorted()
  }
}
