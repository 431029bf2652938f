/// One measured number, what it is compared with, and whether it is what was wanted.
package struct Figure: Sendable, Equatable {
  package var name: String
  package var value: Double
  package var unit: String
  /// The lowest and the highest of the repetitions that ``value`` is the median of.
  package var range: ClosedRange<Double>?
  /// The peer or the floor that was measured in the same run, in the same unit.
  package var beside: String?
  package var besideValue: Double?
  package var besideRange: ClosedRange<Double>?
  package var target: Target?
  /// What a reader has to know to judge the number.
  package var note: String?

  package init(
    _ name: String, _ value: Double, _ unit: String, range: ClosedRange<Double>? = nil, beside: String? = nil,
    besideValue: Double? = nil, besideRange: ClosedRange<Double>? = nil, target: Target? = nil, note: String? = nil
  ) {
    self.name = name
    self.value = value
    self.unit = unit
    self.range = range
    self.beside = beside
    self.besideValue = besideValue
    self.besideRange = besideRange
    self.target = target
    self.note = note
  }

  /// The median of samples beside the median of a peer's.
  package init(
    _ name: String, _ samples: Samples, _ unit: String, beside: String, _ peer: Samples?, target: Target? = nil,
    note: String? = nil
  ) {
    self.init(
      name, samples.median, unit, range: samples.range, beside: peer == nil ? nil : beside,
      besideValue: peer?.median, besideRange: peer?.range, target: target, note: note)
  }

  /// How many times the value is what stands beside it.
  package var ratio: Double? {
    guard let besideValue, besideValue != 0 else { return nil }
    return value / besideValue
  }

  /// Nil where there is no target, or nothing that it could be held against.
  package var met: Bool? {
    switch target {
    case nil: nil
    case .atMost(let limit): value <= limit
    case .atLeast(let limit): value >= limit
    case .ratioAtLeast(let limit): ratio.map { $0 >= limit }
    case .ratioAtMost(let limit): ratio.map { $0 <= limit }
    }
  }

  package enum Target: Sendable, Equatable, CustomStringConvertible {
    /// In the figure's own unit.
    case atMost(Double)
    case atLeast(Double)
    case ratioAtLeast(Double)
    case ratioAtMost(Double)

    package var description: String {
      switch self {
      case .atMost(let limit): "≤ \(limit)"
      case .atLeast(let limit): "≥ \(limit)"
      case .ratioAtLeast(let limit): "≥ \(limit) ×"
      case .ratioAtMost(let limit): "≤ \(limit) ×"
      }
    }
  }

  /// Three digits that count; from a thousand on, whole.
  package static func rounded(_ value: Double) -> Double {
    guard value.isFinite else { return 0 }
    guard value != 0, abs(value) < 1000 else { return value.rounded() }
    var scale = 1.0
    while abs(value) * scale < 100 { scale *= 10 }
    return (value * scale).rounded() / scale
  }

  /// As people read it: without a fraction where there is none.
  package static func text(_ value: Double) -> String {
    let number = rounded(value)
    return number == number.rounded() && abs(number) < 1e15 ? "\(Int64(number))" : "\(number)"
  }
}
