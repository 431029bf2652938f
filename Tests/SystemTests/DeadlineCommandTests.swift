import TestSupport
import Testing

@Suite("Deadlines on the command line")
struct DeadlineCommandTests {
  @Test("plan, runs show and status say by when a run is due, and a run that has ended expects no end")
  func shown() async throws {
    try await TestProject.withProject { project in
      try project.write(
        "pipelines/p.yaml",
        """
        pipeline: p
        deadline: {loaded_by: "05:30", timezone: Europe/Zurich}
        sources: {s: {files: {at: "file:d"}, streams: {a: {match: "*.csv", records: {format: csv}}}}}
        curate: {d: {from: s.a}}
        notify: [{when: [late], command: [./tell]}]

        """)
      try project.write("d/1.csv", "id\n1\n")
      let sluice = Installed(project)
      let plan = try await sluice("plan", "p", "--json")
      #expect(try plan.json("deadline", "loaded_by").text == "05:30")
      #expect(try plan.json("deadline", "next").text?.contains(":30:00+00") == true)
      #expect(try await sluice("run", "p").status == 0)
      let run = try await sluice("runs", "show", "1", "--json")
      let deadline = try run.json("deadline").text
      #expect(deadline?.contains(":30:00+00") == true)
      #expect(try run.json("expected", "mean").text == nil)
      #expect(try await sluice("runs", "show", "1").output.contains("due     \(deadline ?? "?")"))
      #expect(try await sluice("status", "--json").json("runs").list.first?["deadline"].text == deadline)
    }
  }
}
