import FoundationEssentials
import Glibc
import Launchers
import Postgres
import TestSupport
import Testing

@Suite("Releases, deployed beside running work")
struct ReleaseTests {
  private static func pipeline(_ name: String, onDeploy: String = "finish", constant: Int = 1) -> String {
    """
    pipeline: \(name)
    on_deploy: \(onDeploy)
    sources: {s: {files: {at: "file:d-\(name)"}, streams: {a: {match: "*.csv.gz", records: {format: csv}}}}}
    curate:
      \(name)_rows: {from: s.a, sql: sql/\(name).sql, columns: {id: {type: bigint, required: true}, definition: bigint}}

    """
  }

  private static func write(_ project: TestProject, _ name: String, onDeploy: String = "finish", constant: Int) throws {
    try project.write("pipelines/\(name).yaml", pipeline(name, onDeploy: onDeploy))
    try project.write("sql/\(name).sql", "select id, \(constant) as definition from a\n")
  }

  private static func files(_ project: TestProject, _ name: String, count: Int) throws {
    for number in 1...count { try project.write("d-\(name)/\(10_000 + number).csv.gz", SlowFile.bytes(number)) }
  }

  /// - Parameter lease: In seconds; where nobody is killed, longer than a busy machine keeps a beat waiting.
  private func with(lease: String = "1.2", _ body: @Sendable (Installed) async throws -> Void) async throws {
    try await TestProject.withProject { project in
      try await Self.with(Installed(project, ["SLUICE_LEASE": lease]), body)
    }
  }

  private static func with(_ sluice: Installed, _ body: @Sendable (Installed) async throws -> Void) async throws {
    do { try await body(sluice) } catch {
      _ = try? await sluice("down", "--timeout", "10")
      throw error
    }
    #expect(try await sluice("down").status == 0)
  }

  private func states(_ sluice: Installed) async throws -> [String: String] {
    let list = try await sluice("releases", "--json").json("releases").list
    return Dictionary(list.map { ($0["label"].text ?? "", $0["state"].text ?? "") }) { first, _ in first }
  }

  private func definitions(_ sluice: Installed, _ dataset: String) async throws -> [Int: Int] {
    let answer = try await sluice(
      "query", "select definition, count(*) as n from \(dataset) group by definition", "--json")
    #expect(answer.status == 0, "\(answer.errors)")
    let rows = try answer.json("rows").list
    return Dictionary(rows.compactMap { row in row["definition"].int.flatMap { d in row["n"].int.map { (d, $0) } } }) {
      first, _ in first
    }
  }

