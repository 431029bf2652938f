import FoundationEssentials
import TestSupport
import Testing

/// Segments of histories from run to run, with the built program.
@Suite("Segments of histories from run to run")
struct StoredSegmentTests {
  @Test("give the rows of the whole history, also after a worker that died before its commit, and leave no file behind")
  func runs() async throws {
    try await TestProject.withProject { project in
      try project.write(
        "pipelines/p.yaml",
        """
        pipeline: p
        sources:
          s: {files: {at: "file:d"}, streams: {v: {match: "v*.csv", key: [id]}, o: {match: "o*.csv", key: [o]}}}
        curate:
          joined: {from: [s.o, s.v], sql: sql/joined.sql}
          totals: {from: s.v, sql: sql/totals.sql, over: all}

        """)
      try project.write("sql/joined.sql", "select o, v.n from o join current.v v on v.id = o.id\n")
      try project.write("sql/totals.sql", "select count(*) as n, sum(n::bigint)::bigint as s from v\n")
      let sluice = Installed(project)
      defer { sluice.killAll() }
      func files() throws -> Set<String> {
        let storage = project.path(".sluice/storage")
        let all = try FileManager.default.subpathsOfDirectory(atPath: storage)
        return Set(all.filter { $0.contains("/history/") && $0.hasSuffix(".parquet") })
      }
      func rows(_ sql: String) async throws -> [JSONNode] {
        try await sluice("query", sql, "--json").json("rows").list
      }
      var values: [Int: Int] = [:]
      for run in 1...6 {
        // Later deliveries are smaller, so that segments stay next to one another.
        let ids = run == 1 ? Array(1...40) : [run, run + 1, 100 + run]
        for id in ids { values[id] = run * 1_000 + id }
        try project.write("d/v\(run).csv", "id,n\n" + ids.map { "\($0),\(run * 1_000 + $0)\n" }.joined())
        try project.write("d/o\(run).csv", "o,id\n\(run),\(run)\n")
        if run == 3 {
          let killed = try sluice.start("run", "p", name: "killed", adding: ["SLUICE_KILL_AT": "curate.files_written"])
          try await Installed.ended(killed)
          #expect(try project.text("killed.log").contains("kill point curate.files_written"))
          let worker = try sluice.start("worker", name: "worker")
          try await eventually(within: .seconds(60), "the run ends") {
            try await sluice("runs", "show", "3", "--json").json("state").text == "succeeded"
          }
          try await Installed.stop(worker)
        } else {
          let ended = try await sluice("run", "p", "--wait")
          #expect(ended.status == 0, "\(ended.errors)")
        }
        let joined = try await rows("select n from joined where o = '\(run)'")
        #expect(joined.map { $0["n"].text } == ["\(values[run] ?? 0)"], "run \(run)")
        let totals = try await rows("select n, s from totals")
        #expect(
          totals.map { [$0["n"].int, $0["s"].int] } == [[values.count, values.values.reduce(0, +)]], "run \(run)")
      }
      let found = try files()
      #expect(found.count { $0.contains("/joined/") } == 2, "\(found)")
      #expect(found.count { $0.contains("/totals/") } == 2, "\(found)")
      // Raw that the segments stand for is not read again; without them it is.
      for file in found { try FileManager.default.removeItem(atPath: project.path(".sluice/storage/\(file)")) }
      try project.write("d/v7.csv", "id,n\n1,7\n")
      values[1] = 7
      let ended = try await sluice("run", "p", "--wait")
      #expect(ended.status == 0, "\(ended.errors)")
      let totals = try await rows("select n, s from totals")
      #expect(totals.map { [$0["n"].int, $0["s"].int] } == [[values.count, values.values.reduce(0, +)]])
    }
  }
}
