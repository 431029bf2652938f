import FoundationEssentials
import JobModel
import JobStore
import Postgres
import Subprocess
import SystemPackage

/// The whole program as a user has it: a project in a folder, its control and its workers.
struct SystemUnderTest: Sendable {
  private static let workers = 2
  private static let waiting = Waiting(look: .milliseconds(10), patience: .seconds(60))

  private let executable: String
  private let database: BenchDatabase
  private let project: String
  private let pipelines: [String]
  /// Two engines that differ in bytes, so that each deploy brings another one.
  private let engines: [String]

  /// - Parameter batches: How many pipelines there are.
  init(_ surroundings: BenchSurroundings, database: BenchDatabase, batches: Int) {
    pipelines = (1...batches).map { "batch\($0)" }
    executable = surroundings.executable
    self.database = database
    project = surroundings.folder + "/handover"
    engines = ["a", "b"].map { surroundings.folder + "/engine-\($0)" }
  }

  /// Runs `body` beside a started system; it is stopped when that is over, also in a task that was cancelled.
  func whileUp<T: Sendable>(files: Int, _ body: () async throws -> T) async throws -> T {
    try write(files: files)
    do {
      try await start()
      try await run("deploy", "--label", "bench-0", "--engine", engines[0])
      let result = try await body()
      try await run("down", "--timeout", "30")
      return result
    } catch {
      // The first error is the one to tell.
      await Task { _ = try? await run("down", "--timeout", "30") }.value
      throw error
    }
  }

  private func write(files: Int) throws {
    for number in 1...files { try write("drops/\(100_000 + number).csv.gz", Self.slowFile) }
    try write("pipelines/idle.yaml", Self.idle)
    for (batch, pipeline) in pipelines.enumerated() {
      try write(
        "pipelines/\(pipeline).yaml",
        """
        pipeline: \(pipeline)
        on_deploy: handover
        sources:
          drops:
            files: {at: "file:drops"}
            streams: {rows\(batch): {match: "*.csv.gz", read: full, columns: {id: bigint}}}
        curate:
          dataset\(batch): {from: drops.rows\(batch), columns: {id: bigint}}

        """)
    }
    for (number, engine) in engines.enumerated() {
      try FileManager.default.copyItem(atPath: executable, toPath: engine)
      let handle = try FileDescriptor.open(FilePath(engine), .writeOnly, options: .append)
      try handle.closeAfter { _ = try handle.writeAll([UInt8(number)]) }
    }
  }

  /// Never runs.
  private static let idle = """
    pipeline: idle
    sources: {drops: {files: {at: "file:drops"}, streams: {none: {match: "none-*.csv"}}}}

    """

  /// `id\n1\n`, packed by gzip: the program gzip looks at each file, so that a batch of some thousands of them takes a while.
  static let slowFile: [UInt8] = [
    0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 2, 3, 0xCB, 0x4C, 0xE1, 0x32, 0xE4, 2, 0, 0x0F, 0xE9, 0x5B, 0xCD, 5, 0, 0, 0,
  ]

  private func write(_ path: String, _ text: String) throws { try write(path, Array(text.utf8)) }

  private func write(_ path: String, _ bytes: [UInt8]) throws {
    let url = URL(filePath: "\(project)/\(path)")
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(bytes).write(to: url)
  }

  private func start() async throws {
    try await run("up", "--detach", "--workers", "\(Self.workers)", "--slots", "2")
  }

  /// Starts a run of each pipeline that has none under way.
  func keepBusy() async throws {
    try await Self.waiting.wait(for: "\(pipelines.count) batches to be under way") {
      let rows = try await database.pool.query(Statement.handoverRunning)
      let idle = Set(pipelines).subtracting(
        try rows.filter { try $0.bool("has_run") }.map { try $0.string("pipeline") })
      for pipeline in idle.sorted() { try await run("run", pipeline) }
      return try rows.count(where: { try $0.bool("is_running") }) == pipelines.count ? true : nil
    }
  }

  /// Deploys the engine that is not current. Returns how long the command took, and from its start to the first job.
  func deploy(_ label: String) async throws -> (command: Double, first: Double) {
    let number = Int(label.split(separator: "-").last ?? "") ?? 0
    // A definition of its own, so that it is no release that was here before.
    try write("pipelines/idle.yaml", Self.idle + "# \(label)\n")
    let startedAt = try await now()
    let clock = ContinuousClock()
    let start = clock.now
    try await run("deploy", "--label", label, "--engine", engines[number % engines.count])
    let command = start.duration(to: clock.now).seconds
    let first = try await Self.waiting.wait(for: "the first job on \(label)") {
      try await database.pool.query(Statement.handoverFirst, [.text(startedAt), .text(label)]).first?.double("seconds")
    }
    return (command, first)
  }

  /// Stops and starts everything. Returns how long each batch stood still.
  func restart() async throws -> [Double] {
    let stoppedAt = try await now()
    try await run("down", "--timeout", "30")
    try await start()
    return try await Self.waiting.wait(for: "the batches to go on") {
      let stops = try await database.pool.query(Statement.handoverStops, [.text(stoppedAt)]).map {
        try $0.double("seconds")
      }
      return stops.isEmpty ? nil : stops
    }
  }

  func pauses() async throws -> [Double] {
    let pauses = try await database.pool.query(Statement.handoverPauses).map { try $0.double("seconds") }
    guard !pauses.isEmpty else {
      throw BenchError("no_hand_over", "no batch was under way at a deploy", hint: "measure without --quick")
    }
    return pauses
  }

  func repeatedFiles() async throws -> (repeated: Int64, files: Int64) {
    let row = try await database.pool.query(Statement.handoverRepeated).only
    return (try row.int("repeated"), try row.int("files"))
  }

  /// How long `deploy --plan` takes, in seconds.
  func plans(_ count: Int) async throws -> [Double] {
    let clock = ContinuousClock()
    var times: [Double] = []
    for _ in 1...count {
      let start = clock.now
      try await run("deploy", "--plan", "--engine", engines[1])
      times.append(start.duration(to: clock.now).seconds)
    }
    return times
  }

  /// Fills the queue with jobs that nobody will do: its pipelines are paused.
  func fill(ready: Int, underWay: Int) async throws {
    // A run that begins makes the release's lanes; what was handed over stands in others.
    for pipeline in pipelines {
      try await run("run", pipeline)
      try await run("pause", pipeline)
    }
    for (count, isUnderWay) in [(underWay, true), (ready, false)] {
      let row = try await database.pool.query(Statement.handoverFill, [.int(Int64(count)), .bool(isUnderWay)]).only
      guard try row.int("jobs") == Int64(count) else {
        throw BenchError("not_filled", "the current release has no lane that jobs could be put into")
      }
    }
    try await database.settle()
  }

  private func now() async throws -> String { try await database.pool.query(Statement.crashNow).only.string("at") }

  private func run(_ arguments: String...) async throws {
    let outcome = try await Subprocess.run(
      .path(FilePath(executable)), arguments: Arguments(arguments + ["--project", project, "--json"]),
      environment: .inherit.updating(["SLUICE_DATABASE_URL": database.url]), output: .string(limit: 1 << 20),
      error: .string(limit: 1 << 20))
    guard outcome.terminationStatus.isSuccess else {
      let complaint = ProgramComplaint.text(output: outcome.standardOutput, errors: outcome.standardError)
      throw BenchError("verb_failed", "sluice \(arguments.joined(separator: " ")): \(complaint)")
    }
  }
}
