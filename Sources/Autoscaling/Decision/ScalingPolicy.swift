/// The scaling policy: a pure function from measurements to counts and reasons.
package struct ScalingPolicy: Sendable {
  package var settings: ScalingSettings
  package init(settings: ScalingSettings = ScalingSettings()) { self.settings = settings }

  package func decide(_ inputs: ScalingInputs) -> ScalingDecision {
    let jobs = inputs.lanes.reduce(into: [:]) { sums, lane in
      sums[lane.release, default: 0] += lane.queued.reduce(0) { $0 + $1.jobs }
    }
    let wanted = jobs.map { ReleaseCount(release: $0.key, workers: min($0.value, inputs.limits.maxWorkers)) }
    return ScalingDecision(
      wanted: wanted, total: 0, demanded: 0, reasons: [.idle], limit: nil, warnings: [], claims: ClaimRule(),
      yields: [],
      stops: [], drains: [], history: inputs.history)
  }
}
