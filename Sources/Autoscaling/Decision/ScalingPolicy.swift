/// The scaling policy: a pure function from measurements to counts, claims and reasons. See docs/scaling.md for the formulas.
///
/// It never traps on its inputs and never answers with more than ``ScalingLimits/maxWorkers``. One decision costs
/// O(n log n) of the deadline classes and the running jobs, whatever the number of waiting jobs.
package struct ScalingPolicy: Sendable {
  package var settings: ScalingSettings
  package init(settings: ScalingSettings = ScalingSettings()) { self.settings = settings }

  /// - Parameter inputs: The measurements, with the history of the decision before.
  /// - Returns: The counts to reach now. The caller starts what is missing, and stops nothing but ``ScalingDecision/stops``.
  package func decide(_ inputs: ScalingInputs) -> ScalingDecision {
    let now = Number.within(inputs.seconds, -Number.longestSeconds * 100...Number.longestSeconds * 100, otherwise: 0)
    let start = Number.within(inputs.startSeconds, 1...3600, otherwise: 45)
    let limits = SaneLimits(inputs)
    var history = inputs.history
    history.align(to: now)
    history.seconds = now
    guard inputs.ageSeconds <= settings.staleSeconds else {
      return hold(inputs, limits: limits, history: history, now: now)
    }

    let summary = WorkSummary(inputs, now: now, start: start, settings: settings)
    let demand = Demand(
      summary, limits: limits, running: inputs.running, now: now, start: start, settings: settings)
    history.fill(summary.filled, at: now, window: settings.fillSeconds)
    var judge = ScaleUpJudge(history: history, now: now, start: start, settings: settings)
    judge.measure(inputs, summary: summary)

    var plan = CountPlan(demand, inputs: inputs, limits: limits, now: now)
    plan.applyFilled(judge.history)
    plan.holdRecent(&judge.history, now: now, hold: settings.holdStarts * start)
    plan.apply(judge.freeze)
    plan.allocate()

    judge.promise(plan.total, summary: summary, start: start)
    history = judge.history
    let pressure = PressureGuard(settings: settings)
    let claims = pressure.claims(inputs, meanBytes: summary.meanBytes, history: &history)
    let yields = pressure.yields(inputs, now: now, history: &history)
    let victims = Victims(inputs, wanted: plan.wanted, leaving: Set(history.leaving ?? []))
    let leaving = victims.stops.filter { $0 > 0 } + victims.drains
    history.leaving = leaving.isEmpty ? nil : leaving
    let warnings = LateWarnings(start: start, now: now, settings: settings).find(
      summary, wanted: plan.wanted, lanes: inputs.lanes, limits: limits, roomIsShort: demand.memoryIsShort)
    history.wanted = plan.wanted
    return ScalingDecision(
      wanted: plan.counts, total: plan.total, demanded: plan.demanded, reasons: plan.reasons, limit: plan.limit,
      warnings: warnings, claims: claims, yields: yields, stops: victims.stops, drains: victims.drains,
      history: history)
  }

  /// Nothing is known now: the last counts stay, nothing stops, and the claims stay as they were.
  private func hold(
    _ inputs: ScalingInputs, limits: SaneLimits, history: ScalingHistory, now: Double
  ) -> ScalingDecision {
    var wanted = history.wanted
    if wanted.isEmpty {
      for worker in inputs.workers where worker.state != .draining { wanted[worker.release, default: 0] += 1 }
    }
    var counts: [ReleaseCount] = []
    var left = limits.maxWorkers
    for (release, workers) in wanted.sorted(by: { $0.key < $1.key }) {
      let kept = min(max(0, workers), left)
      left -= kept
      if kept > 0 { counts.append(ReleaseCount(release: release, workers: kept)) }
    }
    let age = inputs.ageSeconds.isFinite ? inputs.ageSeconds : Number.longestSeconds
    let total = limits.maxWorkers - left
    return ScalingDecision(
      wanted: counts, total: total, demanded: total, reasons: [.stale(ageSeconds: age)], limit: nil, warnings: [],
      claims: history.claims, yields: [], stops: [], drains: [], history: history)
  }
}
