import FleetSimulation

/// DS2: as many workers as the arrivals need by the true rate of a worker, which is what it does per second of useful time.
///
/// The backlog is no part of the formula.
struct TrueRatePolicy: FleetPolicy {
  let settings: PolicySettings
  var interval: Double { settings.polling }
  private var rate: Double?
  private var measuredBefore = 0.0

  init(_ settings: PolicySettings) { self.settings = settings }

  mutating func decide(_ view: FleetView) -> FleetDecision {
    guard !view.isStale else { return .hold }
    let seconds = view.measuredAt - measuredBefore
    measuredBefore = view.measuredAt
    if !view.finished.isEmpty, view.busySeconds > 0 {
      let now = Double(view.finished.count) / view.busySeconds
      rate = rate.map { $0 + (now - $0) * 0.2 } ?? now
    }
    let most = min(settings.max, view.limits.maxWorkers)
    // Without a worker nothing is measured.
    let least = min(most, max(settings.min, view.queued + view.running > 0 ? 1 : 0))
    guard let rate, seconds > 0 else { return .count(least, .youngest) }
    let desired = Self.desired(
      arrivals: Double(view.arrived.count) / seconds, rate: rate * Double(view.limits.slots),
      headroom: settings.headroom)
    return .count(max(least, min(desired, most)), .youngest)
  }

  /// - Parameters:
  ///   - arrivals: Jobs per second.
  ///   - rate: Jobs per second of a worker's useful time.
  static func desired(arrivals: Double, rate: Double, headroom: Double) -> Int {
    guard rate > 0 else { return 0 }
    return Int(min((arrivals * headroom / rate - 1e-9).rounded(.up), 1e6))
  }
}
