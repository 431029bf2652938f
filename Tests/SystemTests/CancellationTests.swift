import Glibc
import Postgres
import Subprocess
import SystemPackage
import TestSupport
import Testing

/// `sluice runs cancel`, `sluice jobs cancel` and what follows, against a real worker.
@Suite("Cancellation")
struct CancellationTests {
  /// A project on a test's own database, so that the test can look behind the command line.
  private func withProject(
    _ pipeline: String, _ body: @Sendable (Installed, TestDatabase.Handle) async throws -> Void
  ) async throws {
    try await TestProject.withProject { project in
      try await TestDatabase.withEmptyDatabase { database in
        try project.write("pipelines/p.yaml", pipeline)
        let sluice = Installed(project, ["SLUICE_DATABASE_URL": database.url])
        do { try await body(sluice, database) } catch {
          sluice.killAll()
          throw error
        }
      }
    }
  }

  private func startWorker(_ sluice: Installed) async throws -> Int32 {
    let worker = try sluice.start("worker", name: "worker")
    try await eventually("the worker registers") {
      try await !sluice("status", "--json").json("workers").list.isEmpty
    }
    return worker
  }

  /// Waits until no job is leased; how long that took.
  private func stopped(_ database: TestDatabase.Handle) async throws -> Duration {
    let start = ContinuousClock.now
    try await eventually("nothing is leased") {
      try await database.pool.query("select from sluice.lease").isEmpty
    }
    return start.duration(to: .now)
  }

  private func children(of pid: Int32) async throws -> [String] {
    let result = try await run(
      .name("ps"), arguments: ["--ppid", "\(pid)", "-o", "comm="], output: .string(limit: 4096), error: .discarded)
    return result.standardOutput.split(separator: "\n").map(String.init)
  }

  @Test("a running run that is cancelled stops within a second, leaves nothing, and is taken up from its checkpoint")
  func ingest() async throws {
    let pipeline = """
      pipeline: p
      sources: {s: {files: {at: "file:d"}, streams: {a: {match: "*.csv.gz", records: {format: csv}}}}}
      curate: {d: {from: s.a, columns: {id: {type: bigint, required: true}}}}

      """
    try await withProject(pipeline) { sluice, database in
      let count = 300
      for number in 1...count { try sluice.project.write("d/\(1000 + number).csv.gz", SlowFile.bytes(number)) }
      let worker = try await startWorker(sluice)
      let held = try await HeldCheckpoints(database)
      #expect(try await sluice("run", "p", "--json").status == 0)
      try await held.waitForFirst()
      let cancel = try await sluice("runs", "cancel", "1", "--json")
      #expect(cancel.status == 0, "\(cancel.errors)")
      #expect(try cancel.json("jobs_stopping").list == [.number(1)])
      #expect(try cancel.json("jobs_cancelled").list == [.number(2)])
      await held.release()
      #expect(try await stopped(database) < .milliseconds(1500))

      let shown = try await sluice("runs", "show", "1", "--json")
      #expect(try shown.json("state").text == "cancelled")
      let taken = try shown.json("stages", "ingest", "objects").int ?? 0
      #expect(taken > 0 && taken < count)
      #expect(try await sluice("jobs", "--state", "cancelled", "--json").json("jobs").list.count == 2)
      #expect(try await sluice("jobs", "--state", "dead", "--json").json("jobs").list.isEmpty)
      // The worker did not end with its job.
      #expect(try await sluice("status", "--json").json("workers").list.count == 1)

      let again = try await sluice("runs", "cancel", "1", "--json")
      #expect(again.status == 1)
      #expect(try again.json("error", "code").text == "run_ended")
      let part = try await sluice("jobs", "cancel", "1", "--json")
      #expect(part.status == 1)
      #expect(try part.json("error", "code").text == "job_of_run")
      #expect(try part.json("error", "hint").text?.contains("sluice runs cancel 1") == true)

      let retry = try await sluice("runs", "retry", "1", "--json")
      #expect(try retry.json("jobs").int == 2)
      try await eventually(within: .seconds(60), "the run ends") {
        try await sluice("runs", "show", "1", "--json").json("state").text == "succeeded"
      }
      let done = try await sluice("runs", "show", "1", "--json")
      // Each file once: it went on from where it was.
      #expect(try done.json("stages", "ingest", "objects").int == count)
      #expect(try done.json("stages", "curate", "rows_out").int == count)
      let statuses = try done.json("jobs").list.first?["attempts"].list.compactMap { $0["status"].text }
      #expect(statuses == ["cancelled", "done"])
      try await Installed.stop(worker)
    }
  }

