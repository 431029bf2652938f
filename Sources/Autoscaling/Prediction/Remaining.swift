/// How long running work will take yet.
enum Remaining {
  /// The expected rest of an attempt.
  ///
  /// Progress counts as much as it has shown: at 10 % done, nine parts are the prediction and one what the progress says. An attempt that
  /// has overrun its prediction without saying its progress is expected to need a third of what it took so far, and half a width.
  static func seconds(of estimate: Estimate, elapsed: Double, progress: Double?) -> Double {
    let estimate = estimate.sane(atMost: Number.longestSeconds)
    let elapsed = Number.within(elapsed, 0...Number.longestSeconds, otherwise: 0)
    let byTime = max(estimate.mean - elapsed, elapsed > estimate.mean ? elapsed / 3 : 0, estimate.deviation * 0.5)
    guard let progress, progress > 0.01, progress <= 1 else { return byTime }
    let byProgress = elapsed * (1 - progress) / progress
    return min(byProgress * progress + byTime * (1 - progress), Number.longestSeconds)
  }
}
