extension ScalingSettings {
  /// Where a job cannot take more than `bytes`, a job that nothing is known of is not expected to.
  package mutating func boundColdStart(by bytes: Double) {
    let share = Number.within(bytes / coldStartBytes.high, 0.01...1, otherwise: 1)
    coldStartBytes = Estimate(
      mean: coldStartBytes.mean * share, deviation: coldStartBytes.deviation * share, high: coldStartBytes.high * share)
  }
}
