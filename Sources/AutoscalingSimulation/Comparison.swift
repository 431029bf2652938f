import FleetSimulation

/// All policies on one trace, and what the shipped one is held to.
package struct Comparison: Sendable {
  /// Worker hours of the shipped policy over those of the cheapest that misses at most 1 %.
  package static let acceptedCost = 1.15

  package var trace: String
  package var runs: [SimulatedRun]

  package init(_ trace: ScalingTrace, policies: [PolicyName] = PolicyName.allCases) throws {
    self.trace = trace.header.trace
    runs = try policies.map { try SimulatedRun(trace, policy: $0) }
  }

  /// Worker seconds of the cheapest policy that misses at most 1 %; nil: none does.
  package var cheapestSeconds: Double? {
    runs.filter { $0.score.missRatio <= Tuning.acceptedMisses }.map(\.score.workerSeconds).min()
  }

  /// A run's worker hours over those of the cheapest that misses at most 1 %.
  package func cost(of run: SimulatedRun) -> Double? {
    cheapestSeconds.flatMap { $0 > 0 ? run.score.workerSeconds / $0 : nil }
  }

  /// What the shipped policy does not reach on this trace; empty: it reaches all.
  package var shortfalls: [String] {
    guard let shipped = runs.first(where: { $0.policy == .sluice }) else { return [] }
    var list: [String] = []
    let peerMisses = runs.filter { $0.policy != .sluice }.map(\.score.missRatio).min() ?? 0
    if shipped.score.missRatio > max(Tuning.acceptedMisses, peerMisses) { list.append("misses") }
    if let cost = cost(of: shipped), cost > Self.acceptedCost { list.append("worker hours") }
    if shipped.score.runningKilled > 0 { list.append("running killed") }
    if shipped.score.memoryKills > 0 { list.append("out of memory") }
    return list
  }
}
