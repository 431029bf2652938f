/// Makes numbers from outside safe to calculate with.
package enum Number {
  /// `value` within `range`; `fallback` where it is not a number at all. An infinite value becomes the end of the range.
  package static func within(
    _ value: Double, _ range: ClosedRange<Double>, otherwise fallback: Double
  ) -> Double {
    if value.isNaN { return fallback }
    return min(max(value, range.lowerBound), range.upperBound)
  }

  /// The smallest count that is not below `value`, within `0...limit`; zero where `value` is not a number.
  package static func count(_ value: Double, atMost limit: Int) -> Int {
    let safe = within(value, 0...Double(min(max(limit, 0), 1 << 52)), otherwise: 0)
    // 1e-9: twelve thirds of a job are four jobs, whatever the last bit says.
    return Int((safe - 1e-9).rounded(.up))
  }

  /// The longest time that the policy calculates with: ten years, in seconds.
  package static let longestSeconds = 3.2e8
  /// The largest memory that the policy calculates with: one exbibyte.
  package static let mostBytes = 0x1p60
  /// The largest number of jobs or workers that the policy calculates with.
  package static let mostJobs = 1 << 40
}
