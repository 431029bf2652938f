import Glibc
import TestSupport
import Testing

@testable import sluice

/// `sluice env up --release` and `--from` with real processes and databases.
@Suite("Definitions of environments")
struct EnvironmentDefinitionTests {
  private typealias Shop = EnvironmentTests

  @Test("it begins with the release of its model, or with a folder, that it names; the project folder may change")
  func named() async throws {
    try await Shop.inProject { sluice, _ in
      let none = try await sluice("env", "up", "pr-1", "--release", "current", "--json")
      #expect(try none.status == 2 && none.json("error", "message").text?.contains("nothing was deployed") == true)
      #expect(try await sluice("deploy", "--label", "v1").status == 0)
      let elsewhere = sluice.project.path("elsewhere")
      try sluice.project.write("elsewhere/pipelines/shop.yaml", Shop.pipeline.replacing("name: {type: text}", with: ""))
      try sluice.project.write("elsewhere/pipelines/broken.yaml", "pipeline: broken\nsauces: {}\n")
      // The project folder is not what runs.
      try sluice.project.write("pipelines/shop.yaml", Shop.pipeline.replacing("orders:", with: "others:"))

      let killed = try await sluice(
        "env", "up", "pr-1", "--release", "current", adding: ["SLUICE_KILL_AT": EnvironmentStep.stored.rawValue])
      #expect(killed.status == 128 + Int(SIGKILL), "\(killed.errors)")
      #expect(try await sluice("run", "shop", "--env", "pr-1").status == 3)
      let up = try await sluice("env", "up", "pr-1", "--release", "v1", "--json")
      #expect(up.status == 0, "\(up.errors)")
      #expect(try up.json("definition", "release").text == "v1" && up.json("pipelines").list == [.text("shop")])
      let run = try await sluice("run", "shop", "--env", "pr-1", "--wait")
      #expect(run.status == 0, "\(run.errors)")
      let rows = try await sluice("query", "select name from orders where id = 1", "--env", "pr-1", "--json")
      #expect(rows.output.contains("\"a\""), "\(rows.output)\(rows.errors)")
      let plain = try await sluice("env", "up", "pr-1", "--json")
      #expect(try plain.status == 3 && plain.json("error", "code").text == "environment_exists", "\(plain.errors)")
      let reset = try await sluice("env", "reset", "pr-1", "--yes")
      #expect(reset.status == 0, "\(reset.errors)")
      let diff = try await sluice("env", "diff", "local", "pr-1", "--json")
      #expect(try diff.json("pipelines").list.map { $0["likeness"].text } == ["same"], "\(diff.errors)")

      // A definition that does not pass is refused before anything is made.
      let broken = try await sluice("env", "up", "pr-2", "--from", "elsewhere")
      #expect(broken.status == 2 && broken.errors.contains("sauces"), "\(broken.errors)")
      #expect(!sluice.project.exists(".sluice/pr-2"))
      #expect(unlink(elsewhere + "/pipelines/broken.yaml") == 0)
      let from = try await sluice("env", "up", "pr-2", "--from", "elsewhere", "--json")
      #expect(from.status == 0, "\(from.errors)")
      #expect(try from.json("definition", "folder").text == elsewhere)
      let other = try await sluice("env", "diff", "pr-1", "pr-2", "--json")
      #expect(try other.json("pipelines").list.map { $0["likeness"].text } == ["differs"], "\(other.errors)")
      #expect(try await sluice("env", "up", "pr-3", "--from", "nowhere").status == 2)
      for name in ["pr-1", "pr-2"] { #expect(try await sluice("env", "down", name, "--yes").status == 0) }
    }
  }
}
