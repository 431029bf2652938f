/// The last values of one measurement: their mean, width and quantiles.
struct SampleWindow: Sendable, Equatable, Codable {
  /// Enough for a 95 % quantile; a change of a kind's behaviour is learned within as many jobs.
  static let maxValues = 64

  private var values: [Double] = []
  private var next = 0
  private(set) var mean = 0.0
  private(set) var deviation = 0.0

  var count: Int { values.count }

  /// Takes a value; what is not a finite number that is at least zero is left out.
  mutating func add(_ value: Double, atMost limit: Double) {
    guard value.isFinite, value >= 0 else { return }
    if values.count < Self.maxValues {
      values.append(min(value, limit))
    } else {
      values[next] = min(value, limit)
      next = (next + 1) % Self.maxValues
    }
    mean = values.reduce(0, +) / Double(values.count)
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    deviation = values.count > 1 ? (squares / Double(values.count - 1)).squareRoot() : 0
  }

  /// The value that the share `quantile` (0...1) of all values does not exceed; zero without values.
  func quantile(_ quantile: Double) -> Double {
    guard !values.isEmpty else { return 0 }
    let sorted = values.sorted()
    return sorted[min(sorted.count - 1, max(0, Int((quantile * Double(sorted.count)).rounded(.up)) - 1))]
  }

  /// What the next value is expected to be. With few values the width is larger: of `count` values the mean itself is uncertain, and
  /// `prior` (a share of the mean) stands for a width that so few values cannot show.
  func estimate(priorWidth prior: Double) -> Estimate {
    let weight = 4.0
    let variance =
      (deviation * deviation * Double(count) + prior * prior * mean * mean * weight) / (Double(count) + weight)
    let width = (variance * (1 + 1 / Double(max(1, count)))).squareRoot()
    return Estimate(mean: mean, deviation: width, high: max(mean, quantile(0.95)))
  }
}