  @Test("SQL that runs is stopped with its process, its scratch goes, and the worker does the next run")
  func curate() async throws {
    let pipeline = """
      pipeline: p
      sources: {s: {files: {at: "file:d"}, streams: {a: {match: "*.csv", records: {format: csv}}}}}
      curate: {d: {from: s.a, sql: sql/d.sql, over: batch, columns: {id: {type: bigint}}}}

      """
    try await withProject(pipeline) { sluice, database in
      try sluice.project.write("d/1.csv", "id\n1\n")
      // Hours of work that needs no memory.
      try sluice.project.write(
        "sql/d.sql",
        "select count(*) as id from a, range(1000000) as r(x), range(1000000) as q(y) where (x * y) % 7 = 3\n")
      let worker = try await startWorker(sluice)
      #expect(try await sluice("run", "p", "--json").status == 0)
      try await eventually("the SQL runs") {
        let isRunning = try await !database.pool.query("select from sluice.lease where job_id = 2").isEmpty
        guard isRunning else { return false }
        return try await children(of: worker).contains { $0.contains("duckdb") }
      }
      #expect(try await sluice("runs", "cancel", "1").status == 0)
      #expect(try await stopped(database) < .milliseconds(1500))
      try await eventually(within: .seconds(2), "its process has ended") { try await children(of: worker).isEmpty }
      let left = try await run(
        .name("find"), arguments: [".sluice/local/scratch", "-mindepth", "1"],
        workingDirectory: FilePath(sluice.project.directory), output: .string(limit: 4096), error: .discarded)
      #expect(left.standardOutput == "")
      #expect(try await sluice("catalog", "--json").json("catalog").list.isEmpty)
      let jobs = try await sluice("jobs", "--run", "1", "--json").json("jobs").list
      #expect(jobs.map { $0["state"].text } == ["CANCELLED", "DONE"])

      try sluice.project.write("sql/d.sql", "select id from a\n")
      let next = try await sluice("run", "p", "--wait", "--json")
      #expect(next.status == 0, "\(next.errors)")
      #expect(try next.json("stages", "curate", "rows_out").int == 1)
      try await Installed.stop(worker)
    }
  }

  @Test("jobs without a run are cancelled and taken up by their numbers; what cannot be is refused with the way out")
  func jobs() async throws {
    try await withProject("pipeline: p\nsources: {}\n") { sluice, database in
      #expect(try await sluice("migrate").status == 0)
      for number in 1...3 {
        try await database.pool.query(
          "select sluice.enqueue('print', unique_key => $1)", [.text("invoice/\(number)")])
      }
      let unknown = try await sluice("jobs", "cancel", "1", "99", "--json")
      #expect(unknown.status == 1)
      #expect(try unknown.json("error", "code").text == "job_unknown")
      #expect(try await sluice("jobs", "--state", "ready", "--json").json("jobs").list.count == 3, "nothing was done")

      let cancelled = try await sluice("jobs", "cancel", "1", "2", "--json")
      #expect(cancelled.status == 0, "\(cancelled.errors)")
      #expect(try cancelled.json("jobs").list.map { $0["state"].text } == ["CANCELLED", "CANCELLED"])
      let again = try await sluice("jobs", "cancel", "1", "--json")
      #expect(try again.json("error", "code").text == "job_ended")
      #expect(try await sluice("jobs", "--state", "cancelled").output.contains("print"))

      #expect(try await sluice("jobs", "retry", "1").status == 0)
      #expect(try await sluice("jobs", "retry", "1", "--json").json("error", "code").text == "not_dead")
      try await database.pool.execute("select sluice.enqueue('print', unique_key => 'invoice/2')")
      let taken = try await sluice("jobs", "retry", "2", "--json")
      #expect(taken.status == 1)
      #expect(try taken.json("error", "code").text == "key_taken")
      #expect(try await sluice("jobs", "retry", "77", "--json").json("error", "code").text == "job_unknown")
      #expect(try await sluice("runs", "cancel", "5", "--json").json("error", "code").text == "run_unknown")
      #expect(try await sluice("jobs", "cancel", "--json").status == 2)
      #expect(try await sluice("jobs", "--state", "gone", "--json").json("error", "code").text == "usage")
    }
  }

  @Test("a job that someone enqueues as a stage of a pipeline is dead with a sentence, and the worker lives on")
  func stageWithoutRun() async throws {
    let pipeline = """
      pipeline: p
      sources: {s: {files: {at: "file:d"}, streams: {a: {match: "*.csv", records: {format: csv}}}}}
      curate: {d: {from: s.a, columns: {id: {type: bigint}}}}

      """
    try await withProject(pipeline) { sluice, database in
      try sluice.project.write("d/1.csv", "id\n1\n")
      let worker = try await startWorker(sluice)
      for kind in ["ingest", "curate", "load"] {
        try await database.pool.query(
          "select sluice.enqueue($1, $2, pipeline => 'p', max_attempts => 1)",
          [.text(kind), .json("{\"source\": \"s\", \"stream\": \"a\", \"dataset\": \"d\", \"target\": \"t\"}")])
      }
      try await eventually("all are dead") {
        try await database.pool.query("select from sluice.dead").count == 3
      }
      let next = try await sluice("run", "p", "--wait", "--json")
      #expect(next.status == 0, "\(next.errors)")
      try await Installed.stop(worker)
    }
  }
}
