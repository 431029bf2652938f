import Foundation
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
        try await draw(sluice, project)
        // Control follows what it has read; the file is another one now.
        try project.write("sluice.yaml", "scaling: {max: 1}\n")
        let changed = try await sluice("scale")
        #expect(changed.output.contains("max is 1, and control follows 2"), "\(changed.output)")
        let set = try await sluice("scale", "3", "--for", "1m", "--reason", "r")
        #expect(set.status == 0 && set.errors.contains("scaling.max allows 2"), "\(set.errors)")
        #expect(try await sluice("down").status == 0)
      }
    }
  }

  /// The chart of what was decided so far.
  private func draw(_ sluice: Installed, _ project: TestProject) async throws {
    let file = project.path("scaling & more.svg")
    try project.write("scaling & more.svg", "what was there before")
    func mode() throws -> Int? {
      try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
    }
    let before = try mode()
    let drawn = try await sluice("scale", "--chart", file, "--json")
    #expect(drawn.status == 0, "\(drawn.errors)")
    #expect(try drawn.json("decisions").int ?? 0 > 0)
    let svg = try String(contentsOfFile: file, encoding: .utf8)
    #expect(try mode() == before, "the file that was there")
    #expect(svg.hasPrefix("<?xml") && svg.hasSuffix("</svg>\n"))
    #expect(try await sluice("scale", "--chart", "-").output.hasPrefix("<?xml"))
    let folder = try await sluice("scale", "--chart", project.directory)
    #expect(folder.status != 0 && folder.errors.contains("is a folder"), "\(folder.errors)")
    let device = try await sluice("scale", "--chart", "/dev/null")
    #expect(device.status != 0 && device.errors.contains("no regular file"), "\(device.errors)")
    let nowhere = try await sluice("scale", "--chart", project.path("no/such/folder.svg"))
    #expect(nowhere.status != 0 && nowhere.errors.contains("cannot be written"), "\(nowhere.errors)")
    let past = try await sluice(
      "scale", "--chart", file, "--from", "2001-01-01T00:00:00Z", "--to", "2001-01-02T00:00:00Z")
    #expect(past.status != 0 && past.errors.contains("no decision from 2001-01-01T00:00:00Z"), "\(past.errors)")
    #expect(try String(contentsOfFile: file, encoding: .utf8) == svg)
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
          ["2"], ["2", "--for", "2h"], ["2", "--reason", "r"], ["2", "--for", "2h", "--reason", "  "], ["many"],
          ["auto", "--for", "2h"],
          ["--at", "2026-01-01T00:00:00Z"],
          ["--why", "--at", "yesterday"], ["--score", "--why"], ["2", "--score"],
          ["--chart", "a.svg", "--why"], ["--chart", ""], ["--from", "2026-01-01T00:00:00Z"],
          ["--chart", "a.svg", "--from", "yesterday"],
          ["--chart", "a.svg", "--from", "2026-01-02T00:00:00Z", "--to", "2026-01-01T00:00:00Z"],
        ] {
          let outcome = try await sluice.call(["scale"] + wrong)
          #expect(outcome.status == 2, "\(wrong)")
        }
        let future = try await sluice("scale", "--why", "--at", "2099-01-01T00:00:00Z")
        #expect(future.status == 2 && future.errors.contains("in the future"), "\(future.errors)")
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
        #expect(try await sluice("up", "--detach", "--workers", "0").status == 0)
        let useless = try await sluice("scale", "1", "--for", "2h", "--reason", "r")
        #expect(useless.status == 1 && useless.errors.contains("control keeps 0 workers"), "\(useless.errors)")
        #expect(try await sluice("status").output.contains("control keeps 0 workers"))
        #expect(try await sluice("down").status == 0)
      }
    }
  }
}
