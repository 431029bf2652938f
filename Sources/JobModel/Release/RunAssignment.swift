/// The release that a run begins with, whose definition it keeps to its end.
package struct RunAssignment: Sendable, Equatable {
  package var release: Int64
  /// Whose lanes its jobs stand in; 0: those that every engine serves.
  package var lanes: Int64
  /// The number that was drawn for it; nil: the next.
  package var run: RunID?

  package init(release: Int64, lanes: Int64, run: RunID?) {
    self.release = release
    self.lanes = lanes
    self.run = run
  }

  /// The definitions of a directory, before anything was deployed.
  package static func implicit(_ release: Int64) -> RunAssignment {
    RunAssignment(release: release, lanes: 0, run: nil)
  }

  /// Which release a run with this number begins with: a canary takes `ramp` of 10,000. A run that is taken up again
  /// keeps its side, because its number stays.
  package static func deployed(current: Int64, canary: (release: Int64, ramp: Int)?, run: RunID) -> RunAssignment {
    let isCanary = canary.map { bucket(of: run) < $0.ramp } ?? false
    let release = isCanary ? canary?.release ?? current : current
    return RunAssignment(release: release, lanes: release, run: run)
  }

  /// 0 to 9,999, spread evenly over consecutive numbers.
  ///
  /// Source: the finisher of SplitMix64 (G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators").
  static func bucket(of run: RunID) -> Int {
    var z = UInt64(bitPattern: run.rawValue) &+ 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return Int((z ^ (z >> 31)) % 10_000)
  }
}
