import FoundationEssentials
import TestSupport
import Testing

/// A batch that is large enough for several jobs, with the built program.
@Suite("A batch of many files")
struct PartTests {
  @Test(
    "is split, survives kills after the split and in a part, and gives what one job gives with one worker of one slot")
  func killed() async throws {
    try await TestProject.withProject { project in
      try project.write("sluice.yaml", "limits: {slots: 1}\nscaling: {min: 1, max: 2, worker: {slots: 1}}\n")
      try project.write(
        "pipelines/p.yaml",
        """
        pipeline: p
        sources: {s: {files: {at: "file:d"}, streams: {v: {match: "*.csv", records: {format: csv}, key: [id]}}}}
        curate: {d: {from: [s.v], columns: {id: {type: bigint, required: true}, n: {type: integer}}}}

        """)
      // Two parts of 525 files. Of each of 400 keys the last file in the order of the paths has the row that counts.
      let files = 1_050
      for number in 0..<files {
        let bad = number.isMultiple(of: 100) ? "x,1\n" : ""
        try project.write("d/\(10_000 + number).csv", "id,n\n\(number % 400),\(number)\n\(bad)")
      }
      let sluice = Installed(project)
      defer { sluice.killAll() }
      let run = try sluice.start("run", "p", name: "run", adding: ["SLUICE_KILL_AT": "ingest.checkpointed"])
      try await Installed.ended(run)
      #expect(try project.text("run.log").contains("kill point ingest.checkpointed"))
      func ingests() async throws -> [JSONNode] {
        try await sluice("runs", "show", "1", "--json").json("jobs").list.filter { $0["stage"].text == "ingest" }
      }
      #expect(try await ingests().map { $0["label"].text } == ["s.v", "s.v 2/2"])
      #expect(
        try await ingests().map { $0["checkpoint"]["format"].text } == Array(repeating: "ingest.files-part/1", count: 2)
      )
      let killed = try sluice.start("worker", name: "killed", adding: ["SLUICE_KILL_AT": "ingest.checkpointed:30"])
      try await Installed.ended(killed)
      let worker = try sluice.start("worker", name: "worker")
      try await eventually(within: .seconds(60), "the run ends") {
        try await sluice("runs", "show", "1", "--json").json("state").text == "succeeded"
      }
      try await Installed.stop(worker)
      #expect(try await ingests().map { $0["state"].text } == ["DONE", "DONE"])

      let stages = try await sluice("runs", "show", "1", "--json").json("stages")
      #expect(stages["ingest"]["objects"].int == files)
      let curated = stages["curate"]
      #expect(curated["rows_in"].int == files + 11 && curated["rows_out"].int == 400, "\(curated)")
      #expect(curated["quarantined"].int == 11 && curated["deduplicated"].int == files - 400, "\(curated)")
      let rows = try await sluice("query", "select id, n from d order by id", "--json").json("rows").list
      let last = (0..<400).map { key in (0..<files).last { $0 % 400 == key } ?? -1 }
      #expect(rows.map { $0["n"].int } == last)
    }
  }
}
