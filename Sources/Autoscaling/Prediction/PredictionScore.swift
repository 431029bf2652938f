/// How good predictions of one kind and unit were: a pure sum over pairs of what was expected and what came.
package struct PredictionScore: Sendable, Equatable, Codable {
  package private(set) var count = 0
  /// How many actual values did not exceed ``Estimate/high``. Of good predictions about 95 %.
  package private(set) var withinHigh = 0
  /// How many were within two standard deviations of the mean. Of good predictions about 95 %.
  package private(set) var withinWidth = 0
  private var predictedSum = 0.0
  private var actualSum = 0.0
  private var errorSum = 0.0

  package init() {}

  /// Takes one pair. One that is not a pair of finite numbers is left out.
  package mutating func add(predicted: Estimate, actual: Double) {
    guard predicted.mean.isFinite, actual.isFinite, actual >= 0 else { return }
    let predicted = predicted.sane(atMost: Number.mostBytes)
    let actual = min(actual, Number.mostBytes)
    count += 1
    if actual <= predicted.high { withinHigh += 1 }
    if abs(actual - predicted.mean) <= 2 * predicted.deviation { withinWidth += 1 }
    predictedSum += predicted.mean
    actualSum += actual
    errorSum += abs(actual - predicted.mean)
  }

  /// Actual / predicted, over all of them: above 1 the predictions are too small. Nil without pairs.
  package var bias: Double? { predictedSum > 0 ? actualSum / predictedSum : nil }

  /// The mean error as a share of the actual values. Nil without pairs.
  package var relativeError: Double? { actualSum > 0 ? errorSum / actualSum : nil }

  /// By how much the widths of this kind should be multiplied so that they hold what they promise: 1 while at least 90 % of the actual values
  /// are within two deviations, up to 2 when none is. Fewer than 20 pairs say nothing.
  package var widening: Double {
    guard count >= 20 else { return 1 }
    let share = Double(withinWidth) / Double(count)
    return share >= 0.9 ? 1 : 1 + (0.9 - share) / 0.9
  }
}
