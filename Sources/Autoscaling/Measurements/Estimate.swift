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

  /// The expected value of the square.
  var square: Double { mean * mean + deviation * deviation }

  /// The same estimate with every number within `0...limit` and ``high`` not below ``mean``.
  package func sane(atMost limit: Double) -> Estimate {
    let mean = Number.within(self.mean, 0...limit, otherwise: 0)
    let high = Number.within(self.high, mean...limit, otherwise: mean)
    return Estimate(mean: mean, deviation: Number.within(deviation, 0...limit, otherwise: 0), high: high)
  }
}

/// What is expected of one job of a group, from what is expected of each.
package struct EstimateSum: Sendable, Equatable {
  private var jobs = 0.0
  private var sum = 0.0
  private var squares = 0.0
  private var high = 0.0

  package init() {}

  package mutating func add(_ estimate: Estimate, jobs count: Double) {
    jobs += count
    sum += estimate.mean * count
    squares += estimate.square * count
    high = max(high, estimate.high)
  }

  /// Nil: of no job.
  package var estimate: Estimate? {
    guard jobs > 0 else { return nil }
    let mean = sum / jobs
    return Estimate(mean: mean, deviation: max(0, squares / jobs - mean * mean).squareRoot(), high: max(mean, high))
  }
}
