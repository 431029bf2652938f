import FoundationEssentials
import Glibc
import TestSupport
import Testing

@Suite("Limits of a pipeline")
struct LimitTests {
  @Test("a process that is killed with the only permit: status says who waits for it, and a worker goes on in turn")
  func killed() async throws {
    try await TestProject.withProject { project in
      // With so many slots one claim takes all three jobs, so that two of them wait before the first has pulled anything.
      try project.write("sluice.yaml", "limits: {slots: 10}\n")
      try project.write(
        "pipelines/p.yaml",
        """
        pipeline: p
        weight: 2.5
        limits: {concurrency: 1}
        sources:
          s:
            files: {at: "file:d"}
            streams:
              a: {match: "a*.csv", records: {format: csv}}
              b: {match: "b*.csv", records: {format: csv}}
              c: {match: "c*.csv", records: {format: csv}}
        curate: {d: {from: s.a, columns: {id: {type: bigint, required: true}}}, e: {from: s.b}, f: {from: s.c}}

        """)
      for name in ["a", "b", "c"] {
        for number in 1...200 { try project.write("d/\(name)\(number).csv", "id\n\(number)\n") }
      }
      let sluice = Installed(project)
      let run = try sluice.start("run", "p", name: "run", adding: ["SLUICE_KILL_AT": "ingest.object_written:150"])
      try await Installed.ended(run)
      #expect(try project.text("run.log").contains("kill point ingest.object_written"))

      let status = try await sluice("status", "--json")
      let waiting = try #require(try status.json("waiting").list.first, "\(status.output)")
      #expect(waiting["pipeline"].text == "p" && waiting["permit"].text == "pipeline/p")
      #expect(waiting["jobs"].int == 2 && waiting["slots"].int == 1 && waiting["taken"].int == 1)
      #expect(try await sluice("status").output.contains("2 job(s) of p for pipeline/p (1 of 1 taken), since"))

      let worker = try sluice.start("worker", name: "worker")
      try await eventually(within: .seconds(60), "the run ends") {
        try await sluice("runs", "show", "1", "--json").json("state").text == "succeeded"
      }
      try await Installed.stop(worker)
      let jobs = try await sluice("runs", "show", "1", "--json").json("jobs").list
      let statuses = jobs.flatMap { job in job["attempts"].list.compactMap { $0["status"].text } }
      #expect(statuses.count { $0 == "done" } == 6)
      #expect(statuses.count { $0 == "crashed" } == 1)
      #expect(statuses.count == 7, "waiting leaves no trace in the history: \(statuses)")
      #expect(try await sluice("status", "--json").json("waiting").list.isEmpty)
    }
  }
}
