/// How good predictions of one kind and unit were: a pure sum over pairs of what was expected and what came.
package struct PredictionScore: Sendable, Equatable, Codable {
  package private(set) var count = 0
  private var weightSum = 0.0
  private var withinHigh = 0.0
  private var withinWidth = 0.0
  private var predictedSum = 0.0
  private var actualSum = 0.0
  private var errorSum = 0.0

  package init() {}

  /// Takes one pair. One that is not a pair of finite numbers is left out.
  ///
  /// - Parameter weight: How many such pairs it stands for.
  package mutating func add(predicted: Estimate, actual: Double, weight: Double = 1) {
    guard predicted.mean.isFinite, actual.isFinite, actual >= 0 else { return }
    let weight = Number.within(weight, 1...1e9, otherwise: 1)
    let predicted = predicted.sane(atMost: Number.mostBytes)
    let actual = min(actual, Number.mostBytes)
    count += 1
    weightSum += weight
    if actual <= predicted.high { withinHigh += weight }
    if abs(actual - predicted.mean) <= 2 * predicted.deviation { withinWidth += weight }
    predictedSum += predicted.mean * weight
    actualSum += actual * weight
    errorSum += abs(actual - predicted.mean) * weight
  }

  /// Actual / predicted, over all of them: above 1 the predictions are too small. Nil without pairs.
  package var bias: Double? { predictedSum > 0 ? actualSum / predictedSum : nil }

  /// The mean error as a share of the actual values. Nil without pairs.
  package var relativeError: Double? { actualSum > 0 ? errorSum / actualSum : nil }

  /// The share of actual values that did not exceed ``Estimate/high``. Of good predictions about 0.95. Nil without pairs.
  package var shareWithinHigh: Double? { weightSum > 0 ? withinHigh / weightSum : nil }

  /// The share within two standard deviations of the mean. Of good predictions about 0.95. Nil without pairs.
  package var shareWithinWidth: Double? { weightSum > 0 ? withinWidth / weightSum : nil }
}
