/// What one decision remembers for the next. Bounded: at most ``maxMoments`` moments.
package struct ScalingHistory: Sendable, Equatable, Codable {
  /// A count per release that was needed at a time.
  package struct Moment: Sendable, Equatable, Codable {
    package var seconds: Double
    package var needed: [String: Int]
  }
  /// One decision each second for 6 × 100 s of start-up time would be 600; older moments are merged into their neighbour.
  package static let maxMoments = 64

  package var moments: [Moment] = []
  /// What was wanted last, per release.
  package var wanted: [String: Int] = [:]
  package var promise: ScaleUpPromise?
  package var freeze: ScalingFreeze?
  /// Memory pressure stopped heavy claims in the decision before; it ends below a lower bound than it begins.
  package var heldClaims: Bool = false
  package var seconds: Double?

  package init() {}
}

/// A scale-up that is still to be judged.
package struct ScaleUpPromise: Sendable, Equatable, Codable {
  package var madeAt: Double
  /// When the new workers are expected to have worked long enough to be judged.
  package var judgedAt: Double
  /// Busy slots and work done per second before.
  package var slotsBefore: Double
  package var rateBefore: Double
  /// ``Throughput/workSeconds`` and the time when the measuring began.
  package var measuredFrom: Double?
  package var workAtStart: Double?
}

/// No further scale-up: the last one brought too little.
package struct ScalingFreeze: Sendable, Equatable, Codable {
  package var since: Double
  /// When one more worker is tried, whatever the measurements say: the way out.
  package var until: Double
  package var cause: WaitCause?
  package var workers: Int
}
