import Glibc
import Postgres
import TestSupport
import Testing

@testable import sluice

/// `sluice env reset` with real processes and databases.
@Suite("Reset of environments")
struct EnvironmentResetTests {
  private typealias Shop = EnvironmentTests

  @Test(
    "it is empty again, with its model, its scale and the time to live that env up gave it; it says what it removed")
  func whole() async throws {
    try await Shop.inProject { sluice, _ in
      #expect(
        try await sluice("env", "reset", "pr-1", "--yes", "--json").json("error", "code").text == "not_made_by_env_up")
      let up = try await sluice("env", "up", "pr-1", "--like", "local", "--scale", "0.5", "--ttl", "8h")
      #expect(up.status == 0, "\(up.errors)")
      #expect(try await sluice("run", "shop", "--env", "pr-1", "--wait").status == 0)
      #expect(try await sluice("env", "extend", "pr-1", "--ttl", "2d").status == 0)

      let asked = try await sluice("env", "reset", "pr-1")
      #expect(asked.status == 3 && asked.errors.contains("sluice env reset pr-1 --yes"), "\(asked.errors)")
      #expect(try await sluice("env", "protect", "pr-1").status == 0)
      let refused = try await sluice("env", "reset", "pr-1", "--yes", "--json")
      #expect(try refused.status == 3 && refused.json("error", "code").text == "protected")
      #expect(try await sluice("runs", "--env", "pr-1", "--json").json("runs").list.count > 0)
      #expect(try await sluice("env", "protect", "pr-1", "--off").status == 0)

      let reset = try await sluice("env", "reset", "pr-1", "--yes", "--json")
      #expect(reset.status == 0, "\(reset.errors)")
      #expect(try reset.json("made") == .bool(true))
      #expect(try reset.json("removed").list.compactMap { $0["kind"].text } == ["database", "storage", "state"])
      let shown = try await sluice("env", "show", "pr-1", "--json")
      #expect(try shown.json("scale") == .number(0.5) && shown.json("state").text == "ready")
      #expect((7 * 3600...8 * 3600).contains(try shown.json("seconds_left").int ?? 0))
      #expect(try await sluice("runs", "--env", "pr-1", "--json").json("runs").list == [])
      #expect(try await sluice("env", "down", "pr-1", "--yes").status == 0)
      let gone = try await sluice("env", "reset", "pr-1", "--yes", "--json")
      #expect(try gone.status == 3 && gone.json("error", "code").text == "environment_gone")
    }
  }

  @Test("killed at any step, it is continued by the same call, also after a sweep, and given up by env down")
  func killed() async throws {
    try await Shop.inProject { sluice, database in
      #expect(try await sluice("env", "up", "pr-1", "--scale", "0.5", "--ttl", "8h").status == 0)
      for (step, isSwept) in [
        (EnvironmentStep.announced, false), (.dropped, true), (.marked, true),
      ] {
        let state = sluice.project.directory + "/.sluice/pr-1"
        if step == .dropped, var file = try CopyFile.read(state) {
          // As an earlier engine wrote it.
          file.recipe = nil
          try file.write(state)
        }
        let killed = try await sluice("env", "reset", "pr-1", "--yes", adding: ["SLUICE_KILL_AT": step.rawValue])
        #expect(killed.status == 128 + Int(SIGKILL), "\(step): \(killed.errors)")
        if isSwept { #expect(try await sluice("env", "sweep").output.contains("removed pr-1"), "\(step)") }
        let refused = try await sluice("run", "shop", "--env", "pr-1")
        #expect(refused.status == 3 && refused.errors.contains("sluice env reset pr-1"), "\(step): \(refused.errors)")
        let reset = try await sluice("env", "reset", "pr-1", "--yes")
        #expect(reset.status == 0, "\(step): \(reset.errors)")
        let shown = try await sluice("env", "show", "pr-1", "--json")
        #expect(try shown.json("scale") == .number(0.5) && shown.json("state").text == "ready", "\(step)")
        #expect((7 * 3600...8 * 3600).contains(try shown.json("seconds_left").int ?? 0), "\(step)")
      }
      let killed = try await sluice(
        "env", "reset", "pr-1", "--yes", adding: ["SLUICE_KILL_AT": EnvironmentStep.emptied.rawValue])
      #expect(killed.status == 128 + Int(SIGKILL), "\(killed.errors)")
      #expect(try await sluice("env", "down", "pr-1", "--yes").status == 0)
      #expect(try await Shop.databases(database) == [])
      #expect(try await sluice("env", "reset", "pr-1", "--yes").status == 3)
    }
  }
}
