import TestSupport
import Testing

@Suite("Command line")
struct CommandLineTests {
  @Test("init makes a project that runs at once, and changes no file that exists")
  func initRuns() async throws {
    try await TestProject.withProject { project in
      try project.write("sluice.yaml", "limits: {slots: 1}\n")
      let sluice = Installed(project)
      #expect(try await sluice("init").status == 0)
      #expect(try project.text("sluice.yaml") == "limits: {slots: 1}\n")
      #expect(try await sluice("check").status == 0)
      let run = try await sluice("run", "cities", "--json")
      #expect(run.status == 0, "\(run.errors)")
      #expect(try run.json("state").text == "succeeded")
      #expect(try run.json("stages", "curate", "rows_in").int == 4)
      #expect(try run.json("stages", "curate", "quarantined").int == 1)
      let query = try await sluice("query", "select count(*) as n from cities", "--json")
      #expect(try query.json("rows").list.first?["n"].int == 3)
      let shown = try await sluice("runs", "show", "1", "--json")
      let jobs = try shown.json("jobs").list
      #expect(jobs.map { $0["stage"].text } == ["ingest", "curate"])
      #expect(jobs.first?["checkpoint"]["format"].text == "ingest.files/1")
      #expect(jobs.first?["attempts"].list.count == 1)
    }
  }

  @Test("the JSON of a query is whole: after an error behind the first rows it ends with the error")
  func queryJSON() async throws {
    try await TestProject.withProject { project in
      let sluice = Installed(project)
      #expect(try await sluice("init").status == 0)
      #expect(try await sluice("run", "cities").status == 0)
      let values = try await sluice("query", "select ['nan'::double] as l, 'inf'::double as d", "--json")
      #expect(values.status == 0)
      #expect(try values.json("rows").list == [.object(["l": .list([.text("nan")]), "d": .text("inf")])])
      let rows = "from cities, range(200000) as r(i)"
      for (sql, code, option) in [
        ("select i \(rows)", "result_too_large", "--max-rows=100000"),
        ("select i, case when i = 150000 then error('no ' || i) end as e \(rows)", "sql_error", "--max-rows=1000000"),
      ] {
        let cut = try await sluice("query", sql, option, "--json")
        #expect(cut.status == 1)
        #expect(try !cut.json("columns").list.isEmpty && !cut.json("rows").list.isEmpty, "\(cut.output.suffix(300))")
        #expect(try cut.json("error", "code").text?.hasSuffix(code) == true, "\(cut.output.suffix(300))")
        #expect(cut.errors.hasPrefix("sluice: "), "\(cut.errors)")
      }
      let refused = try await sluice("query", "select * from nothing", "--json")
      #expect(refused.status == 1)
      #expect(try refused.json("error", "code").text == "query_refused" && refused.json("columns") == .null)
    }
  }

  /// What a user does wrong, and what the program says first.
  static let mistakes: [(yaml: String, says: String)] = [
    ("pipeline: p\nshedule: {cron: x}\n", "pipelines/p.yaml:2:1: unknown key \"shedule\"; did you mean \"schedule\"?"),
    ("pipeline: q\nsources: {}\n", "pipelines/p.yaml:1:11:"),
    ("pipeline: p\nsources: [\n", "pipelines/p.yaml:"),
    (
      "pipeline: p\nsources: {s: {files: {at: \"file:d\"}, streams: {a: {match: \"*.csv\"}}}}\ncurate: {d: {from: s.a, sql: sql/none.sql}}\n",
      "sql/none.sql"
    ),
  ]

  @Test("a definition that is wrong is exit 2 with its place, and nothing is started", arguments: mistakes)
  func mistake(_ mistake: (yaml: String, says: String)) async throws {
    try await TestProject.withProject { project in
      try project.write("pipelines/p.yaml", mistake.yaml)
      let sluice = Installed(project)
      for verb in ["check", "run"] {
        let outcome = try await sluice(verb, "p", "--json")
        #expect(outcome.status == 2, "\(verb): \(outcome.errors)")
        #expect(outcome.errors.contains(mistake.says), "\(outcome.errors)")
      }
      #expect(!project.exists(".sluice"))
    }
  }

