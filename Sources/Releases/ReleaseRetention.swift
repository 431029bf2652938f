import JobModel
import JobStore

/// Removes what is stored of releases that nothing needs any more: their files in the database, their engines in the storage, and
/// the engines in the cache of this machine.
///
/// A release is removed when it ended long enough ago, cannot be rolled back to, and no run, lane, schedule, message or worker
/// needs it. That is decided where no claim is made and no run begins. An engine is removed from the storage when all releases
/// that this database knows it from were removed. That is decided while no release can be staged. An engine that this database does
/// not know stays: the storage may serve another database as well, or the database was restored from an older backup.
package struct ReleaseRetention: Sendable {
  /// From the end of a release to the removal of what is stored of it.
  package static let age = Duration.seconds(30 * 86_400)
  /// So many that were current last can be rolled back to, whatever their age.
  package static let kept = 10
  /// An engine in the storage that no release has now may belong to a deploy that is under way.
  private static let orphanSeconds: Int64 = 86_400
  /// A copy in the cache whose releases have ended stays for so long after its last start: a rollback may want it.
  private static let unusedSeconds: Int64 = 7 * 86_400

  package struct Removed: Sendable, Equatable {
    package var releases: [String] = []
    package var definitions = 0
    package var engines: [String] = []
    package var copies: [String] = []

    package init() {}
    package var isEmpty: Bool { self == Removed() }
  }

  private let store: JobStore
  private let engines: EngineStore

  package init(store: JobStore, engines: EngineStore) {
    self.store = store
    self.engines = engines
  }

  /// One round. Any number of processes may run it at once.
  package func run() async throws -> Removed {
    var removed = Removed()
    let author = JobStore.Author("sluice", reason: "its time is over, and nothing needs it")
    if try await hasCandidates() {
      removed.releases = try await store.removeReleases(after: Self.age, keeping: Self.kept, by: author)
    }
    removed.definitions = try await store.forgetImplicitReleases(after: Self.age)
    removed.engines = try await sweepStorage()
    removed.copies = try await sweepCache()
    return removed
  }

  /// Asked before claims are kept waiting.
  private func hasCandidates() async throws -> Bool {
    try await store.releases(in: [.retired, .rejected]).contains {
      $0.removedAt == nil && $0.secondsInState > Self.age.inSeconds
    }
  }

  private func sweepStorage() async throws -> [String] {
    let gone = try await store.goneEngines()
    guard !gone.isEmpty else { return [] }
    let now = try await store.neededEngines().seconds
    var removed: [String] = []
    for engine in try await engines.stored()
    where gone.contains(engine.hash) && engine.modifiedAt < now - Self.orphanSeconds {
      if try await store.whileUnneeded(engine: engine.hash, { try await engines.remove(engine.hash) }) {
        removed.append(engine.hash)
      }
    }
    return removed
  }

  /// Only of this machine: a process that runs a removed copy keeps it until it ends, and the next start fetches it again.
  package func sweepCache() async throws -> [String] {
    let needed = try await store.neededEngines()
    return try await engines.sweepCache(usedBefore: needed.seconds - Self.unusedSeconds) {
      needed.engines[$0] == true
    }
  }
}
