import FoundationEssentials
import Glibc
import Launchers
import TestSupport
import Testing

@Suite("Releases that lost something, that are rolled back, and that somebody looks at")
struct ReleaseUpkeepTests {
  private func with(_ body: @Sendable (Installed) async throws -> Void) async throws {
    try await TestProject.withProject { project in
      let sluice = Installed(project)
      try Self.write(project, constant: 1)
      try project.write("d/1.csv", "id\n1\n")
      do { try await body(sluice) } catch {
        _ = try? await sluice("down", "--timeout", "10")
        throw error
      }
      _ = try await sluice("down")
    }
  }

  private static func write(_ project: TestProject, constant: Int) throws {
    try project.write(
      "pipelines/p.yaml",
      """
      pipeline: p
      sources: {s: {files: {at: "file:d"}, streams: {a: {match: "*.csv", records: {format: csv}}}}}
      curate: {rows: {from: s.a, sql: sql/p.sql, columns: {id: {type: bigint, required: true}, definition: bigint}}}

      """)
    try project.write("sql/p.sql", "select id, \(constant) as definition from a\n")
  }

  /// Takes the engine of a release from the storage, and every copy of it.
  private static func lose(_ project: TestProject, leaving bytes: Data? = nil) throws {
    let folder = project.path(".sluice/storage/releases/engines")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder)
    #expect(names.count == 1)
    for name in names {
      try FileManager.default.removeItem(atPath: folder + "/" + name)
      try bytes?.write(to: URL(filePath: folder + "/" + name))
    }
    try FileManager.default.removeItem(atPath: project.path(".sluice/local/engines"))
  }

  @Test(
    "an engine that the storage lost is told by status and up; the same deploy repairs it, and waiting runs continue")
  func lostEngine() async throws {
    try await with { sluice in
      let project = sluice.project
      #expect(try await sluice("up", "--detach", "--workers", "1").status == 0)
      #expect(try await sluice("deploy", "--label", "one").status == 0)
      try Self.lose(project)
      for worker in try await sluice("status", "--json").json("workers").list {
        kill(Int32(try #require(worker["pid"].int)), SIGKILL)
      }
      #expect(try await sluice("run", "p").status == 0, "it waits for a worker")
      let status = try await sluice("status")
      #expect(status.output.contains("release one: the storage has no engine"), "\(status.output)")
      #expect(status.output.contains("sluice deploy --engine PATH"))
      let again = try await sluice("deploy", "--json")
      #expect(again.status == 0, "\(again.errors)")
      #expect(try again.json("outcome").text == "already_current")
      #expect(try again.json("repaired").list.map(\.text) == ["engine"])
      #expect(try await sluice("status", "--json").json("releases").list.first?["trouble"] == .null)
      try await eventually(within: .seconds(60), "the run ends") {
        try await sluice("runs", "show", "1", "--json").json("state").text == "succeeded"
      }

      // Damaged while nothing is up.
      #expect(try await sluice("down").status == 0)
      try Self.lose(project, leaving: Data("damaged".utf8))
      let up = try await sluice("up", "--detach", "--workers", "1", "--json")
      #expect(up.status != 0)
      #expect(up.output.contains("release one: the engine"), "\(up.output)")
      #expect(up.output.contains("sluice releases repair --engine PATH"))
      let other = try await sluice("releases", "repair", "--engine", "/bin/true", "--json")
      #expect(other.status == 3)
      #expect(try other.json("error", "code").text == "engine_unknown")
      let repaired = try await sluice("releases", "repair", "--json")
      #expect(repaired.status == 0, "\(repaired.errors)")
      #expect(try repaired.json("releases").list.map(\.text) == ["one"])
      #expect(try await sluice("up", "--detach", "--workers", "1").status == 0)
    }
  }

  @Test(
    "Ctrl-C of a waiting canary says that it continues; a second rollback in a row is refused until it names a release")
  func interrupted() async throws {
    try await with { sluice in
      let project = sluice.project
      #expect(try await sluice("deploy", "--label", "zero").status == 0)
      try Self.write(project, constant: 2)
      #expect(try await sluice("deploy", "--label", "one").status == 0)
      try Self.write(project, constant: 3)
      let deploy = try sluice.start(
        "deploy", "--label", "two", "--canary", "10%", "--no-rehearsal", name: "deploy")
      try await eventually("it is followed") {
        try String(contentsOfFile: project.path("deploy.log"), encoding: .utf8).contains("look 0 of")
      }
      kill(deploy, SIGINT)
      var end = DetachedProcess.Ending.running
      try await eventually(within: .seconds(90), "the wait ends") {
        end = DetachedProcess.ending(of: deploy)
        return end != .running
      }
      #expect(end == .ended(status: 6))
      let said = try String(contentsOfFile: project.path("deploy.log"), encoding: .utf8)
      #expect(said.contains("the canary two continues"), "\(said)")
      for command in ["sluice releases show two", "sluice rollback two", "sluice promote two", "sluice up"] {
        #expect(said.contains(command), "\(said)")
      }
      let held = try await sluice("releases", "retire", "two", "--json")
      #expect(held.status == 3)
      #expect(try held.json("error", "hint").text?.contains("sluice rollback two") == true)

      let first = try await sluice("rollback", "--json")
      #expect(first.status == 0, "it ends the canary: \(first.errors)")
      #expect(try first.json("outcome").text == "rolled_back")
      let second = try await sluice("rollback", "--json")
      #expect(second.status == 3)
      #expect(try second.json("error", "code").text == "rolled_back_already")
      #expect(try second.json("error", "hint").text?.contains("sluice rollback --to zero") == true)
      #expect(try await sluice("rollback", "--to", "zero").status == 0)
      let third = try await sluice("rollback", "--json")
      #expect(third.status == 3, "it would return to what was left")
      #expect(try third.json("error", "message").text?.contains("zero took the place of one") == true)
      #expect(try await sluice("rollback", "--to", "one").status == 0)

      // What ended and is not needed can be removed at once; what was removed is deployed again whole.
      let retired = try await sluice("releases", "retire", "two", "--remove", "--json")
      #expect(retired.status == 0, "\(retired.output)")
      #expect(try retired.json("removed") == .bool(true))
      let gone = try await sluice("rollback", "--to", "two", "--json")
      #expect(gone.status == 3)
      #expect(try gone.json("error", "code").text == "release_removed")
      #expect(try await sluice("deploy", "--label", "two").status == 0)
      #expect(try await sluice("run", "p", "--wait").status == 0)
    }
  }
}