  @Test("new code goes out while a batch runs: the batch ends by its own definition, the next run has the new one")
  func beside() async throws {
    try await TestProject.withProject { project in
      try await TestDatabase.withEmptyDatabase { database in
        try await Self.with(Installed(project, ["SLUICE_LEASE": "15", "SLUICE_DATABASE_URL": database.url])) { sluice in
          let count = 300
          try Self.write(project, "stay", constant: 1)
          try Self.write(project, "move", onDeploy: "handover", constant: 1)
          try Self.files(project, "stay", count: count)
          try Self.files(project, "move", count: count)
          #expect(try await sluice("up", "--detach", "--workers", "1", "--slots", "4").status == 0)
          let first = try await sluice("deploy", "--label", "one", "--reason", "the beginning", "--json")
          #expect(first.status == 0, "\(first.errors)")
          #expect(try first.json("outcome").text == "promoted")
          let held = try await HeldCheckpoints(database)
          for pipeline in ["stay", "move"] { #expect(try await sluice("run", pipeline, "--json").status == 0) }
          try await held.waitForFirst(of: 2)
          try Self.write(project, "stay", constant: 2)
          try Self.write(project, "move", onDeploy: "handover", constant: 2)
          let plan = try await sluice("deploy", "--plan", "--json")
          #expect(plan.status == 0, "\(plan.errors)")
          #expect(try plan.json("gate").list.count == 2)
          #expect(try plan.json("gate").list.allSatisfy { $0["reading"].text == "reads as is" })
          #expect(try await states(sluice) == ["one": "CURRENT"])
          let second = try await sluice("deploy", "--label", "two", "--json")
          await held.release()
          #expect(second.status == 0, "\(second.errors)")
          #expect(try second.json("handed_over").list.compactMap { $0["pipeline"].text } == ["move"])
          #expect(try second.json("staying").list.compactMap { $0["pipeline"].text } == ["stay"])

          let later = try await sluice("run", "stay", "--wait", "--json")
          #expect(later.status == 0, "\(later.errors)")
          try await eventually(within: .seconds(150), "both runs end") {
            try await sluice("runs", "--json").json("runs").list.allSatisfy { $0["state"].text == "succeeded" }
          }
          // The first run's rows, and nothing for the second: every file was taken.
          for pipeline in ["stay", "move"] {
            let found = try await definitions(sluice, "\(pipeline)_rows")
            if found != [1: count] {
              let runs = try await sluice("runs", "--json").output
              let jobs = try await sluice("jobs", "--json").output
              Issue.record("\(pipeline): rows by definition \(found)\nruns \(runs)\njobs \(jobs)")
            }
          }
          let moved = try await sluice("runs", "show", "2", "--json").json("jobs").list.first
          #expect(moved?["attempts"].list.compactMap { $0["status"].text } == ["yielded", "done"])
          // The worker's own at least, and no more than a worker and its SQL child may have.
          let memory = moved?["attempts"].list.last?["detail"]["peak_memory"].int ?? 0
          #expect((5_000_000..<2_000_000_000).contains(memory), "\(memory) bytes")
          try await eventually("the first release is retired") { try await states(sluice)["one"] == "RETIRED" }

          try Self.files(project, "move", count: count + 1)
          #expect(try await sluice("run", "move", "--wait", "--json").status == 0)
          #expect(try await definitions(sluice, "move_rows") == [1: count, 2: 1])

          let back = try await sluice("rollback", "--reason", "two is slower", "--json")
          #expect(back.status == 0, "\(back.errors)")
          #expect(try back.json("release", "label").text == "one")
          let trail = try await sluice("releases", "show", "one", "--json").json("audit").list
          #expect(trail.first?["action"].text == "rollback")
          #expect(trail.first?["reason"].text == "two is slower")
        }
      }
    }
  }

  @Test("what cannot be deployed is refused with the reason and the way out, and nothing changes")
  func refused() async throws {
    try await with { sluice in
      let project = sluice.project
      try Self.write(project, "p", constant: 1)
      try Self.files(project, "p", count: 1)
      let nothing = try await sluice("rollback", "--json")
      #expect(nothing.status == 3)
      #expect(try nothing.json("error", "code").text == "nothing_to_roll_back")
      let alone = try await sluice("deploy", "--canary", "5%", "--json")
      #expect(alone.status == 3, "a canary beside nothing: \(alone.output)")
      #expect(try await sluice("deploy", "--label", "one").status == 0)
      #expect(try await sluice("rollback").status == 3)

      for (name, script) in [("exits", "#!/bin/sh\necho broken >&2\nexit 7\n"), ("dies", "#!/bin/sh\nkill -SEGV $$\n")]
      {
        try project.write(name, script)
        chmod(project.path(name), 0o755)
        let outcome = try await sluice("deploy", "--engine", name, "--json")
        #expect(outcome.status == 3, "\(outcome.errors)")
        #expect(try outcome.json("error", "code").text == "engine_failed")
        #expect(try outcome.json("error", "hint").text?.isEmpty == false)
      }
      #expect(try await sluice("deploy", "--label", "17").status == 2, "a number is a release's own")
      #expect(try await sluice("deploy", "--engine", "nowhere").status == 2)
      #expect(try await sluice("promote", "nothing").status == 2)
      #expect(try await sluice("drain", "one").status == 3)
      #expect(try await sluice("deploy", "--canary", "120%").status == 2)

      try Self.write(project, "p", constant: 2)
      let taken = try await sluice("deploy", "--label", "one", "--json")
      #expect(taken.status == 2, "\(taken.errors)")
      try project.write("pipelines/p.yaml", "pipeline: p\nsources: 7\n")
      let bad = try await sluice("deploy", "--json")
      #expect(bad.status == 2, "\(bad.errors)")
      #expect(bad.output.contains("pipelines/p.yaml:2"))
      #expect(try await states(sluice).filter { $0.key != "" } == ["one": "CURRENT"])
      // What runs is the release, whatever the directory has become.
      let run = try await sluice("run", "p", "--wait", "--json")
      #expect(run.status == 0, "\(run.errors)")
      #expect(try await definitions(sluice, "p_rows") == [1: 1])
    }
  }

  @Test("a canary whose runs fail is rolled back by evidence; its work is done by the current release")
  func canary() async throws {
    try await with { sluice in
      let project = sluice.project
      try Self.write(project, "p", constant: 1)
      try Self.files(project, "p", count: 3)
      #expect(try await sluice("up", "--detach", "--workers", "1").status == 0)
      #expect(try await sluice("deploy", "--label", "one").status == 0)
      #expect(try await sluice("run", "p", "--wait").status == 0)
      try project.write("sql/p.sql", "select cast('x' || id as bigint) as id, 2 as definition from a\n")
      async let deploying = sluice(
        "deploy", "--label", "two", "--canary", "100%", "--evidence", "60s", "--no-rehearsal", "--json")
      try await eventually("it is in canary") { try await states(sluice)["two"] == "CANARY" }
      let second = try await sluice("deploy", "--label", "three", "--json")
      #expect(second.status == 3)
      #expect(try second.json("error", "code").text == "canary_running")
      try Self.files(project, "p", count: 5)
      #expect(try await sluice("run", "p", "--json").status == 0)
      let outcome = try await deploying
      #expect(outcome.status == 5, "\(outcome.output) \(outcome.errors)")
      #expect(try outcome.json("outcome").text == "rolled_back")
      #expect(try outcome.json("reason").text?.contains("succeeded on the other release") == true)
      #expect(try await states(sluice) == ["one": "CURRENT", "two": "REJECTED"])
      try await eventually("what it left is in") { try await definitions(sluice, "p_rows") == [1: 5] }
    }
  }

  @Test("where a canary would see too little, the last raw is curated again: compared, and nothing of it kept")
  func rehearsal() async throws {
    try await with { sluice in
      let project = sluice.project
      try Self.write(project, "p", constant: 1)
      try Self.write(project, "untouched", constant: 1)
      for pipeline in ["p", "untouched"] { try Self.files(project, pipeline, count: 40) }
      #expect(try await sluice("up", "--detach", "--workers", "1").status == 0)
      #expect(try await sluice("deploy", "--label", "one").status == 0)
      for pipeline in ["p", "untouched"] { #expect(try await sluice("run", pipeline, "--wait").status == 0) }

      func deploy(_ label: String, _ select: String, _ options: String...) async throws -> Installed.Outcome {
        try project.write("sql/p.sql", select + "\n")
        return try await sluice.call(["deploy", "--label", label, "--canary", "5%", "--json"] + options)
      }
      let plan = try await deploy("lossy", "select id, 2 as definition from a where cast(id as bigint) > 30", "--plan")
      #expect(try plan.json("evidence").list.map(\.text) == ["rehearsal"])
      #expect(try plan.json("changed").list.map(\.text) == ["p"])
      let lossy = try await deploy("lossy", "select id, 2 as definition from a where cast(id as bigint) > 30")
      #expect(lossy.status == 5, "\(lossy.output) \(lossy.errors)")
      #expect(try lossy.json("release", "reason").text?.contains("came to 10 rows, 40 then") == true)
      let failing = try await deploy("failing", "select cast('x' || id as bigint) as id, 2 as definition from a")
      #expect(failing.status == 5, "\(failing.output) \(failing.errors)")
      #expect(try await states(sluice) == ["one": "CURRENT", "lossy": "REJECTED", "failing": "REJECTED"])

      let good = try await deploy("good", "select id, 2 as definition from a")
      #expect(good.status == 0, "\(good.output) \(good.errors)")
      #expect(try good.json("outcome").text == "promoted")
      let made = try good.json("rehearsal", "datasets").list
      #expect(made.map { $0["dataset"].text } == ["p_rows"])
      #expect(made.first?["after"]["rows_out"].int == 40)
      let reason = try good.json("release", "reason").text ?? ""
      #expect(reason == "rehearsed p_rows; without live evidence of ingest")
      let trail = try await sluice("releases", "show", "good", "--json").json("audit").list.map { $0["action"].text }
      #expect(trail.contains("rehearse"))
      #expect(try await definitions(sluice, "p_rows") == [1: 40])
      let left = try FileManager.default.contentsOfDirectory(atPath: project.directory + "/.sluice/local/scratch")
      #expect(!left.contains { $0.hasPrefix("rehearsal@") })
    }
  }

  @Test(
    "a rehearsal speaks only where it can: not of another definition's version, not of other sources, not when it is killed"
  )
  func silence() async throws {
    try await with { sluice in
      let project = sluice.project
      try Self.write(project, "p", constant: 1)
      try Self.files(project, "p", count: 20)
      #expect(try await sluice("up", "--detach", "--workers", "1").status == 0)
      #expect(try await sluice("deploy", "--label", "one").status == 0)
      let early = try await sluice("deploy", "--plan", "--canary", "5%", "--json")
      #expect(try early.json("changed").list.isEmpty, "nothing is changed: \(early.output)")
      #expect(try await sluice("run", "p", "--wait").status == 0)

      // A filter that is meant, and the next deploy before any run of it.
      try project.write("sql/p.sql", "select id, 2 as definition from a where cast(id as bigint) > 15\n")
      #expect(try await sluice("deploy", "--label", "two").status == 0)
      try project.write("sql/p.sql", "select id, 3 as definition from a where cast(id as bigint) > 15\n")
      let other = try await sluice("deploy", "--label", "three", "--rehearsal", "--json")
      #expect(other.status == 3, "\(other.output) \(other.errors)")
      #expect(try other.json("error", "message").text?.contains("made by another definition") == true)
      #expect(try await states(sluice)["two"] == "CURRENT")

      // What is pulled in another way is for a canary to show, however little it sees.
      try Self.files(project, "p", count: 25)
      #expect(try await sluice("run", "p", "--wait").status == 0)
      try project.write(
        "pipelines/p.yaml", Self.pipeline("p").replacing("\"*.csv.gz\"", with: "\"1*.csv.gz\""))
      let plan = try await sluice("deploy", "--plan", "--canary", "5%", "--json")
      #expect(try plan.json("evidence").list.map(\.text) == ["rehearsal", "canary"])
      try Self.write(project, "p", constant: 4)

      // Who ends a deploy ends its rehearsal.
      try project.write("sql/p.sql", "select id, 5 as definition from a, range(20000000000) r where r.range < 0\n")
      let deploy = try sluice.start("deploy", "--label", "five", "--rehearsal", name: "deploy")
      let scratch = project.directory + "/.sluice/local/scratch"
      func rehearsals() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: scratch).filter { $0.hasPrefix("rehearsal@") }
      }
      try await eventually("it is being rehearsed") { try rehearsals().count == 1 }
      let engine = try #require(try rehearsals().first?.split(separator: "@").last.flatMap { Int32($0) })
      #expect(kill(engine, 0) == 0)
      kill(deploy, SIGKILL)
      try await Installed.ended(deploy)
      try await eventually("its engine is gone too") { kill(engine, 0) != 0 }
      #expect(try await sluice("deploy", "--label", "six", "--no-rehearsal").status == 0)
      try await eventually("a worker that starts sweeps up") { try rehearsals().isEmpty }
    }
  }

