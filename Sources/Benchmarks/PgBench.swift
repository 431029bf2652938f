import FoundationEssentials
import JobModel
import Postgres
import Subprocess
import SystemPackage

/// PostgreSQL's own load generator: what the server does when nothing but the bare statements is asked of it.
struct PgBench: Sendable {
  private let executable: String
  /// Where scripts are written.
  private let folder: String

  /// Where no pgbench is installed, figures stand without their peer.
  static func locate(folder: String, environment: [String: String] = ProcessInfo.processInfo.environment) -> PgBench? {
    program("pgbench", environment: environment).map { PgBench(executable: $0, folder: folder) }
  }

  /// A program of PostgreSQL, of the newest version that is installed.
  static func program(
    _ name: String, environment: [String: String] = ProcessInfo.processInfo.environment
  ) -> String? {
    let debian = "/usr/lib/postgresql"
    let versions = ((try? FileManager.default.contentsOfDirectory(atPath: debian)) ?? []).compactMap { Int($0) }
    let folders =
      [environment["SLUICE_POSTGRES_BIN"]].compactMap { $0 } + versions.sorted(by: >).map { "\(debian)/\($0)/bin" }
      + (environment["PATH"] ?? "").split(separator: ":").map(String.init)
    return folders.map { "\($0)/\(name)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
  }

  enum Length {
    /// Of each client.
    case transactions(Int)
    case time(Duration)

    var arguments: [String] {
      switch self {
      case .transactions(let count): ["-t", "\(count)"]
      case .time(let time): ["-T", "\(max(1, time.components.seconds))"]
      }
    }
  }

  /// Runs a script with prepared statements and returns its transactions a second, connecting not counted.
  ///
  /// - Throws: ``BenchError`` when pgbench fails or says something that was not expected.
  func transactionsPerSecond(
    _ script: SQLStatement, on database: BenchDatabase, clients: Int, _ length: Length
  ) async throws -> Double {
    let path = "\(folder)/\(script.name).sql"
    try Data(script.text.utf8).write(to: URL(filePath: path))
    let arguments =
      ["--no-vacuum", "--protocol=prepared", "-c", "\(clients)", "-j", "\(clients)"] + length.arguments
      + ["-f", path, database.url]
    let outcome = try await Subprocess.run(
      .path(FilePath(executable)), arguments: Arguments(arguments),
      // An empty table's statistics would make even these statements read it whole.
      environment: .inherit.updating(["PGOPTIONS": "-c enable_seqscan=off"]),
      output: .string(limit: 1 << 20), error: .string(limit: 1 << 20))
    guard outcome.terminationStatus.isSuccess else {
      let complaint = ProgramComplaint.text(output: outcome.standardOutput, errors: outcome.standardError)
      throw BenchError("pgbench_failed", "pgbench failed with \(script.name): \(complaint)")
    }
    for line in outcome.standardOutput.split(separator: "\n") where line.hasPrefix("tps = ") {
      let words = line.split(separator: " ")
      if words.count > 2, let number = Double(words[2]) { return number }
    }
    throw BenchError("pgbench_silent", "pgbench told no transactions a second for \(script.name)")
  }
}
