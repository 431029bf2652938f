import Hummingbird
import JobStore

/// The number of workers that is wanted, as `GET /v1/scaling` answers it: flat numbers that KEDA's `metrics-api` scaler reads.
package struct ScalingAnswer: Sendable, Equatable, Codable {
  package struct Release: Sendable, Equatable, Codable {
    /// 0: of none.
    package var release: Int64
    package var wanted: Int
    package var workers: Int
    package var starting: Int
    package var draining: Int
  }

  /// A decision is stored once a minute at least: an older one is not of a process that decides.
  package static let freshSeconds = 150.0

  /// Of all releases together.
  package var workers: Int
  /// What the work asked for, before limits.
  package var demanded: Int
  package var queued: Int
  package var running: Int
  package var ageSeconds: Double
  package var decidedAt: String
  package var limitedBy: String?
  /// Wanted workers by the number of the release.
  package var counts: [String: Int]
  package var releases: [Release]

  /// What the last decision says.
  ///
  /// - Parameter isScaled: Whether the definition has `scaling`.
  /// - Throws: ``APIFault`` in place of a number that would be read as zero: 404 `not_scaled`, and 503 `not_decided` where no process
  ///   has decided in time. A scaler keeps its count, or takes its fallback.
  package static func gather(store: JobStore, isScaled: Bool) async throws -> ScalingAnswer {
    guard isScaled else {
      throw APIFault(
        .notFound, "not_scaled", "the number of workers follows no decision: sluice.yaml has no scaling",
        hint: "write scaling: {max: 8}, and start control again")
    }
    guard let decision = try await store.scalingDecision() else {
      throw APIFault(.serviceUnavailable, "not_decided", "nothing is decided yet", hint: notDeciding)
    }
    guard decision.ageSeconds <= freshSeconds else {
      throw APIFault(
        .serviceUnavailable, "not_decided", "the last decision is \(Int(decision.ageSeconds)) s old", hint: notDeciding)
    }
    // Another engine may have written it.
    return ScalingAnswer(decision, try? ScalingReport(json: decision.inputs))
  }

  private static let notDeciding = "a control decides that was started with scaling and without --workers: sluice up"

  init(_ decision: JobStore.ScalingDecisionRecord, _ report: ScalingReport?) {
    workers = decision.total
    demanded = decision.demanded
    queued = report?.stages.reduce(0) { $0 + $1.queued } ?? 0
    running = report?.stages.reduce(0) { $0 + $1.running } ?? 0
    ageSeconds = decision.ageSeconds
    decidedAt = decision.decidedAt
    limitedBy = decision.limitedBy
    counts = Dictionary(decision.counts.map { ("\($0.key)", $0.value) }) { first, _ in first }
    releases =
      report?.releases.compactMap { each in
        Int64(each.release).map {
          Release(
            release: $0, wanted: each.wanted, workers: each.workers, starting: each.starting, draining: each.draining)
        }
      } ?? []
  }
}