  @Test("control alone starts the last worker of a release with work, one and no more, and again when it is killed")
  func lastOnes() async throws {
    try await with { sluice in
      let project = sluice.project
      try Self.write(project, "p", constant: 1)
      try Self.files(project, "p", count: 900)
      let control = try sluice.start("control", name: "control")
      try await eventually("control is up") { try await sluice("status", "--json").json("control_url").text != nil }
      #expect(try await sluice("deploy", "--label", "one").status == 0)
      func workers() async throws -> [Int] {
        try await sluice("status", "--json").json("workers").list.compactMap { $0["pid"].int }
      }
      // Does the run by itself, and is killed.
      let run = try sluice.start("run", "p", name: "run")
      try await eventually("it is under way") {
        try await sluice("jobs", "--json").json("jobs").list.contains { ($0["progress"]["units"].int ?? 0) > 2 }
      }
      kill(run, SIGKILL)
      try await Installed.ended(run)
      try await eventually(within: .seconds(30), "a worker comes") { try await workers().contains { $0 != Int(run) } }
      try Self.write(project, "p", constant: 2)
      #expect(try await sluice("deploy", "--label", "two").status == 0)
      for pid in try await workers() where pid != Int(run) { kill(Int32(pid), SIGKILL) }
      try await eventually(within: .seconds(90), "the run ends where it began") {
        try await sluice("runs", "show", "1", "--json").json("state").text == "succeeded"
      }
      #expect(try await definitions(sluice, "p_rows") == [1: 900])
      try await eventually(within: .seconds(30), "nobody is needed any more") { try await workers().isEmpty }
      try await Installed.stop(control)
    }
  }

