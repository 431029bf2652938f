import TestSupport
import Testing

/// `scaling:` of `sluice.yaml` with real processes: from no worker to the first job and back, and the number that a person sets.
@Suite("Workers follow the work")
struct ScaleCommandTests {
  @Test("with a min of 0 a system is up without a worker, and the first run starts one")
  func fromZero() async throws {
    try await TestProject.withProject { project in
      try await TestDatabase.withEmptyDatabase { database in
        let sluice = Installed(project, ["SLUICE_DATABASE_URL": database.url])
        #expect(try await sluice("init").status == 0)
        try project.write("sluice.yaml", "scaling: {max: 2}\n")
        let before = try await sluice("scale")
        #expect(before.status == 0, "\(before.errors)")
        #expect(before.output.hasPrefix("nothing is decided"))
        let up = try await sluice("up", "--detach", "--json")
        #expect(up.status == 0, "\(up.errors)")
        let run = try await sluice("run", "cities", "--wait", "--timeout", "60")
        #expect(run.status == 0, "\(run.errors)")
        let scale = try await sluice("scale", "--json")
        #expect(try scale.json("decision", "epoch").int == 1)
        #expect(try scale.json("decision", "inputs", "max_workers").int == 2)
        let why = try await sluice("scale", "--why")
        #expect(why.output.contains("min 0, max 2"), "\(why.output)")
        #expect(try await sluice("down").status == 0)
      }
    }
  }

  @Test("a number that a person sets is in status until it is ended, and needs a reason and a time")
  func set() async throws {
    try await TestProject.withProject { project in
      try await TestDatabase.withEmptyDatabase { database in
        let sluice = Installed(project, ["SLUICE_DATABASE_URL": database.url])
        #expect(try await sluice("init").status == 0)
        let refused = try await sluice("scale", "2", "--for", "2h", "--reason", "a backfill")
        #expect(refused.status == 1)
        #expect(refused.errors.contains("scaling: {max: 2}"), "\(refused.errors)")
        try project.write("sluice.yaml", "scaling: {max: 2}\n")
        for wrong in [
          ["2"], ["2", "--for", "2h"], ["2", "--reason", "r"], ["many"], ["auto", "--for", "2h"],
          ["--at", "2026-01-01T00:00:00Z"],
          ["--why", "--at", "yesterday"], ["--score", "--why"], ["2", "--score"],
        ] {
          let outcome = try await sluice.call(["scale"] + wrong)
          #expect(outcome.status == 2, "\(wrong)")
        }
        let score = try await sluice("scale", "--score")
        #expect(score.status == 0, "\(score.errors)")
        #expect(score.output.hasPrefix("nothing was predicted yet"))
        #expect(try await sluice("scale", "--score", "--json").json("scores").list.isEmpty)
        let set = try await sluice("scale", "5", "--for", "2h", "--reason", "a backfill", "--json")
        #expect(set.status == 0, "\(set.errors)")
        #expect(try set.json("workers").int == 5)
        #expect(set.errors.contains("scaling.max allows 2"))
        let status = try await sluice("status")
        #expect(status.output.contains("to 5 workers until"), "\(status.output)")
        #expect(status.output.contains("a backfill"))
        #expect(try await sluice("status", "--json").json("scaling", "override", "workers").int == 5)
        let ended = try await sluice("scale", "auto", "--json")
        #expect(try ended.json("ended", "workers").int == 5)
        #expect(try await sluice("status").output.contains("a backfill") == false)
      }
    }
  }
}
