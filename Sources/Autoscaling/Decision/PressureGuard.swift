/// What memory pressure asks for: first no heavy claims, then that jobs give their memory back.
struct PressureGuard: Sendable {
  let settings: ScalingSettings

  /// Heavy is what needs more than the mean of all waiting and running jobs. At the pressure that makes jobs yield nothing is claimed at
  /// all while anything runs: a job that has yielded would come back at once.
  func claims(_ inputs: ScalingInputs, meanBytes: Double, history: inout ScalingHistory) -> ClaimRule {
    guard let pressure = inputs.memory.pressure, !pressure.isNaN else {
      history.claims = ClaimRule()
      return ClaimRule()
    }
    let held = history.claims.heaviestBytes != nil
    let bound = held ? settings.pressureReleases : settings.pressureHolds
    if pressure <= bound {
      history.claims = ClaimRule()
    } else if pressure > settings.pressureYields, !inputs.running.isEmpty {
      history.claims = ClaimRule(heaviestBytes: 0)
    } else {
      history.claims = ClaimRule(heaviestBytes: max(meanBytes, 1))
    }
    return history.claims
  }

  /// One job at most: of the lowest priority, the one with the latest deadline, and of these the one that loses least. The last
  /// running job stays.
  func yields(_ inputs: ScalingInputs, now: Double, history: inout ScalingHistory) -> [Int64] {
    guard let pressure = inputs.memory.pressure, pressure > settings.pressureYields, inputs.running.count > 1,
      now - (history.yieldedAt ?? -.infinity) >= settings.yieldEverySeconds
    else { return [] }
    let victim = inputs.running.min { left, right in
      let first = left.deadline ?? .infinity
      let second = right.deadline ?? .infinity
      if left.priority != right.priority { return left.priority < right.priority }
      if first != second { return first > second }
      if left.lossSeconds != right.lossSeconds { return left.lossSeconds < right.lossSeconds }
      return left.job < right.job
    }
    guard let victim else { return [] }
    history.yieldedAt = now
    return [victim.job]
  }
}

extension RunningJob {
  /// Work that is done again when it yields now.
  var lossSeconds: Double {
    Number.within(sinceCheckpointSeconds ?? elapsedSeconds, 0...Number.longestSeconds, otherwise: Number.longestSeconds)
  }
}
