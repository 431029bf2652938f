import Autoscaling
import JobStore
import Synchronization

/// What earlier runs of pipelines took, asked for once a minute.
final class HistoryCache: Sendable {
  private static let age = Duration.seconds(60)
  /// Pipelines that are asked for at once: what they cost must not hold up a look.
  private static let mostAtOnce = 20

  private struct Known: Sendable {
    var history: StepHistory
    var at: ContinuousClock.Instant
  }

  private let known = Mutex<[String: Known]>([:])
  private let clock = ContinuousClock()

  /// The histories of these pipelines; those of others are forgotten. Of many that are not known or old only some are asked for in one call.
  func histories(of pipelines: Set<String>, store: JobStore) async throws -> [String: StepHistory] {
    let now = clock.now
    let kept = known.withLock { known in
      known = known.filter { pipelines.contains($0.key) }
      return known
    }
    let old = kept.filter { $0.value.at.duration(to: now) >= Self.age }.keys.sorted()
    let asked = Set((pipelines.subtracting(kept.keys).sorted() + old).prefix(Self.mostAtOnce))
    guard !asked.isEmpty else { return kept.mapValues(\.history) }
    let found = try await RunOutlook.histories(of: asked, store: store)
    return known.withLock { known in
      for pipeline in asked { known[pipeline] = Known(history: found[pipeline] ?? StepHistory(), at: now) }
      return known.mapValues(\.history)
    }
  }
}
