import DuckDB
import FoundationEssentials
import Glibc
import JobModel
import JobStore
import PipelineDefinition
import Releases

extension Installation {
  var engines: EngineStore { EngineStore(objects: objects, cache: stateDirectory + "/engines") }
  /// What an engine is started with: it lies in another folder than this one, and is to use the same tools.
  var engineEnvironment: [String: String] {
    guard let duckDB = try? duckDB() else { return [:] }
    return ["SLUICE_DUCKDB": duckDB.executable]
  }
  var desk: ReleaseDesk { ReleaseDesk(store: store) }

  /// Who this process acts for, in the audit trail.
  static var actor: String {
    let user = getpwuid(geteuid()).flatMap { $0.pointee.pw_name }.map { String(cString: $0) }
    return (user ?? "uid \(geteuid())") + "@" + host
  }

  /// The release that a person means.
  ///
  /// - Throws: `StageFailure` `usage` where it is none, or several.
  func release(named name: String) async throws -> JobStore.ReleaseRecord {
    let found = try await store.releases(named: name).filter { $0.state != .implicit }
    guard let first = found.first else {
      throw StageFailure(
        code: "usage", message: "there is no release \(name)",
        hint: "sluice releases lists them: name a label or a hash")
    }
    guard found.count == 1 || first.label == name || "\(first.id)" == name else {
      throw StageFailure(
        code: "usage", message: "several releases begin with \(name): \(found.map(\.name).joined(separator: ", "))",
        hint: "write more of the hash, or the label")
    }
    return first
  }

  /// Whether this binary has the hash.
  func isEngine(_ hash: String) async throws -> Bool {
    try await Engine.hash(engines) == hash
  }

  /// A release's engine, verified and ready to be started here.
  ///
  /// - Throws: ``ReleaseRefusal`` `engine_gone`, `engine_damaged`, with the release and the command that repairs it.
  func engine(of release: JobStore.ReleaseRecord) async throws -> EngineFile {
    guard let hash = release.engineHash else { preconditionFailure("a release that was deployed has an engine") }
    do { return try await engines.open(hash) } catch let refusal as ReleaseRefusal {
      throw Self.naming(release, refusal)
    }
  }

  static func naming(_ release: JobStore.ReleaseRecord, _ refusal: ReleaseRefusal) -> ReleaseRefusal {
    ReleaseRefusal(
      refusal.code, "release \(release.name): \(refusal.message); none of its workers can be started",
      hint: refusal.hint)
  }

  /// Goes on as the engine of a release, with these arguments, unless this is it.
  func becomeEngine(
    of release: JobStore.ReleaseRecord, arguments: [String], adding more: [String: String] = [:]
  ) async throws {
    guard let wanted = release.engineHash else { return }
    if try await isEngine(wanted) { return }
    try Engine.become(
      try await engine(of: release), arguments: arguments, adding: engineEnvironment.merging(more) { _, new in new })
  }

  /// Which releases a run may begin with.
  enum Choice {
    /// The current one, or a canary for its share.
    case any
    /// This one (0: none was deployed), whose engine this process is: it does the run itself.
    case only(Int64)
  }

  /// A run's pipeline, as the release has it that the run begins with; before anything was deployed, as the directory has it.
  func begin(_ pipeline: String, choice: Choice = .any) async throws -> (Pipeline, RunAssignment) {
    guard let assignment = try await assignDeployed(pipeline, choice: choice) else {
      if case .only(let release) = choice, release != 0 { throw ReleaseMoved(release: release) }
      let definition = try await project.reviewedPipeline(named: pipeline)
      return (definition, .implicit(try await registerRelease().id))
    }
    return assignment
  }

  /// Nil: nothing was deployed.
  func assignDeployed(_ name: String, choice: Choice) async throws -> (Pipeline, RunAssignment)? {
    guard var assignment = try await store.assignRun() else { return nil }
    guard let current = try await store.releases(in: .current).first else { return nil }
    var mayBeCanary = true
    if case .only(let release) = choice {
      guard release == current.id else { throw ReleaseMoved(release: release) }
      mayBeCanary = false
    }
    let definitions = ReleaseDefinitions(store: store, of: project)
    if assignment.release != current.id {
      let candidate = try await definitions.project(of: assignment.release)
      // What the canary does not have goes on as it was.
      let isOut = !mayBeCanary || !candidate.definitions.contains { $0.name == name }
      if isOut { assignment = RunAssignment(release: current.id, lanes: current.id, run: assignment.run) }
    }
    let deployed = try await definitions.project(of: assignment.release)
    guard deployed.definitions.contains(where: { $0.name == name }) else {
      throw DefinitionError(
        code: "unknown_pipeline", message: "the current release \(current.name) has no pipeline \"\(name)\"",
        hint: project.definitions.contains { $0.name == name }
          ? "the project directory has one: sluice deploy"
          : "known are \(deployed.definitions.map(\.name).joined(separator: ", "))")
    }
    return (try deployed.pipeline(named: name), assignment)
  }

  /// Tells a person whose directory is not what runs.
  func noteDifference(from release: Int64) async throws {
    guard let record = try await store.release(release), record.engineHash != nil,
      record.definitionHash != project.definitionHash
    else { return }
    Console.note("the run begins with release \(record.name); the project directory differs from it: sluice deploy")
  }

  /// Tries again where another release was promoted at the same moment.
  func whileReleasesMove<T>(_ body: () async throws -> T) async throws -> T {
    for _ in 0..<5 {
      do { return try await body() } catch is ReleaseMoved { continue }
    }
    return try await body()
  }
}

extension Project {
  /// A pipeline that can run, its SQL read as well.
  ///
  /// - Throws: `DefinitionError`.
  func reviewedPipeline(named name: String) async throws -> Pipeline {
    let definition = try runnablePipeline(named: name)
    if let error = DefinitionError(refusing: try await SQLReview.problems(of: [definition], in: self)) { throw error }
    return definition
  }

  /// Refuses a pipeline that cannot run before any server is started for it: where there is none yet, nothing was deployed.
  func refuseBeforeFirstStart(_ name: String) async throws {
    let isElsewhere = settings.databaseURL != nil || ProcessInfo.processInfo.environment["SLUICE_DATABASE_URL"] != nil
    guard !isElsewhere, !FileManager.default.fileExists(atPath: directory + "/.sluice/postgres") else { return }
    _ = try await reviewedPipeline(named: name)
  }

  /// SHA-256 over the canonical bytes of the bundle, in hexadecimal.
  var definitionHash: String { EngineStore.hash(of: bundle.canonicalBytes) }
}
