import FleetSimulation

/// One policy on one trace.
package struct SimulatedRun: Sendable {
  package var policy: PolicyName
  package var settings: PolicySettings
  package var score: FleetScore

  /// Runs the trace. A peer is first tuned to its best on this trace; settings in `given` stay as they are.
  ///
  /// - Parameter given: `key=value`.
  /// - Throws: ``PolicySettingError``
  package init(_ trace: ScalingTrace, policy: PolicyName, given: [String] = []) throws {
    var settings = PolicySettings.defaults(of: policy)
    var fixed: Set<PolicySettings.Key> = []
    for text in given {
      if let wrong = settings.set(text, for: policy) { throw PolicySettingError(message: wrong) }
      if let key = text.split(separator: "=").first.flatMap({ PolicySettings.Key(rawValue: String($0)) }) {
        fixed.insert(key)
      }
    }
    self.policy = policy
    if policy == .sluice {
      self.settings = settings
      score = Self.score(trace, policy, settings)
    } else {
      (self.settings, score) = Tuning(trace: trace, policy: policy, fixed: fixed).best(from: settings)
    }
  }

  /// With the settings as they are.
  static func score(_ trace: ScalingTrace, _ policy: PolicyName, _ settings: PolicySettings) -> FleetScore {
    switch policy {
    case .sluice: SimulatedFleet.run(trace, policy: ShippedPolicy(settings, header: trace.header))
    case .hpa: SimulatedFleet.run(trace, policy: UtilisationPolicy(settings))
    case .keda: SimulatedFleet.run(trace, policy: ScaledObjectPolicy(settings))
    case .scaledjob: SimulatedFleet.run(trace, policy: ScaledJobPolicy(settings))
    case .latency: SimulatedFleet.run(trace, policy: LatencyPolicy(settings))
    case .ds2: SimulatedFleet.run(trace, policy: TrueRatePolicy(settings))
    }
  }
}
