import FleetSimulation

/// KEDA's ScaledJob: a worker for each job, which ends after it.
struct ScaledJobPolicy: FleetPolicy {
  let settings: PolicySettings
  var interval: Double { settings.polling }

  init(_ settings: PolicySettings) { self.settings = settings }

  mutating func decide(_ view: FleetView) -> FleetDecision {
    guard !view.isStale else { return .hold }
    let length = settings.strategy == .standard ? view.queued + view.running : view.queued
    let most = min(settings.max, view.limits.maxWorkers)
    return .start(
      Self.starts(
        strategy: settings.strategy, length: length, target: settings.target,
        unfinished: view.workers + view.draining, pending: view.starting, min: min(settings.min, most), max: most))
  }

  /// How many workers start.
  ///
  /// - Parameters:
  ///   - length: Of the queue. With the default strategy running jobs are a part of it.
  ///   - unfinished: Workers that have not ended.
  ///   - pending: Those of them that start.
  static func starts(
    strategy: PolicySettings.Strategy, length: Int, target: Double, unfinished: Int, pending: Int, min least: Int,
    max most: Int
  ) -> Int {
    guard unfinished >= least else { return least - unfinished }
    guard length > 0 else { return 0 }
    let wanted = min(most, Int((Double(length) / target - 1e-9).rounded(.up)))
    let running = unfinished - least
    let count =
      switch strategy {
      case .standard: wanted - running
      case .accurate: wanted + running > most ? most - running : wanted - pending
      case .eager: min(most - running - pending, wanted)
      }
    return max(0, min(count, wanted))
  }
}
