import FleetSimulation

/// A horizontal pod autoscaler: on the utilisation of workers, or on a metric of jobs for each worker. Never below one.
struct UtilisationPolicy: FleetPolicy {
  let settings: PolicySettings
  let interval = ReplicaRule.syncSeconds
  private var rule: ReplicaRule
  private var readyBefore = 0
  private var measuredBefore = 0.0

  init(_ settings: PolicySettings) {
    self.settings = settings
    rule = ReplicaRule(stabilization: settings.stabilization)
  }

  mutating func decide(_ view: FleetView) -> FleetDecision {
    guard !view.isStale else { return .hold }
    let least = max(1, settings.min)
    let most = max(least, min(settings.max, view.limits.maxWorkers))
    let current = view.workers
    guard current >= least else { return .count(least, .youngest) }
    guard let ratio = ratio(view) else { return .hold }
    let desired = ReplicaRule.desired(current: current, ratio: ratio)
    return .count(
      rule.settle(desired: desired, current: current, min: least, max: most, now: view.now), .youngest)
  }

  private mutating func ratio(_ view: FleetView) -> Double? {
    defer {
      readyBefore = view.ready
      measuredBefore = view.measuredAt
    }
    switch settings.metric {
    case .queued: return Double(view.queued) / (settings.target * Double(view.workers))
    case .jobs: return Double(view.queued + view.running) / (settings.target * Double(view.workers))
    case .utilisation:
      let seconds = view.measuredAt - measuredBefore
      let slots = Double(max(view.ready, readyBefore) * view.limits.slots)
      guard seconds > 0, slots > 0 else { return nil }
      return min(1, view.busySeconds / (seconds * slots)) / settings.target
    }
  }
}