  @Test("a feature that comes later is exit 2 and says so, never ignored")
  func later() async throws {
    try await TestProject.withProject { project in
      try project.write(
        "pipelines/p.yaml",
        """
        pipeline: p
        was: q
        sources: {s: {files: {at: "file:d"}, streams: {a: {match: "*.csv"}}}}
        curate: {d: {from: s.a}}

        """)
      let outcome = try await Installed(project)("check")
      #expect(outcome.status == 2)
      #expect(outcome.errors.contains("not supported yet"), "\(outcome.errors)")
    }
  }

  @Test("usage is exit 2, help is exit 0, an unknown run is exit 1 with a way out")
  func exits() async throws {
    try await TestProject.withProject { project in
      let sluice = Installed(project)
      #expect(try await sluice("init").status == 0)
      #expect(try await sluice("--help").status == 0)
      #expect(try await sluice("run").status == 2)
      #expect(try await sluice("frobnicate").status == 2)
      #expect(try await sluice("run", "nothing").status == 2)
      let unknown = try await sluice("runs", "show", "99", "--json")
      #expect(unknown.status == 1)
      #expect(try unknown.json("error", "code").text == "run_unknown")
      let unreachable = try await sluice(
        "runs", "--json", adding: ["SLUICE_DATABASE_URL": "postgresql://127.0.0.1:1/x"])
      #expect(unreachable.status == 4)
    }
  }

  @Test(
    "a document that cannot be parsed fails at once, keeps its bytes, tells the notify command; the next run goes on")
  func brokenDocument() async throws {
    try await TestProject.withProject { project in
      try project.write(
        "pipelines/p.yaml",
        """
        pipeline: p
        sources: {s: {files: {at: "file:d"}, streams: {a: {match: "*.json", records: {format: json, path: "$[*]"}}}}}
        curate: {d: {from: s.a, columns: {id: {type: bigint, required: true}}}}
        notify: [{when: [failed], command: [./tell]}]

        """)
      try project.write("tell", "#!/bin/sh\ncat > told.json\n")
      #expect(chmodExecutable(project.path("tell")))
      try project.write("d/1.json", "[{\"id\": 1}, {\"id\": 2]")
      let sluice = Installed(project)
      let failed = try await sluice("run", "p", "--json")
      #expect(failed.status == 1)
      #expect(try failed.json("state").text == "failed")
      let error = try failed.json("error", "message").text ?? ""
      #expect(error.contains("s.a") && error.contains("1.json"), "\(error)")
      #expect(try project.text("told.json").contains("\"failed\""))
      let jobs = try await sluice("jobs", "--json").json("jobs").list
      #expect(jobs.filter { $0["state"].text == "DEAD" }.allSatisfy { $0["attempt"].int == 1 })

      try project.write("d/2.json", "[{\"id\": 3}]")
      try project.write("d/1.json", "[{\"id\": 1}]")
      #expect(try await sluice("run", "p", "--json").status == 0)
      let count = try await sluice("query", "select count(*) as n from d", "--json")
      #expect(try count.json("rows").list.first?["n"].int == 2)
    }
  }

  @Test("too many bad rows stop the run, nothing of it is in the dataset, and its raw stays due")
  func stopOver() async throws {
    try await TestProject.withProject { project in
      try project.write(
        "pipelines/p.yaml",
        """
        pipeline: p
        sources: {s: {files: {at: "file:d"}, streams: {a: {match: "*.csv", records: {format: csv}}}}}
        curate: {d: {from: s.a, columns: {id: {type: bigint, required: true}}, bad_rows: {to: quarantine, stop_over: 10%}}}

        """)
      try project.write("d/1.csv", "id\n1\nx\n")
      let sluice = Installed(project)
      #expect(try await sluice("run", "p").status == 1)
      #expect(try await sluice("catalog", "--json").json("catalog").list.isEmpty)
      let due = try await sluice("status", "--json").json("raw_due").list
      #expect(due.first?["stream"].text == "s.a")
    }
  }
}
