/// Kubernetes' rule for a number of replicas, as its documentation of horizontal pod autoscaling states it.
///
/// `desired = ceil(current × metric ÷ target)`, nothing within a tolerance of 0.1, up by at most 4 or the double in 15 seconds,
/// down to the highest recommendation of the stabilization window.
struct ReplicaRule {
  static let tolerance = 0.1
  static let syncSeconds = 15.0
  static let upPods = 4

  private var recommendations: [(at: Double, count: Int)] = []
  var stabilization: Double

  init(stabilization: Double) { self.stabilization = stabilization }

  /// - Parameter ratio: The metric over its target.
  static func desired(current: Int, ratio: Double) -> Int {
    guard abs(ratio - 1) > tolerance + 1e-9 else { return current }
    return Int(min((Double(current) * ratio - 1e-9).rounded(.up), 1e6))
  }

  /// The count after limits on speed.
  mutating func settle(desired: Int, current: Int, min least: Int, max most: Int, now: Double) -> Int {
    recommendations.removeAll { $0.at < now - stabilization }
    recommendations.append((now, desired))
    let highest = recommendations.reduce(0) { max($0, $1.count) }
    var count = desired
    if desired < current { count = min(current, highest) }
    count = min(count, max(current + Self.upPods, 2 * current))
    return max(least, min(count, most))
  }
}