  @Test("control that is asked to stop at any moment of its start stops")
  func stops() async throws {
    try await with { sluice in
      try Self.write(sluice.project, "p", constant: 1)
      let holder = try sluice.start("control", name: "holder")
      try await eventually("a server is up") { try await sluice("status", "--json").json("control_url").text != nil }
      for delay in stride(from: 20, through: 500, by: 40) {
        let control = try sluice.start("control", name: "control")
        try await Task.sleep(for: .milliseconds(delay))
        kill(control, SIGTERM)
        try await Installed.ended(control, within: .seconds(15))
      }
      try await Installed.stop(holder)
    }
  }

  @Test("the last worker of a release with work is started again, whoever kills it")
  func respawn() async throws {
    try await with { sluice in
      let project = sluice.project
      try Self.write(project, "p", constant: 1)
      try Self.files(project, "p", count: 3000)
      #expect(try await sluice("up", "--detach", "--workers", "1").status == 0)
      #expect(try await sluice("deploy", "--label", "one").status == 0)
      #expect(try await sluice("run", "p").status == 0)
      try Self.write(project, "p", constant: 2)
      #expect(try await sluice("deploy", "--label", "two").status == 0)
      let status = try await sluice("status", "--json")
      let one = try #require(try status.json("releases").list.first { $0["label"].text == "one" })
      #expect(one["state"].text == "DRAINING")
      let pids = try status.json("workers").list.filter { $0["release"] == one["hash"] }.compactMap { $0["pid"].int }
      #expect(!pids.isEmpty)
      for pid in pids { kill(Int32(pid), SIGKILL) }
      try await eventually(within: .seconds(90), "the run ends where it began") {
        try await sluice("runs", "show", "1", "--json").json("state").text == "succeeded"
      }
      #expect(try await definitions(sluice, "p_rows") == [1: 3000])
      let drained = try await sluice("drain", "one", "--by", "30s", "--json")
      #expect(drained.status == 0, "\(drained.errors)")
    }
  }
}
