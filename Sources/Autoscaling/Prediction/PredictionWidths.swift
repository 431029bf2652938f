/// By how much the widths of predictions are multiplied, so that they hold what they promise: learned from predictions and what came. Pure.
///
/// A width promises that 19 of 20 actual values are within two standard deviations of the mean. The factor is what would have made that true of
/// the last ``maxPairs`` predictions of the kind. It never narrows a width, and at most doubles it.
package struct PredictionWidths: Sendable, Equatable, Codable {
  package static let maxPairs = 200
  /// Fewer pairs say nothing.
  package static let minPairs = 20
  /// When there are more, the kinds that were longest without a pair are forgotten.
  package static let maxKinds = 500
  private static let range = 1.0...2.0
  private static let promise = 0.95

  package enum Amount: String, Sendable, Codable { case seconds, memory }

  private struct Key: Sendable, Hashable, Codable {
    var kind: String
    var amount: Amount
  }

  private struct Misses: Sendable, Equatable, Codable {
    /// |actual − mean| in units of two standard deviations, without the factor that was in them.
    var values: [Double] = []
    var next = 0
    var last = 0
    var factor = 1.0
  }

  private var misses: [Key: Misses] = [:]
  private var added = 0
  var count: Int { misses.count }

  package init() {}

  /// Takes a pair. One that is not a pair of finite numbers is left out.
  ///
  /// - Parameter width: The factor that was in the prediction.
  package mutating func add(_ amount: Amount, of kind: String, predicted: Estimate, width: Double = 1, actual: Double) {
    guard predicted.mean.isFinite, predicted.deviation.isFinite, actual.isFinite, actual >= 0 else { return }
    let deviation = predicted.deviation / Number.within(width, Self.range, otherwise: 1)
    let error = abs(actual - predicted.mean)
    let value = error == 0 ? 0 : deviation > 0 ? min(error / (2 * deviation), 1e6) : 1e6
    let key = Key(kind: kind, amount: amount)
    var known = misses[key] ?? Misses()
    added += 1
    known.last = added
    if known.values.count < Self.maxPairs {
      known.values.append(value)
    } else {
      known.values[known.next] = value
      known.next = (known.next + 1) % Self.maxPairs
    }
    known.factor = Self.factor(known.values)
    misses[key] = known
    if misses.count > 2 * Self.maxKinds { forget() }
  }

  /// 1...2.
  package func factor(_ amount: Amount, of kind: String) -> Double {
    misses[Key(kind: kind, amount: amount)]?.factor ?? 1
  }

  /// The same estimate with the width that its kind needs.
  func widened(_ estimate: Estimate, _ amount: Amount, of kind: String) -> Estimate {
    let factor = factor(amount, of: kind)
    guard factor > 1 else { return estimate }
    return Estimate(
      mean: estimate.mean, deviation: estimate.deviation * factor,
      high: estimate.mean + (estimate.high - estimate.mean) * factor)
  }

  private static func factor(_ values: [Double]) -> Double {
    guard values.count >= minPairs else { return 1 }
    let sorted = values.sorted()
    let rank = Int((promise * Double(sorted.count)).rounded(.up))
    return min(max(sorted[rank - 1], range.lowerBound), range.upperBound)
  }

  private mutating func forget() {
    let oldest = misses.sorted { $0.value.last < $1.value.last }.prefix(misses.count - Self.maxKinds)
    for (key, _) in oldest { misses[key] = nil }
  }
}
