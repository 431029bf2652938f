import FoundationEssentials
import JobModel
import Subprocess
import SystemPackage

#if canImport(Glibc)
  import Glibc
#endif

/// What an engine says of itself: `sluice engine --json`.
package struct EngineDescription: Sendable, Codable, Equatable {
  package var version: String
  /// The newest migration that it knows.
  package var schema: Int
  package var reads: [String]
  package var migrates: [String]
  package var writes: [String]
  /// Whether it can be asked to rehearse; engines that do not say so cannot.
  package var rehearses: Bool?

  package init(version: String, schema: Int, formats: EngineFormats) {
    self.version = version
    self.schema = schema
    reads = formats.reads.map(\.description).sorted()
    migrates = formats.migrates.map(\.description).sorted()
    writes = formats.writes.map(\.description).sorted()
    rehearses = true
  }

  package var formats: EngineFormats {
    func set(_ texts: [String]) -> Set<CheckpointFormat> { Set(texts.compactMap { CheckpointFormat($0) }) }
    return EngineFormats(reads: set(reads), migrates: set(migrates), writes: set(writes))
  }

  /// Asks a binary.
  ///
  /// - Throws: ``ReleaseRefusal`` `engine_failed` with what it said.
  package static func ask(_ path: String) async throws -> EngineDescription {
    let answer = try await EngineProcess(path: path, directory: "/").run(["engine", "--json"])
    do { return try JSONDecoder().decode(EngineDescription.self, from: Data(answer.utf8)) } catch {
      throw ReleaseRefusal(
        "engine_failed", "\(path) is no engine that can be deployed: it does not say which checkpoints it reads",
        hint: "name a sluice binary: --engine PATH")
    }
  }
}

/// A binary that is tried before anything depends on it, or that does something for whoever waits.
package struct EngineProcess: Sendable {
  /// Longer than any start takes.
  private static let patience = Duration.seconds(30)
  /// Longer than any rehearsal.
  private static let longest = Duration.seconds(6 * 3600)

  /// The code of a refusal where the engine ended by a signal that nobody sends.
  package static let crashed = "engine_crashed"

  private struct Outcome: Sendable {
    var status: TerminationStatus
    var output: String
    var errors: String
  }

  package var path: String
  package var directory: String
  /// On top of this process's own.
  package var environment: [String: String]
  /// What is executed instead of what lies at the path now.
  private let verified: EngineFile?

  private var executable: String { verified?.executable ?? path }

  package init(path: String, directory: String, environment: [String: String] = [:]) {
    self.environment = environment
    self.path = path
    self.directory = directory
    verified = nil
  }

  package init(_ engine: EngineFile, directory: String, environment: [String: String] = [:]) {
    self.environment = environment
    self.directory = directory
    path = engine.path
    verified = engine
  }

  /// Tries it. Returns what it printed.
  ///
  /// - Throws: ``ReleaseRefusal`` `engine_failed`: it did not start, ended badly, or did not end.
  package func run(_ arguments: [String]) async throws -> String {
    try await printed(arguments, within: Self.patience, failing: "engine_failed") {
      // A program that has just been written may be open still in a process that another thread has forked.
      do {
        let outcome = try await once(executable, arguments, as: path)
        // Somebody else ended it: that says nothing of the engine.
        guard case .signaled(SIGKILL) = outcome.status else { return outcome }
      } catch is SubprocessError { try await ContinuousClock().sleep(for: .milliseconds(200)) }
      return try await once(executable, arguments, as: path)
    }
  }

  /// Lets it do something that may take hours, behind whatever else this machine does. It ends with this process.
  ///
  /// - Throws: ``ReleaseRefusal``, whose code begins with `engine_`; ``crashed``.
  package func work(_ arguments: [String]) async throws -> String {
    try await printed(arguments, within: Self.longest, failing: Self.crashed) {
      try await once(
        "/usr/bin/env", ["nice", "-n", "10", "setpriv", "--pdeathsig", "KILL", "--", executable] + arguments)
    }
  }

  private func printed(
    _ arguments: [String], within patience: Duration, failing crash: String,
    _ body: @escaping @Sendable () async throws -> Outcome
  ) async throws -> String {
    let outcome: Outcome?
    do { outcome = try await patiently(patience, body) } catch is CancellationError { throw CancellationError() } catch
    {
      throw ReleaseRefusal(
        "engine_failed", "the engine \(path) cannot be started", hint: "check that it is a program for this machine")
    }
    guard let outcome else {
      throw ReleaseRefusal(
        "engine_failed", "the engine \(path) did not answer within \(patience.components.seconds) s",
        hint: "run it by hand: \(path) engine --json")
    }
    guard outcome.status.isSuccess else {
      // What a program says may hold a URL with a password; this goes into the audit trail.
      let lines = outcome.errors.split(separator: "\n").filter { !$0.contains("://") && !$0.contains("assword") }
      let said = lines.suffix(3).joined(separator: "; ").prefix(400)
      let isCrash =
        if case .signaled(let signal) = outcome.status { ![SIGKILL, SIGTERM, SIGINT, SIGHUP].contains(signal) } else {
          false
        }
      throw ReleaseRefusal(
        isCrash ? crash : "engine_failed",
        "the engine ended with \(outcome.status)" + (said.isEmpty ? "" : ": \(said)"),
        hint: "run it by hand: \(path) \(arguments.joined(separator: " "))")
    }
    return outcome.output
  }

  /// Nil: it did not end.
  private func patiently(
    _ patience: Duration, _ body: @escaping @Sendable () async throws -> Outcome
  ) async throws -> Outcome? {
    try await withThrowingTaskGroup(of: Outcome?.self) { group in
      group.addTask { try await body() }
      group.addTask {
        try await ContinuousClock().sleep(for: patience)
        return nil
      }
      let first = try await group.next() ?? nil
      group.cancelAll()
      return first
    }
  }

  /// - Parameter name: What the process finds as its own name; nil: the program's path.
  private func once(_ program: String, _ arguments: [String], as name: String? = nil) async throws -> Outcome {
    let result = try await Subprocess.run(
      .path(FilePath(program)), arguments: Arguments(executablePathOverride: name, remainingValues: arguments),
      environment: .inherit.updating(
        Dictionary(uniqueKeysWithValues: environment.map { (Environment.Key(stringLiteral: $0.key), $0.value) })),
      workingDirectory: FilePath(directory), output: .string(limit: 1 << 20), error: .string(limit: 1 << 20))
    return Outcome(status: result.terminationStatus, output: result.standardOutput, errors: result.standardError)
  }
}
