extension PoolState {
  /// As ``allTroubles``. Where no worker of a release is wanted, none has to be started: why the last start failed is no trouble then.
  ///
  /// - Parameter wanted: Workers by release; nil: nothing is decided yet.
  func troubles(wanted: [Int64: Int]?) -> [Int64: String] {
    guard let wanted else { return allTroubles }
    return allTroubles.filter { release, _ in release == ScalingReport.launcher || wanted[release] ?? 0 > 0 }
  }
}
