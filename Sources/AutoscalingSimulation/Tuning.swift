import FleetSimulation

/// Looks for the settings with which a peer is best on one trace: the cheapest with at most one job in a hundred missed, else
/// the one with the fewest misses.
///
/// One setting at a time over a small grid, twice around. Peers are given what they would not know: it is their best.
struct Tuning {
  /// "Misses at most 1 %".
  static let acceptedMisses = 0.01

  let trace: ScalingTrace
  let policy: PolicyName
  /// Keys that the caller set stay.
  var fixed: Set<PolicySettings.Key> = []

  func best(from start: PolicySettings) -> (settings: PolicySettings, score: FleetScore) {
    var best = start
    var score = SimulatedRun.score(trace, policy, best)
    for _ in 0..<2 {
      let before = best
      for key in PolicySettings.keys(of: policy) where !fixed.contains(key) {
        for value in grid(key) {
          var trial = best
          guard trial.set(key, value), trial != best, trial.min <= trial.max else { continue }
          let result = SimulatedRun.score(trace, policy, trial)
          if Self.isBetter(result, score) { (best, score) = (trial, result) }
        }
      }
      if best == before { break }
    }
    return (best, score)
  }

  static func isBetter(_ one: FleetScore, _ other: FleetScore) -> Bool {
    let accepted = (one.missRatio <= acceptedMisses, other.missRatio <= acceptedMisses)
    switch accepted {
    case (true, true): return one.workerSeconds < other.workerSeconds
    case (true, false): return true
    case (false, true): return false
    case (false, false):
      return one.misses == other.misses ? one.workerSeconds < other.workerSeconds : one.misses < other.misses
    }
  }

  private func grid(_ key: PolicySettings.Key) -> [String] {
    switch key {
    case .min: [0, 1, 2, 4, 8, 16].filter { $0 <= trace.header.maxWorkers }.map { "\($0)" }
    case .max: maxima.map { "\($0)" }
    case .target:
      policy == .hpa
        ? ["0.3", "0.5", "0.65", "0.8", "0.9", "1", "2", "4", "8"] : ["0.5", "0.7", "1", "2", "4", "8", "16", "32"]
    case .metric: policy == .hpa ? ["utilisation", "jobs", "queued"] : ["jobs", "queued"]
    case .stabilization: ["0", "60", "300", "900"]
    case .cooldown: ["60", "300"]
    case .polling: policy == .ds2 ? ["15", "60", "300", "900"] : ["5", "15", "30"]
    case .strategy: PolicySettings.Strategy.allCases.map(\.rawValue)
    case .latency: ["15", "30", "60", "120", "300", "900", "3600"]
    case .headroom: ["1", "1.1", "1.25", "1.5", "2", "3", "5"]
    }
  }

  /// All that the launcher gives, and what fits into memory by the mean, the ninth decile and the largest job.
  private var maxima: [Int] {
    let sizes = trace.jobs.map(\.memoryGB).sorted()
    guard let largest = sizes.last, largest > 0 else { return [trace.header.maxWorkers] }
    let mean = sizes.reduce(0, +) / Double(sizes.count)
    let fitting = [mean, sizes[sizes.count * 9 / 10], largest].filter { $0 > 0 }.map { size in
      Int(min(max(1, trace.header.memoryGB / size), Double(trace.header.maxWorkers)))
    }
    return Set(fitting + [trace.header.maxWorkers]).sorted()
  }
}
