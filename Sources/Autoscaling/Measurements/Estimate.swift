/// What is expected of one job in one unit: seconds of work, or bytes of memory.
///
/// An estimate is data from outside. ``sane(atMost:)`` is what the policy calculates with: it has no NaN, no negative and no
/// endless number.
package struct Estimate: Sendable, Equatable, Codable {
  /// The expected value.
  package var mean: Double
  /// The standard deviation of what happens around ``mean``.
  package var deviation: Double
  /// The largest value that is planned for: of one job its upper quantile, of a group its largest member.
  package var high: Double

  package init(mean: Double, deviation: Double = 0, high: Double? = nil) {
    self.mean = mean
    self.deviation = deviation
    self.high = high ?? mean + 2 * deviation
  }

  /// Exactly `value`, with no width.
  package init(exactly value: Double) { self.init(mean: value, deviation: 0, high: value) }

  /// The same estimate with every number within `0...limit` and ``high`` not below ``mean``.
  package func sane(atMost limit: Double) -> Estimate {
    let mean = Number.within(self.mean, 0...limit, otherwise: 0)
    let high = Number.within(self.high, mean...limit, otherwise: mean)
    return Estimate(mean: mean, deviation: Number.within(deviation, 0...limit, otherwise: 0), high: high)
  }
}
