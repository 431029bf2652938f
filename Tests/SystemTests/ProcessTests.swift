import FoundationEssentials
import Glibc
import Launchers
import Postgres
import TestSupport
import Testing

@Suite("Processes")
struct ProcessTests {
  @Test("a worker that meets a newer breaking schema stops with exit 3 and says so")
  func newerSchema() async throws {
    try await TestProject.withProject { project in
      try await TestDatabase.withEmptyDatabase { database in
        let sluice = Installed(project, ["SLUICE_DATABASE_URL": database.url])
        #expect(try await sluice("init").status == 0)
        async let working = sluice("worker")
        try await eventually("the worker registers") {
          try await !sluice("status", "--json").json("workers").list.isEmpty
        }
        try await database.pool.execute(
          "insert into sluice.migration values (9999, 'a_later_engine', true, now())")
        let worker = try await working
        #expect(worker.status == 3, "\(worker.errors)")
        #expect(worker.errors.contains("9999"))
        let other = try await sluice("runs", "--json")
        #expect(other.status == 3)
        #expect(try other.json("error", "code").text == "schema_too_new")
      }
    }
  }

  @Test("Ctrl-C stops a run at its checkpoint without charging it, and a worker goes on from there")
  func interrupt() async throws {
    try await TestProject.withProject { project in
      try await TestDatabase.withEmptyDatabase { database in
        try project.write(
          "pipelines/p.yaml",
          """
          pipeline: p
          sources: {s: {files: {at: "file:d"}, streams: {a: {match: "*.csv.gz", records: {format: csv}}}}}
          curate: {d: {from: s.a, columns: {id: {type: bigint, required: true}}}}

          """)
        let count = 300
        for number in 1...count { try project.write("d/\(1000 + number).csv.gz", SlowFile.bytes(number)) }
        let sluice = Installed(project, ["SLUICE_DATABASE_URL": database.url])
        #expect(try await sluice("runs").status == 0)
        let held = try await HeldCheckpoints(database)
        let run = try sluice.start("run", "p", name: "run")
        try await held.waitForFirst()
        kill(run, SIGINT)
        await held.release()
        try await Installed.ended(run)
        let jobs = try await sluice("jobs", "--json").json("jobs").list
        let ingest = try #require(jobs.last)
        let said = try project.text("run.log")
        #expect(ingest["state"].text == "READY", "\(said)")
        #expect(ingest["attempt"].int == 0)
        #expect(ingest["checkpoint"]["format"].text == "ingest.files/1")

        let worker = try sluice.start("worker", name: "worker")
        try await eventually(within: .seconds(60), "the run ends") {
          try await sluice("runs", "show", "1", "--json").json("state").text == "succeeded"
        }
        try await Installed.stop(worker)
        let shown = try await sluice("runs", "show", "1", "--json")
        #expect(try shown.json("stages", "ingest", "objects").int == count)
        #expect(try shown.json("stages", "curate", "rows_out").int == count)
        let statuses = try shown.json("jobs").list.first?["attempts"].list.compactMap { $0["status"].text }
        #expect(statuses == ["yielded", "done"])
      }
    }
  }

  @Test("up runs the system in the background, replaces a killed worker, and down stops it cleanly")
  func upAndDown() async throws {
    try await TestProject.withProject { project in
      let sluice = Installed(project)
      #expect(try await sluice("init").status == 0)
      let up = try await sluice("up", "--detach", "--workers", "1", "--json")
      #expect(up.status == 0, "\(up.errors)")
      let again = try await sluice("up", "--detach", "--json")
      #expect(try again.json("error", "code").text == "already_up")

      try await eventually("a worker registers") { try await workers(sluice).count == 1 }
      let first = try #require(try await workers(sluice).first)
      kill(Int32(first), SIGKILL)
      try await eventually("another takes its place") {
        let now = try await workers(sluice)
        return now.contains { $0 != first }
      }
      let run = try await sluice("run", "cities", "--wait", "--json")
      #expect(run.status == 0, "\(run.errors)")
      #expect(try run.json("state").text == "succeeded")

      #expect(try await sluice("down", "--json").status == 0)
      #expect(try await sluice("status", "--json").json("workers").list.isEmpty)
      #expect(!project.exists(Installed.controlFile("json")))
      #expect(!project.exists(".sluice/postgres/data/postmaster.pid"))
    }
  }

  private func workers(_ sluice: Installed) async throws -> [Int] {
    try await sluice("status", "--json").json("workers").list.compactMap { $0["pid"].int }
  }
}
