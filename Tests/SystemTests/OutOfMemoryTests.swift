import TestSupport
import Testing

@Suite("SQL that needs more memory than there is")
struct OutOfMemoryTests {
  @Test(
    "is tried alone with half more each time, and is dead at the third attempt, with the command that takes it up again"
  )
  func third() async throws {
    try await TestProject.withProject { project in
      try project.write("sluice.yaml", "limits: {memory: 60MB, temp: 12MB, threads: 1}\n")
      try project.write(
        "pipelines/p.yaml",
        """
        pipeline: p
        sources: {s: {files: {at: "file:d"}, streams: {a: {match: "*.csv", records: {format: csv}}}}}
        curate:
          large: {from: s.a, over: batch, sql: sql/large.sql, columns: {everything: {type: bigint}}}
          small: {from: s.a, columns: {id: {type: bigint, required: true}}}

        """)
      try project.write(
        "sql/large.sql",
        "select len(list(r.range::varchar || repeat('x', 2000))) as everything from a, range(400000) r\n")
      try project.write("d/a.csv", "id\n1\n")
      let sluice = Installed(project)
      let run = try await sluice("run", "p", "--json")
      #expect(run.status == 1, "\(run.errors)")
      let jobs = try await sluice("runs", "show", "1", "--json").json("jobs").list
      let large = try #require(jobs.first { $0["label"].text == "large" })
      let attempts = large["attempts"].list
      #expect(attempts.compactMap { $0["status"].text } == ["retried", "retried", "dead"], "\(run.errors)")
      let messages = attempts.compactMap { $0["detail"]["message"].text ?? $0["error"]["message"].text }
      for (message, limit) in zip(messages, ["60 MB", "90 MB", "135 MB"]) {
        #expect(message.contains("needs more than \(limit) of memory"))
      }
      let error = try run.json("error")
      #expect(error["code"].text == "memory_limit")
      #expect(error["hint"].text?.contains("sluice jobs retry") == true, "\(run.output)")
      #expect(jobs.first { $0["label"].text == "small" }?["state"].text == "DONE", "its worker does other work")
    }
  }
}
