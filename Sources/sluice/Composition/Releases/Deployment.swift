import Curation
import FoundationEssentials
import JobModel
import JobStore
import PipelineDefinition
import Postgres
import Releases

/// One release on its way from a directory and a binary to being current.
struct Deployment {
  let installation: Installation
  /// The definition that is deployed.
  let source: Project
  let enginePath: String
  let label: String?
  var author: JobStore.Author

  /// The first worker of a release registers well within this.
  private static let startPatience = Duration.seconds(20)

  /// What is known before anything is written.
  struct Examination {
    var engine: EngineDescription
    var definitionHash: String
    var engineHash: String
    var engineBytes: Int64
    var contentHash: String
    var gate: [CheckpointGate.Row]
    /// A release of the same content.
    var known: JobStore.ReleaseRecord?
  }

  /// Looks at definition, engine and queue. Writes nothing.
  ///
  /// - Throws: `DefinitionError` where the definition does not pass; ``ReleaseRefusal``; `StageFailure` `usage` for a label in use.
  func examine() async throws -> Examination {
    let engine = try await EngineDescription.ask(enginePath)
    try await Self.refuseBadDefinition(source, Edition(schema: engine.schema))
    let (bytes, hash) = try await EngineStore.hash(enginePath)
    let definitionHash = source.definitionHash
    let contentHash = EngineStore.hash(of: Array("sluice-release/1\n\(definitionHash)\n\(hash)\n".utf8))
    if let label,
      let other = try await installation.store.releases(named: label).first(where: {
        $0.label == label && $0.state != .rejected
      }),
      other.contentHash != contentHash
    {
      throw ReleaseDesk.labelTaken(label)
    }
    try await installation.desk.refuseBusy(cap: installation.project.settings.limits.releases, except: contentHash)
    let live = try await installation.store.liveCheckpoints()
    let gate = CheckpointGate(engine.formats)
    return Examination(
      engine: engine, definitionHash: definitionHash, engineHash: hash, engineBytes: bytes, contentHash: contentHash,
      gate: gate.examine(live),
      known: try await installation.store.releases(named: contentHash).first { $0.contentHash == contentHash })
  }

  /// - Parameter edition: The rules of the engine that is to run the definition; it looks at it by itself when it is tried.
  static func refuseBadDefinition(_ source: Project, _ edition: Edition) async throws {
    let problems = edition.known(
      of: source.diagnostics, try await SQLReview.problems(of: source.pipelines, in: source))
    guard let error = DefinitionError(refusing: problems.sortedByPlace()) else { return }
    for diagnostic in problems.sortedByPlace() where diagnostic.place.description != error.at {
      Console.note(diagnostic.description)
    }
    throw error
  }

  /// Stores and tries the release. It is staged then, and one worker of it is up where control runs here.
  ///
  /// - Throws: ``ReleaseRefusal``: the release is rejected, with the reason in its audit trail.
  func stage(_ examination: Examination) async throws -> JobStore.ReleaseRecord {
    let release = try await record(examination)
    guard release.state == .staged else { return release }
    do {
      try await installation.tryOut(release)
      try await awaitWorker(of: release)
    } catch let refusal as ReleaseRefusal {
      try await reject(release, because: refusal)
      throw refusal
    }
    return release
  }

  /// Stores the release, which is staged then, and not tried.
  func record(_ examination: Examination) async throws -> JobStore.ReleaseRecord {
    let engine = try await installation.engines.put(enginePath)
    guard engine.hash == examination.engineHash else {
      throw ReleaseRefusal(
        "engine_changed", "the engine \(enginePath) was changed while it was deployed",
        hint: "deploy again when it is whole")
    }
    let release = try await installation.desk.stage(
      JobStore.NewRelease(
        contentHash: examination.contentHash, definitionHash: examination.definitionHash, label: label,
        engine: examination.engine.version, engineHash: engine.hash, engineBytes: engine.bytes,
        schemaNumber: examination.engine.schema, formats: examination.engine.formats,
        files: source.bundle.files.map { ($0.path, $0.bytes) }),
      cap: installation.project.settings.limits.releases, by: author)
    // Now that a release has the engine, no sweep removes it; one may have done so a moment ago.
    if try await installation.engines.stamp(of: engine.hash) == nil {
      _ = try await installation.engines.put(enginePath)
    }
    return release
  }

