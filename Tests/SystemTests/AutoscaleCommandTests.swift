import TestSupport
import Testing

/// `sluice autoscale` by the built program: it needs neither a database nor a project that is set up. `sluice trace` has both.
@Suite("Autoscale command")
struct AutoscaleCommandTests {
  private static let header =
    #"{"trace": "t", "seconds": 600, "start_seconds": 10, "memory_gb": 8, "checkpoint_seconds": 60, "grace_seconds": 5, "max_workers": 4}"#

  @Test("a trace is simulated and answered as one JSON object")
  func simulate() async throws {
    try await TestProject.withProject { project in
      let jobs = (0..<20).map { #"{"at": \#($0), "kind": "k", "seconds": 5, "memory_gb": 1, "deadline": 500}"# }
      try project.write("trace.ndjson", ([Self.header] + jobs).joined(separator: "\n"))
      let sluice = Installed(project)
      for policy in ["sluice", "hpa", "keda", "scaledjob", "latency", "ds2"] {
        let run = try await sluice(
          "autoscale", "simulate", "--trace", "trace.ndjson", "--policy", policy, "--set", "max=2", "--json")
        #expect(run.status == 0, "\(run.errors)")
        #expect(try run.json("policy").text == policy)
        #expect(try run.json("jobs").int == 20)
        #expect(try run.json("unfinished").int == 0)
        for name in ["misses", "oom_kills", "running_killed", "direction_changes", "peak_workers"] {
          #expect(try run.json(name).int != nil, "\(policy) \(name)")
        }
        #expect(try run.json("settings", "max").text == "2")
      }
      let table = try await sluice("autoscale", "compare", "trace.ndjson")
      #expect(table.status == 0, "\(table.errors)")
      #expect(table.output.contains("scaledjob"))
    }
  }

  @Test("a generated trace can be simulated from standard output to a file")
  func generate() async throws {
    try await TestProject.withProject { project in
      let sluice = Installed(project)
      let generated = try await sluice("autoscale", "generate", "nightly", "--seed", "7")
      #expect(generated.status == 0)
      #expect(generated.output.hasPrefix(#"{"trace": "nightly-7""#))
      let again = try await sluice("autoscale", "generate", "nightly", "--seed", "7")
      #expect(again.output == generated.output)
    }
  }

  @Test("the jobs of a real system are recorded as a trace that can be simulated")
  func record() async throws {
    try await TestProject.withProject { project in
      try await TestDatabase.withEmptyDatabase { database in
        let sluice = Installed(project, ["SLUICE_DATABASE_URL": database.url])
        #expect(try await sluice("init").status == 0)
        let run = try await sluice("run", "cities", "--wait")
        #expect(run.status == 0, "\(run.errors)")
        let trace = try await sluice("trace", "record", "--last", "1h", "--max-workers", "3", "--memory-gb", "4")
        #expect(trace.status == 0, "\(trace.errors)")
        let lines = trace.output.split(separator: "\n")
        #expect(lines.first?.contains(#""seconds": 3600"#) == true)
        #expect(lines.first?.contains(#""max_workers": 3"#) == true)
        // Each runs after the one before.
        #expect(lines.count == 3)
        #expect(lines.dropFirst().first?.contains(#""kind": "ingest""#) == true)
        #expect(lines.last?.contains(#""kind": "curate""#) == true)
        try project.write("mine.ndjson", trace.output)
        let simulated = try await sluice("autoscale", "simulate", "--trace", "mine.ndjson", "--json")
        #expect(simulated.status == 0, "\(simulated.errors)")
        #expect(try simulated.json("jobs").int == 2)
        #expect(try simulated.json("unfinished").int == 0)
        #expect(try await sluice("trace", "record", "--last", "0h").status == 2)
        #expect(try await sluice("trace", "record", "--slots", "0").status == 2)
      }
    }
  }

  @Test("what is wrong is told with its place, and exit code 2")
  func refused() async throws {
    try await TestProject.withProject { project in
      try project.write("trace.ndjson", Self.header + "\n" + #"{"at": 1, "kind": "k", "seconds": -5, "memory_gb": 1}"#)
      let sluice = Installed(project)
      let line = try await sluice("autoscale", "simulate", "--trace", "trace.ndjson", "--json")
      #expect(line.status == 2)
      #expect(try line.json("error", "at").text == "trace.ndjson:2")
      #expect(line.errors.contains("seconds must be 0 to"))
      let policy = try await sluice("autoscale", "simulate", "--trace", "trace.ndjson", "--policy", "nomad")
      #expect(policy.status == 2)
      #expect(policy.errors.contains("scaledjob"))
      let setting = try await sluice("autoscale", "simulate", "--trace", "/dev/null", "--set", "max=2")
      #expect(setting.status == 2)
      #expect(setting.errors.contains("the trace is empty"))
      let shape = try await sluice("autoscale", "generate", "circle")
      #expect(shape.status == 2)
    }
  }
}
