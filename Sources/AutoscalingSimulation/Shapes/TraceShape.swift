import FleetSimulation

/// The shapes of load that the policies are compared on, each drawn from a seed.
package enum TraceShape: String, Sendable, CaseIterable {
  case diurnal4m = "diurnal-4m"
  case diurnal30m = "diurnal-30m"
  case diurnal4h = "diurnal-4h"
  case mixed, nightly, spikes, sawtooth
  case metricsGap = "metrics-gap"
  case crashStorm = "crash-storm"
  case deployAtPeak = "deploy-at-peak"

  /// Seeds that the policy's constants may be chosen on.
  package static let tuningSeeds: ClosedRange<UInt64> = 1...20
  /// Seeds that the policy is judged on, and nothing is chosen on.
  package static let heldOutSeeds: ClosedRange<UInt64> = 101...120

  /// The trace of a seed.
  ///
  /// - Parameter scale: Of its length: 1 is a day, and a test may take less.
  package func trace(seed: UInt64, scale: Double = 1) -> ScalingTrace {
    var maker = TraceMaker(name: "\(rawValue)-\(seed)", seconds: (86_400 * scale).rounded())
    switch self {
    case .diurnal4m: maker.addDay(slack: 240)
    case .diurnal30m: maker.addDay(slack: 1_800)
    case .diurnal4h: maker.addDay(slack: 14_400)
    case .mixed: maker.addMixed()
    case .nightly: maker.addNight()
    case .spikes: maker.addSpikes()
    case .sawtooth: maker.addSawtooth()
    case .metricsGap:
      maker.addDay(slack: 1_800)
      maker.addGaps()
    case .crashStorm:
      maker.addDay(slack: 1_800)
      maker.addCrashes()
    case .deployAtPeak:
      maker.addDay(slack: 1_800)
      maker.addDeploy()
    }
    return maker.trace
  }
}
