/// Measured numbers of one kind; never empty.
package struct Samples: Sendable, Equatable {
  private let sorted: [Double]

  /// - Precondition: at least one value.
  package init(_ values: [Double]) {
    precondition(!values.isEmpty, "a median needs at least one sample")
    sorted = values.sorted()
  }

  package var count: Int { sorted.count }
  package var range: ClosedRange<Double> { sorted[0]...sorted[sorted.count - 1] }

  package var median: Double {
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }

  /// The smallest sample that at least the given share of all do not exceed.
  ///
  /// - Parameter share: 0...1, such as 0.99.
  package func quantile(_ share: Double) -> Double {
    precondition((0...1).contains(share), "a quantile is a share of the samples")
    let rank = Int((share * Double(sorted.count)).rounded(.up))
    return sorted[min(max(rank, 1), sorted.count) - 1]
  }
}
