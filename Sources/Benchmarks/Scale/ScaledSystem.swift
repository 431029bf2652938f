import FoundationEssentials
import JobModel
import JobStore
import Postgres
import Subprocess
import SystemPackage

/// The whole program with `scaling` and a `min` of 0: a project in a folder, its control, and workers that come and go.
struct ScaledSystem: Sendable {
  private static let waiting = Waiting(look: .milliseconds(10), patience: .seconds(120))
  /// They differ only in their names: of one pipeline jobs would share a lane.
  static let pipelines = ["first", "second"]
  /// One file holds a worker for some milliseconds: a run lasts until it is cancelled.
  private static let files = 20_000

  private let executable: String
  private let database: BenchDatabase
  private let project: String

  init(_ surroundings: BenchSurroundings, database: BenchDatabase) {
    executable = surroundings.executable
    self.database = database
    project = surroundings.folder + "/scale"
  }

  /// Runs `body` next to a started system, with the number of control's process; the system is stopped when that is over.
  func whileUp<T: Sendable>(_ body: (Int64) async throws -> T) async throws -> T {
    try write()
    do {
      let up = try await run("up", "--detach")
      let control = try JSONDecoder().decode(Up.self, from: Data(up.utf8))
      let result = try await body(control.pid)
      try await run("down", "--timeout", "30")
      return result
    } catch {
      // The first error is the one to tell.
      await Task { _ = try? await run("down", "--timeout", "30") }.value
      throw error
    }
  }

  private struct Up: Decodable { var pid: Int64 }
  private struct Started: Decodable { var run: Int64 }

  /// A claim of the first job of a run.
  struct Claim: Sendable {
    /// From when the run was asked for.
    var seconds: Double
    var worker: Int64
  }

  func waitUntilIdle() async throws {
    try await Self.waiting.wait(for: "the last worker to end") {
      try await database.pool.query(Statement.scaleWorkers).only.int("workers") == 0 ? true : nil
    }
  }

  /// Starts a run. Returns its number, and its first claim.
  func start(_ pipeline: String) async throws -> (run: Int64, claim: Claim) {
    let number = try JSONDecoder().decode(Started.self, from: Data(try await run("run", pipeline).utf8)).run
    let claim = try await Self.waiting.wait(for: "a claim of a job of \(pipeline)") {
      try await database.pool.query(Statement.scaleClaim, [.int(number)]).first.map {
        Claim(seconds: try $0.double("seconds"), worker: try $0.int("worker_id"))
      }
    }
    return (number, claim)
  }

  func cancel(_ number: Int64) async throws { try await run("runs", "cancel", "\(number)") }

  /// Processor seconds so far of control and of the server's processes that serve it.
  func processorSeconds(control: Int64) async throws -> (control: Double, server: [Int64: Double]) {
    let sessions = try await database.pool.query(Statement.scaleSessions).map { try $0.int("pid") }
    return (
      ProcessTime.seconds(of: control),
      Dictionary(sessions.map { ($0, ProcessTime.seconds(of: $0)) }) { first, _ in first }
    )
  }

  private func write() throws {
    try write("sluice.yaml", "scaling: {min: 0, max: 2, worker: {slots: 1}, backlog_within: 10s}\n")
    for number in 1...Self.files { try write("drops/\(100_000 + number).csv.gz", SystemUnderTest.slowFile) }
    for pipeline in Self.pipelines {
      try write(
        "pipelines/\(pipeline).yaml",
        """
        pipeline: \(pipeline)
        sources:
          drops:
            files: {at: "file:drops"}
            streams: {rows_\(pipeline): {match: "*.csv.gz", read: full, columns: {id: bigint}}}
        curate:
          dataset_\(pipeline): {from: drops.rows_\(pipeline), columns: {id: bigint}}

        """)
    }
  }

  private func write(_ path: String, _ text: String) throws { try write(path, Array(text.utf8)) }

  private func write(_ path: String, _ bytes: [UInt8]) throws {
    let url = URL(filePath: "\(project)/\(path)")
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(bytes).write(to: url)
  }

  @discardableResult
  private func run(_ arguments: String...) async throws -> String {
    let outcome = try await Subprocess.run(
      .path(FilePath(executable)), arguments: Arguments(arguments + ["--project", project, "--json"]),
      environment: .inherit.updating(["SLUICE_DATABASE_URL": database.url]), output: .string(limit: 1 << 20),
      error: .string(limit: 1 << 20))
    guard outcome.terminationStatus.isSuccess else {
      let complaint = ProgramComplaint.text(output: outcome.standardOutput, errors: outcome.standardError)
      throw BenchError("verb_failed", "sluice \(arguments.joined(separator: " ")): \(complaint)")
    }
    return outcome.standardOutput
  }
}
