import FoundationEssentials
import Glibc
import JobModel
import JobStore
import Postgres
import Subprocess
import SystemPackage

/// The whole program as a user has it, in a project whose streams are read in full by each run.
struct IngestUnderTest: Sendable {
  static let fileBytes = 25

  private let executable: String
  private let project: String

  init(_ surroundings: BenchSurroundings) throws {
    executable = surroundings.executable
    project = surroundings.folder + "/ingest"
    try FileManager.default.createDirectory(atPath: project + "/pipelines", withIntermediateDirectories: true)
    try FileManager.default.createDirectory(atPath: project + "/drops", withIntermediateDirectories: true)
  }

  func writeFiles(_ count: Int) throws {
    for number in 0..<count { try write(file(number), "id,name\n\(100_000 + number),abcdefghi\n") }
    try write(
      "pipelines/files.yaml",
      """
      pipeline: files
      sources: {drops: {files: {at: "file:drops"}, streams: {rows: {match: "*.csv", read: full}}}}

      """)
  }

  func writePages(of source: PageSource) throws {
    try write(
      "pipelines/pages.yaml",
      """
      pipeline: pages
      sources:
        api:
          http: {base_url: "\(source.url)"}
          streams:
            rows: {get: /, paginate: {token: $.next, param: page}, records: {format: json, path: "$.data[*]"}}

      """)
  }

  /// One run of a pipeline, in a process of its own. Returns how long its ingest took.
  func ingest(_ pipeline: String, _ count: Int, _ database: BenchDatabase) async throws -> (
    seconds: Double, checkpoints: Int
  ) {
    let outcome = try await Subprocess.run(
      .path(FilePath(executable)), arguments: ["run", pipeline, "--wait", "--project", project, "--json"],
      environment: .inherit.updating(["SLUICE_DATABASE_URL": database.url]), output: .string(limit: 1 << 20),
      error: .string(limit: 1 << 20))
    guard outcome.terminationStatus.isSuccess else {
      let complaint = ProgramComplaint.text(output: outcome.standardOutput, errors: outcome.standardError)
      throw BenchError("verb_failed", "sluice run \(pipeline): \(complaint)")
    }
    let row = try await database.pool.query(Statement.ingestLatest).only
    guard try row.int("objects") == Int64(count) else {
      throw BenchError("not_all", "\(try row.int("objects")) of \(count) objects were recorded")
    }
    return (try row.double("seconds"), Int(try row.int("checkpoints")))
  }

  /// Opens, reads and closes each file. Returns the seconds.
  func readFiles(_ count: Int) throws -> Double {
    let clock = ContinuousClock()
    let start = clock.now
    var bytes = 0
    var buffer = [UInt8](repeating: 0, count: 4096)
    for number in 0..<count {
      let descriptor = open(project + "/" + file(number), O_RDONLY | O_CLOEXEC)
      guard descriptor >= 0 else { throw BenchError("no_file", "\(file(number)) cannot be read") }
      bytes += read(descriptor, &buffer, buffer.count)
      close(descriptor)
    }
    guard bytes == count * Self.fileBytes else { throw BenchError("no_file", "\(bytes) bytes were read") }
    return start.duration(to: clock.now).seconds
  }

  private func file(_ number: Int) -> String { "drops/\(1_000_000 + number).csv" }

  private func write(_ path: String, _ text: String) throws {
    try Data(text.utf8).write(to: URL(filePath: "\(project)/\(path)"))
  }
}
