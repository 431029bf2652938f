import ControlPlane
import JobModel
import JobStore
import ObjectStore
import PipelineDefinition
import Releases
import Synchronization

/// What was lost of releases that are needed: an engine in the storage, a definition in the database. Workers of such a release
/// cannot be started, and its runs wait.
extension Installation {
  struct ReleaseTrouble: Sendable {
    var release: JobStore.ReleaseRecord
    var message: String
    var hint: String?
  }

  /// Engines whose bytes in the storage were read and found whole, by hash, size and time.
  private static let whole = Mutex<Set<String>>([])

  /// - Parameter isIdle: Whether a release has work, or is to have some, and no worker. Only then is everything of it read: a
  ///   release whose workers live has shown that they start.
  func releaseTroubles(
    of releases: [JobStore.ReleaseRecord], isIdle: (JobStore.ReleaseRecord) -> Bool
  ) async throws -> [ReleaseTrouble] {
    var troubles: [ReleaseTrouble] = []
    for release in releases {
      guard let failure = try await trouble(of: release, isThorough: isIdle(release)) else { continue }
      troubles.append(ReleaseTrouble(release: release, message: failure.message, hint: failure.hint))
    }
    return troubles
  }

  /// Of every release that is to have workers.
  func releaseTroubles() async throws -> [ReleaseTrouble] {
    let releases = try await store.releases(in: [.staged, .canary, .current, .draining])
    let needs = try await store.needs(of: releases.map(\.id))
    return try await releaseTroubles(of: releases.filter { $0.state != .draining || needs[$0.id]?.isServed == true }) {
      needs[$0.id]?.hasWorkers != true
    }
  }

  /// On standard error, with the command that repairs each.
  func noteReleaseTroubles() async throws {
    for trouble in try await releaseTroubles() {
      Console.note(trouble.message + (trouble.hint.map { "\n  \($0)" } ?? ""))
    }
  }

  private func trouble(of release: JobStore.ReleaseRecord, isThorough: Bool) async throws -> ReleaseRefusal? {
    guard let hash = release.engineHash else { return nil }
    if let refusal = try await engineTrouble(hash, bytes: release.engineBytes, isThorough: isThorough) {
      return Self.naming(release, refusal)
    }
    guard isThorough, try await !hasWholeDefinition(release) else { return nil }
    return ReleaseRefusal(
      "definition_gone",
      "release \(release.name): the database does not hold all files of its definition; none of its workers can be started",
      hint: "deploy the same directory and engine again: sluice deploy DIRECTORY --engine PATH")
  }

  private func engineTrouble(_ hash: String, bytes: Int64?, isThorough: Bool) async throws -> ReleaseRefusal? {
    let stamp = try await engines.stamp(of: hash)
    let isKnown = stamp.map { stamp in Self.whole.withLock { $0.contains(stamp) } } ?? false
    let trouble = try await engines.trouble(of: hash, bytes: bytes, isThorough: isThorough && !isKnown)
    if trouble == nil, isThorough, let stamp { _ = Self.whole.withLock { $0.insert(stamp) } }
    return trouble
  }

  /// Whether the files that the database holds of a release are those that were deployed.
  func hasWholeDefinition(_ release: JobStore.ReleaseRecord) async throws -> Bool {
    do {
      let files = try await store.releaseFiles(release.id).files
      let bundle = ProjectBundle(files: files.map { .init(path: $0.path, bytes: $0.bytes) })
      return EngineStore.hash(of: bundle.canonicalBytes) == release.definitionHash
    } catch let failure as StageFailure where failure.code == "release_gone" { return false }
  }

  /// One screen about this environment, with what keeps releases from being worked for.
  func statusReport(controlURL: String?) async throws -> StatusReport {
    var report = try await StatusReport.gather(
      environment: environment, controlURL: controlURL, store: store, catalog: catalog)
    let releases = try await store.releases(in: [.staged, .canary, .current, .draining], limit: 50)
    let shown = Dictionary(uniqueKeysWithValues: report.releases.enumerated().map { ($1.id, $0) })
    let needed = releases.filter { release in
      guard let place = shown[release.id] else { return false }
      return release.state != .draining || report.releases[place].jobs > 0
    }
    let troubles = try await releaseTroubles(of: needed) { release in
      shown[release.id].map { report.releases[$0].workers == 0 } ?? false
    }
    for trouble in troubles {
      guard let place = shown[trouble.release.id] else { continue }
      report.releases[place].trouble = trouble.message
      report.releases[place].remedy = trouble.hint
    }
    let standing = try await scalingStanding(try await store.scalingDecision())
    // Where nothing is up, that is told anyway.
    if standing.isDecided || standing.control != nil || report.scaling?.override != nil {
      report.tell(scaling: standing.notes)
    }
    return report
  }
}

extension Deployment {
  /// Stores again what was lost of a release that is known: its engine, or its definition. Returns what it was.
  func repair(_ release: JobStore.ReleaseRecord) async throws -> [String] {
    var repaired: [String] = []
    if try await installation.engines.put(enginePath).wasWritten { repaired.append("engine") }
    if try await !installation.hasWholeDefinition(release) {
      try await installation.store.rewriteFiles(source.bundle.files.map { ($0.path, $0.bytes) }, of: release.id)
      repaired.append("definition")
    }
    return repaired
  }
}
