import JobModel
import JobStore
import Logging
import PipelineDefinition
import Releases

extension Installation {
  /// Who moves releases without being asked.
  private static let automatic = "sluice"
  /// In seconds; whoever deploys has decided long before.
  private static let longestDeploy = 600.0

  /// One look after releases: the canary is judged, what failed on it is tried on the current release, the runs of rejected ones
  /// are moved, and what has ended is retired. Any number of processes may do this at once.
  func lookAfterReleases() async throws {
    let unsettled = try await store.releases(in: [.canary, .rejected, .staged, .draining, .drained])
    func all(_ state: ReleaseState) -> [JobStore.ReleaseRecord] { unsettled.filter { $0.state == state } }
    if let canary = all(.canary).first {
      do { try await judge(canary) } catch let failure as any Failure where !failure.isTransient {
        // What cannot be decided here is for a person to decide, and keeps nothing else from being looked after.
        try await hold(canary, because: failure.message)
      }
    }
    for rejected in all(.rejected) where rejected.secondsInState < 86_400 {
      try await moveRuns(of: rejected)
    }
    for staged in all(.staged) where staged.secondsInState > Self.longestDeploy {
      let author = JobStore.Author(Self.automatic, reason: "its deploy was left before it became anything")
      _ = try await desk.reject(staged.id, from: [.staged], by: author)
    }
    // Also where nobody keeps their number.
    for drained in all(.drained) { _ = try await store.askToDrain(release: drained.id) }
    guard !unsettled.isEmpty else { return }
    try await desk.retire()
  }

  /// Removes what is stored of releases that nothing needs any more.
  func sweepReleases() async throws {
    let removed = try await ReleaseRetention(store: store, engines: engines).run()
    guard !removed.isEmpty else { return }
    logger.info(
      "what nothing needs of earlier releases was removed",
      metadata: [
        "releases": "\(removed.releases.joined(separator: " "))", "definitions": "\(removed.definitions)",
        "engines": "\(removed.engines.count)", "cached_engines": "\(removed.copies.count)",
      ])
  }

  /// The same for this machine's copies alone, where no control runs.
  func sweepEngineCache() async {
    do { _ = try await ReleaseRetention(store: store, engines: engines).sweepCache() } catch {
      logger.warning("the cache of engines could not be swept", metadata: ["error": "\(error)"])
    }
  }

  private func judge(_ canary: JobStore.ReleaseRecord) async throws {
    guard let current = try await store.releases(in: .current).first else { return }
    try await moveRuns(of: canary)
    switch try await CanaryReview(store: store).look(at: canary, beside: current.id) {
    case nil: break
    case .good:
      _ = try await promote(canary, by: JobStore.Author(Self.automatic, reason: "the canary was no worse"))
    case .worse(let reason):
      let author = JobStore.Author(Self.automatic, reason: reason)
      guard try await desk.reject(canary.id, from: [.canary], by: author) else { break }
      logger.error("a canary was rolled back", metadata: ["release": "\(canary.name)", "reason": "\(reason)"])
      if let rejected = try await store.release(canary.id) { try await moveRuns(of: rejected) }
    case .inconclusive(let reason): try await hold(canary, because: reason)
    }
  }

  private func hold(_ canary: JobStore.ReleaseRecord, because reason: String) async throws {
    try await store.hold(canary: canary.id, because: JobStore.ReleaseRecord.heldPrefix + reason)
    logger.warning("a canary is held", metadata: ["release": "\(canary.name)", "reason": "\(reason)"])
  }

  /// Lets the current release do what runs of this one will not: of a rejected release all that have not ended, of a canary those
  /// that failed, each once and whole, from its raw.
  func moveRuns(of release: JobStore.ReleaseRecord) async throws {
    let isRejected = release.state == .rejected
    let runs = try await store.unmovedRuns(of: release.id, isRejected: isRejected)
    guard !runs.isEmpty, let current = try await store.releases(in: .current).first else { return }
    let definitions = ReleaseDefinitions(store: store, of: project)
    let deployed = try await definitions.project(of: current.id)
    for run in runs {
      do {
        if run.movedTo == nil { try await move(run, to: current.id, as: deployed) }
        if isRejected, !run.state.isTerminal { _ = try await store.cancel(run: run.id) }
      } catch is ReleaseMoved { return } catch let failure as any Failure where !failure.isTransient {
        // One run that cannot be moved keeps no other from it.
        logger.error("a run cannot be moved", metadata: ["run_id": "\(run.id)", "error": "\(failure)"])
        try await store.markUnmovable(run.id)
      }
    }
  }

  private func move(_ run: JobStore.UnmovedRun, to current: Int64, as deployed: Project) async throws {
    guard let pipeline = deployed.pipelines.first(where: { $0.name == run.pipeline }) else {
      return try await store.markUnmovable(run.id)
    }
    let assignment = RunAssignment(release: current, lanes: current, run: nil)
    _ = try await store.move(run.id, to: pipeline.runPlan, with: assignment)
  }
}

/// Follows a canary until it has become something.
struct CanaryWatch {
  let installation: Installation

  func follow(_ canary: JobStore.ReleaseRecord) async throws -> DeployReport.Outcome {
    var said = ""
    while true {
      // Also where no control does it.
      try await installation.lookAfterReleases()
      guard let record = try await installation.store.release(canary.id) else { return .rolledBack }
      switch record.state {
      case .canary: break
      case .rejected: return .rolledBack
      default: return .promoted
      }
      if record.isHeld { return .held }
      let text = "canary \(record.name): look \(record.looks) of \(CanaryJudge.looks)"
      if text != said { Console.note(text) }
      said = text
      try await ContinuousClock().sleep(for: .milliseconds(300))
    }
  }
}
