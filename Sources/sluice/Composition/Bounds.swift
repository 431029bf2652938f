import ArgumentParser

/// Seconds on the command line: a number that a duration can hold, so neither `nan` nor `1e300`.
struct Seconds: ExpressibleByArgument {
  /// A year. Nothing is waited for any longer.
  static let most = 366.0 * 86_400

  let duration: Duration

  init?(argument: String) {
    guard let seconds = Double(argument), (0...Self.most).contains(seconds) else { return nil }
    duration = .seconds(seconds)
  }

  init(_ seconds: Int) { duration = .seconds(seconds) }

  var defaultValueDescription: String { "\(duration.components.seconds)" }
}

/// The range of a whole number on the command line.
enum Bounds {
  static let listing = 1...1_000_000
  static let port = 0...65_535
  static let slots = 1...256
  static let workers = 0...1000

  /// - Parameter value: nil is always right.
  static func check(_ option: String, _ value: Int?, _ range: ClosedRange<Int>) throws {
    guard let value, !range.contains(value) else { return }
    throw ValidationError("\(option) must be \(range.lowerBound) to \(range.upperBound); \(value) is not")
  }
}
