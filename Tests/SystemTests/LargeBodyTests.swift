import TestSupport
import Testing

@Suite("Large bodies")
struct LargeBodyTests {
  @Test("half a gibibyte that one response brings needs no more memory than a page")
  func memory() async throws {
    try await TestProject.withProject { project in
      let sluice = Installed(project)
      defer { sluice.killAll() }
      let url = try await PythonSource.start(sluice)
      try project.write(
        "pipelines/large.yaml",
        """
        pipeline: large
        sources: {s: {http: {base_url: "\(url)"}, streams: {body: {get: /large, records: {format: bytes}}}}}

        """)
      let run = try await sluice("run", "large", "--wait", "--json")
      #expect(run.status == 0, "\(run.output)")
      #expect(try run.json("stages", "ingest", "bytes").int == 512 << 20)
      let jobs = try await sluice("runs", "show", "1", "--json").json("jobs").list
      let peak = try #require(jobs.first?["attempts"].list.last?["detail"]["peak_memory"].int)
      #expect(peak < 160 << 20, "\(peak) bytes")
    }
  }
}
