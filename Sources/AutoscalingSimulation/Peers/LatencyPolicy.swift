import FleetSimulation

/// A target for the wait: a worker for so much backlog as it works off within the latency, `ceil(jobs × seconds ÷ latency)`.
struct LatencyPolicy: FleetPolicy {
  let settings: PolicySettings
  let interval = 15.0
  private var rule: ReplicaRule
  private var seconds = RunningMean()

  init(_ settings: PolicySettings) {
    self.settings = settings
    rule = ReplicaRule(stabilization: settings.stabilization)
  }

  mutating func decide(_ view: FleetView) -> FleetDecision {
    guard !view.isStale else { return .hold }
    for job in view.finished { seconds.add(job.seconds) }
    let backlog = settings.metric == .queued ? view.queued : view.queued + view.running
    let most = min(settings.max, view.limits.maxWorkers)
    let least = min(most, max(settings.min, backlog > 0 ? 1 : 0))
    let desired = Self.desired(
      jobs: backlog, seconds: seconds.value ?? 60, latency: settings.latency, slots: view.limits.slots)
    // Its scale-out is not limited: the count is set, not approached.
    let held = rule.settle(desired: desired, current: max(view.workers, desired), min: least, max: most, now: view.now)
    return .count(desired < view.workers ? min(view.workers, held) : max(least, min(desired, most)), .youngest)
  }

  static func desired(jobs: Int, seconds: Double, latency: Double, slots: Int) -> Int {
    Int(min((Double(jobs) * seconds / (latency * Double(slots)) - 1e-9).rounded(.up), 1e6))
  }
}

/// Of the last hundred or so.
struct RunningMean {
  private(set) var value: Double?
  private var count = 0.0

  mutating func add(_ number: Double) {
    count = min(count + 1, 100)
    let before = value ?? number
    value = before + (number - before) / count
  }
}