  private func reject(_ release: JobStore.ReleaseRecord, because refusal: ReleaseRefusal) async throws {
    let author = JobStore.Author(author.actor, reason: refusal.message)
    _ = try await installation.desk.reject(release.id, from: [.staged], by: author)
  }

  private func awaitWorker(of release: JobStore.ReleaseRecord) async throws {
    let clock = ContinuousClock()
    let deadline = clock.now + Self.startPatience
    while try await installation.keepsWorkers() {
      if try await installation.store.needs(of: [release.id])[release.id]?.hasWorkers == true { return }
      let failures = try await installation.store.release(release.id)?.failedStarts ?? 0
      guard clock.now < deadline, failures < 3 else {
        throw ReleaseRefusal(
          "engine_failed",
          failures >= 3
            ? "\(failures) workers of it ended before they registered"
            : "no worker of it registered within \(Self.startPatience.components.seconds) s",
          hint: "look at \(installation.stateDirectory)/logs/workers.log")
      }
      try await clock.sleep(for: .milliseconds(25))
    }
  }
}

extension Installation {
  /// A release's own engine reads the release's own definition, from where a worker would.
  ///
  /// - Throws: ``ReleaseRefusal`` `engine_failed`.
  func tryOut(_ release: JobStore.ReleaseRecord, _ engine: EngineFile? = nil) async throws {
    let engine = if let engine { engine } else { try await self.engine(of: release) }
    _ = try await EngineProcess(engine, directory: directory, environment: engineEnvironment).run([
      "worker", "--release", "\(release.id)", "--self-test", "--json", "--project", directory, "--env", environment,
    ])
  }

  /// Makes a release current; its schedules come into force with it.
  func promote(
    _ release: JobStore.ReleaseRecord, action: String = "promote", replacing expected: Int64? = nil,
    by author: JobStore.Author
  ) async throws -> ReleaseDesk.Promotion {
    try ReleaseDesk.refuseRemoved(release)
    // Before anything depends on it: an engine that is gone could not be run by anyone.
    if release.engineHash != nil { _ = try await engine(of: release) }
    let definitions = ReleaseDefinitions(store: store, of: project)
    let deployed = try await definitions.project(of: release.id)
    let rules = deployed.pipelines.compactMap { pipeline in pipeline.schedule.map { (pipeline.name, $0) } }
    for (pipeline, rule) in rules { try await store.requireTimeZone(of: rule, pipeline: pipeline) }
    for pipeline in deployed.pipelines {
      guard let deadline = pipeline.deadline else { continue }
      _ = try await store.nextDeadline(of: deadline, pipeline: pipeline.name, in: store.database)
    }
    let promotion = try await desk.promote(release.id, action: action, replacing: expected, by: author) {
      [store] transaction in
      for (pipeline, rule) in rules {
        try await store.registerSchedule(rule, pipeline: pipeline, release: release.id, in: transaction)
      }
      _ = try await store.retainSchedules(of: rules.map(\.0), in: transaction)
    }
    try await desk.retire()
    return promotion
  }
}

extension Deployment {
  /// - Parameter expected: The release that it was compared with, 0: none; nil: it was not compared.
  func promote(
    _ release: JobStore.ReleaseRecord, replacing expected: Int64?
  ) async throws -> ReleaseDesk.Promotion {
    try await rejectingIfRefused(release) {
      try await installation.promote(release, replacing: expected, by: author)
    }
  }

  /// What is refused now would be left staged.
  func rejectingIfRefused<T>(
    _ release: JobStore.ReleaseRecord, _ body: () async throws -> T
  ) async throws -> T {
    do { return try await body() } catch let refusal as ReleaseRefusal {
      if release.state == .staged { try await reject(release, because: refusal) }
      throw refusal
    }
  }
}
