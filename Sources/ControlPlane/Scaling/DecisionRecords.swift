import Autoscaling
import FoundationEssentials
import JobStore

/// Which decisions are stored: those that change something, and now and then one that does not.
struct DecisionRecords: Sendable {
  /// Without a change a decision is stored again after this many seconds.
  static let storeSeconds = 60.0
  /// The same while there is work: what is read of it is as old at most.
  static let busyStoreSeconds = 15.0

  /// What was stored last, as far as a change of it is worth another row.
  private struct Stored: Equatable {
    var counts: [Int64: Int]
    var stops: [Int64]
    var drains: [Int64]
    var limitedBy: String?
    var override: Int64?
    var isLate: Bool
    var troubled: Set<Int64>
  }

  private var stored: (what: Stored, at: Double)?

  /// - Returns: nil where nothing changed since the last one.
  mutating func record(
    of decision: ScalingDecision, counts: [Int64: Int], inputs: ScalingInputs, look: ScalingMeasurement,
    bases: [String: Prediction.Basis]
  ) throws -> JobStore.NewScalingDecision? {
    let what = Stored(
      counts: counts, stops: decision.stops, drains: decision.drains,
      limitedBy: decision.limit.map(Self.kind), override: look.override?.id, isLate: !decision.warnings.isEmpty,
      troubled: Set(look.troubles.keys))
    let rest = inputs.isQuiet ? Self.storeSeconds : Self.busyStoreSeconds
    if let stored, stored.what == what, (0..<rest).contains(inputs.seconds - stored.at) { return nil }
    stored = (what, inputs.seconds)
    var report = ScalingReport(inputs, decision: decision, bases: bases, troubles: look.troubles)
    report.memoryUsed = look.memory.limitBytes.map { _ in look.memory.usedBytes }
    return JobStore.NewScalingDecision(
      total: decision.total, demanded: decision.demanded, counts: counts, stops: decision.stops.filter { $0 > 0 },
      drains: decision.drains.filter { $0 > 0 }, reasons: decision.reasons.map(\.description),
      limitedBy: decision.limit?.description,
      inputs: try report.json,
      history: String(decoding: try JSONEncoder().encode(decision.history), as: UTF8.self))
  }

  /// A limit without its numbers, which change all the time.
  private static func kind(_ limit: ScalingLimit) -> String {
    switch limit {
    case .maximum: "maximum"
    case .memory: "memory"
    case .connections: "connections"
    case .budget: "budget"
    case .claimable: "claimable"
    case .jobTooLarge(let kind, _): "job_too_large \(kind)"
    case .frozen: "frozen"
    case .pinnedReleases: "pinned_releases"
    }
  }
}
