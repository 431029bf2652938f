import FoundationEssentials
import JobModel
import Postgres
import Subprocess
import SystemPackage

/// Environments as a person has them: how long `env up` and `env down` take, and from `env up` to the end of a first run.
///
/// Everything is the program's own verbs, each a process, next to a bare clone and drop of a database on the same server.
package struct EnvironmentBenchmark: Benchmark {
  package static let name = "env"

  /// The medians are of so many.
  private static let rounds = 10

  package init() {}

  /// Seconds, of each round.
  private struct Times {
    var up: [Double] = []
    var run: [Double] = []
    var down: [Double] = []
    var cloned: [Double] = []
    var dropped: [Double] = []
  }

  package func measure(_ surroundings: BenchSurroundings) async throws -> [Figure] {
    guard surroundings.only.isEmpty || surroundings.only.contains(where: Self.name.contains) else { return [] }
    surroundings.say("env: \(Self.rounds) environments are made, used and removed")
    let folder = surroundings.folder + "/environments"
    try Self.write(folder)
    return try await surroundings.server.withDatabase { database in
      let verbs = Verbs(executable: surroundings.executable, project: folder, url: database.url)
      // The template is made once; later calls find it.
      let first = try await verbs.time("env", "up", "bench-first")
      _ = try await verbs.time("env", "down", "bench-first", "--yes")
      var times = Times()
      for round in 1...Self.rounds {
        let name = "bench-\(round)"
        let floor = try await surroundings.server.timedClone()
        times.cloned.append(floor.made)
        times.dropped.append(floor.dropped)
        let made = try await verbs.time("env", "up", name)
        times.up.append(made)
        times.run.append(made + (try await verbs.time("run", "rows", "--wait", "--env", name)))
        times.down.append(try await verbs.time("env", "down", name, "--yes"))
      }
      let count = surroundings.scale.idleEnvironments
      surroundings.say("env: \(count) environments run a batch each and are idle")
      let idle = IdleEnvironments(
        verbs: verbs, database: database, count: count, length: surroundings.scale.repetition * 10)
      let figures = Self.figures(first: first, times) + (try await idle.measure())
      try await Self.dropTemplates(database.pool)
      return figures
    }
  }

  private static func figures(first: Double, _ times: Times) -> [Figure] {
    [
      Figure(
        "env up → ready", Samples(times.up), "s", beside: "create database from a template", Samples(times.cloned),
        target: .atMost(2), note: "the first one, which makes the template: \(Figure.text(first)) s"),
      Figure(
        "env up → end of a first run", Samples(times.run).median, "s", range: Samples(times.run).range,
        target: .atMost(5), note: "three rows, ingested and curated; nothing else is running"),
      Figure(
        "env down", Samples(times.down), "s", beside: "drop database", Samples(times.dropped), target: .atMost(2)),
    ]
  }

  private static func write(_ folder: String) throws {
    let files = [
      "pipelines/rows.yaml": """
      pipeline: rows
      sources: {drops: {files: {at: "file:drops"}, streams: {rows: {match: "*.csv", read: full}}}}
      curate: {rows: {from: drops.rows, columns: {id: bigint}}}

      """, "drops/rows.csv": "id\n1\n2\n3\n",
    ]
    for (path, text) in files {
      let url = URL(filePath: "\(folder)/\(path)")
      try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: url)
    }
  }

  private static func dropTemplates(_ pool: PostgresPool) async throws {
    for row in try await pool.query(Statement.environmentTemplates) {
      try await pool.execute("drop database \(quoteIdentifier(try row.string("name")))")
    }
  }

  /// The program on a project of its own.
  struct Verbs: Sendable {
    let executable: String
    let project: String
    let url: String

    /// How long a verb takes, in seconds.
    func time(_ arguments: String...) async throws -> Double {
      let clock = ContinuousClock()
      let start = clock.now
      let outcome = try await Subprocess.run(
        .path(FilePath(executable)), arguments: Arguments(arguments + ["--project", project, "--json"]),
        environment: .inherit.updating(["SLUICE_DATABASE_URL": url]), output: .string(limit: 1 << 20),
        error: .string(limit: 1 << 20))
      guard outcome.terminationStatus.isSuccess else {
        let complaint = ProgramComplaint.text(output: outcome.standardOutput, errors: outcome.standardError)
        throw BenchError("verb_failed", "sluice \(arguments.joined(separator: " ")): \(complaint)")
      }
      return start.duration(to: clock.now).seconds
    }
  }
}
