import FoundationEssentials
import JobModel
import JobStore
import PipelineDefinition
import Postgres
import Releases

/// What speaks for a release before it becomes current: a canary's runs, or a rehearsal where too few of them are to be expected.
extension Deployment {
  enum Evidence: String { case rehearsal, canary }

  /// What is to speak for a release.
  struct EvidencePlan {
    /// In this order.
    var steps: [Evidence] = []
    /// Those that the release changes, by definition or by engine; asked where there is to be evidence.
    var changed: [String] = []
    /// The release that it is compared with; 0: there is none.
    var compared: Int64 = 0
    /// Where a canary would see too little, and how much; nil where that is enough, or was not asked.
    var scarce: String?
  }

  /// - Parameters:
  ///   - ramp: New runs in 10,000 that a canary would get; nil: no canary is wanted.
  ///   - rehearsal: What a person said of a rehearsal.
  /// - Throws: ``ReleaseRefusal`` `not_rehearsed` where the engine does not know how to.
  func evidencePlan(
    _ examination: Examination, ramp: Int?, within time: Duration, rehearsal: Bool?
  ) async throws -> EvidencePlan {
    var plan = EvidencePlan(steps: (rehearsal == true ? [.rehearsal] : []) + (ramp == nil ? [] : [.canary]))
    if examination.known?.state == .current { plan.steps = [] }
    guard !plan.steps.isEmpty else { return plan }
    let rehearses = examination.engine.rehearses == true
    if rehearsal == true, !rehearses {
      throw ReleaseRefusal(
        "not_rehearsed", "the engine \(enginePath) does not know how to rehearse",
        hint: "deploy a newer engine, or without --rehearsal")
    }
    let current = try await installation.store.releases(in: .current).first
    let definitions = ReleaseDefinitions(store: installation.store, of: installation.project)
    let before: Project? = if let current { try await definitions.project(of: current.id) } else { nil }
    plan.compared = current?.id ?? 0
    let isNewEngine = current?.engineHash != examination.engineHash
    plan.changed = source.pipelines.map(\.name).filter { name in
      isNewEngine || before.map { !source.works(name, like: $0) } ?? true
    }
    // Beside no current release there is no canary, and whoever wants one is told so.
    guard let ramp, rehearsal == nil, rehearses, let before else { return plan }
    plan.scarce = try await scarcity(plan.changed, areAlike: isNewEngine, ramp: ramp, within: time)
    if plan.scarce != nil {
      // What is read in another way no rehearsal shows.
      let pullsElse = before.pipelines.contains {
        plan.changed.contains($0.name) && !source.pulls($0.name, like: before)
      }
      plan.steps = pullsElse ? [.rehearsal, .canary] : [.rehearsal]
    }
    return plan
  }

  /// Nil: history promises enough attempts of the changed pipelines on a canary's side and beside it.
  ///
  /// - Parameter areAlike: What changes is the engine: pipelines speak for each other.
  private func scarcity(
    _ changed: [String], areAlike: Bool, ramp: Int, within time: Duration
  ) async throws -> String? {
    let expected = try await installation.store.promisedAttempts(within: time)
    let share = Double(min(ramp, 10_000 - ramp)) / 10_000
    for stage in [StageJob.ingest, StageJob.curate, StageJob.load] {
      let pipelines = source.pipelines.filter { changed.contains($0.name) && $0.has(stage) }
      let counts = pipelines.map { ($0.name, share * (expected[.init(pipeline: $0.name, stage: stage)] ?? 0)) }
      let sum = ("all pipelines", counts.reduce(0) { $0 + $1.1 })
      let least = counts.min { $0.1 < $1.1 }
      guard let (name, count) = counts.isEmpty ? nil : areAlike ? sum : least, count < Double(CanaryJudge.fewest)
      else { continue }
      return "\(Int(count)) of \(CanaryJudge.fewest) attempts of \(stage) of \(name)"
    }
    return nil
  }

  /// What a rehearsal of these pipelines says of a release; where its engine cannot do it here and now, nothing.
  func rehearse(
    _ release: JobStore.ReleaseRecord, _ pipelines: [String], report: inout DeployReport
  ) async throws -> CanaryJudge.Verdict {
    // What was killed before left its folder.
    try await ScratchSweep(folder: installation.stateDirectory + "/scratch", store: installation.store).run()
    var rehearsal = Rehearsal()
    var failure: CanaryJudge.Verdict?
    do {
      for name in pipelines {
        if !report.isJSON { Console.note("rehearsing \(name)") }
        rehearsal = rehearsal + (try await rehearse(release, name))
      }
    } catch let refusal as ReleaseRefusal where refusal.code == EngineProcess.crashed {
      failure = .worse("it could not be rehearsed: \(refusal.message)")
    } catch let refusal as ReleaseRefusal where refusal.code.hasPrefix("engine_") {
      failure = .inconclusive(refusal.message)
    }
    report.rehearsal = rehearsal
    report.tellRehearsal()
    let (store, author, json) = (installation.store, author, rehearsal.json)
    try await store.database.transaction { transaction in
      try await store.audit("rehearse", release.id, by: author, after: json, in: transaction)
    }
    // What was seen before the engine failed counts.
    let verdict = CanaryJudge().judge(rehearsal)
    if case .worse = verdict { return verdict }
    return failure ?? verdict
  }

  /// Of one pipeline, by the release's own engine.
  private func rehearse(_ release: JobStore.ReleaseRecord, _ pipeline: String) async throws -> Rehearsal {
    let engine = EngineProcess(
      try await installation.engine(of: release), directory: installation.directory,
      environment: installation.engineEnvironment)
    let arguments = [
      "worker", "--release", "\(release.id)", "--rehearse", pipeline, "--json", "--project", installation.directory,
      "--env", installation.environment,
    ]
    return try await withThrowingTaskGroup(of: Rehearsal.self) { group in
      group.addTask {
        let answer = try await engine.work(arguments)
        do { return try Rehearsal(json: answer) } catch {
          throw ReleaseRefusal(
            "engine_silent", "the engine does not say what it rehearsed", hint: "deploy with --no-rehearsal")
        }
      }
      // What is staged and of which nobody says a word is rejected after a while, and this may take longer.
      if release.state == .staged { group.addTask { try await keepStaged(release) } }
      defer { group.cancelAll() }
      guard let rehearsal = try await group.next() else { preconditionFailure("the group has tasks") }
      return rehearsal
    }
  }

  /// Ends by throwing, once somebody else has decided about the release.
  private func keepStaged(_ release: JobStore.ReleaseRecord) async throws -> Never {
    while true {
      do {
        guard try await installation.store.keepStaged(release.id) else { throw Self.notStaged(release) }
      } catch let error as PostgresError where error.isTransient {
        // The next time is soon enough.
      }
      try await ContinuousClock().sleep(for: .seconds(20))
    }
  }

  static func notStaged(_ release: JobStore.ReleaseRecord) -> ReleaseRefusal {
    ReleaseRefusal(
      "not_staged", "somebody else has decided about release \(release.name) meanwhile",
      hint: "sluice releases show \(release.name) says what")
  }
}

extension Pipeline {
  fileprivate func has(_ stage: String) -> Bool {
    switch stage {
    case StageJob.curate: !curate.isEmpty
    case StageJob.load: !load.isEmpty
    default: true
    }
  }
}
