import FleetSimulation

/// KEDA's ScaledObject: from zero to one as soon as there is a job, jobs for each worker through the horizontal pod autoscaler,
/// and to zero after a cooldown without any.
struct ScaledObjectPolicy: FleetPolicy {
  let settings: PolicySettings
  let interval = ReplicaRule.syncSeconds
  private var rule: ReplicaRule
  private var activeAt = 0.0

  init(_ settings: PolicySettings) {
    self.settings = settings
    rule = ReplicaRule(stabilization: settings.stabilization)
  }

  mutating func decide(_ view: FleetView) -> FleetDecision {
    guard !view.isStale else { return .hold }
    let metric = settings.metric == .queued ? view.queued : view.queued + view.running
    let most = min(settings.max, view.limits.maxWorkers)
    let current = view.workers
    if metric > 0 { activeAt = view.now }
    if current == 0 { return .count(min(most, metric > 0 ? max(1, settings.min) : settings.min), .youngest) }
    if metric == 0, settings.min == 0, view.now - activeAt >= settings.cooldown { return .count(0, .youngest) }
    let ratio = Double(metric) / (settings.target * Double(current))
    let desired = ReplicaRule.desired(current: current, ratio: ratio)
    return .count(
      rule.settle(desired: desired, current: current, min: min(most, max(1, settings.min)), max: most, now: view.now),
      .youngest)
  }
}
