/// How much memory jobs are expected to need together: the chance constraint Σμ + z·√Σσ² ≤ limit.
///
/// Widths of independent jobs do not add up: ten jobs of 1 ± 0.3 GB need 10 + 2·0.95 GB, not 16. So more jobs fit than with a
/// peak for each, and far fewer are killed than with the means.
struct MemoryRoom: Sendable {
  private var mean = 0.0
  private var variance = 0.0
  private(set) var jobs = 0
  /// Endless where there is no limit.
  let limit: Double
  let widths: Double

  /// - Parameter widths: z, the number of standard deviations that are kept free.
  init(limitBytes: Double?, widths: Double) {
    limit = limitBytes.map { Number.within($0, 0...Number.mostBytes, otherwise: 0) } ?? .infinity
    self.widths = widths
  }

  /// What is expected to be in use with the widths.
  var needed: Double { mean + widths * variance.squareRoot() }

  /// Whether one more job has room. The only job has room if its mean has: its width has nothing to share with.
  func fits(_ job: Estimate) -> Bool {
    if jobs == 0 { return job.mean <= limit }
    return mean + job.mean + widths * (variance + job.deviation * job.deviation).squareRoot() <= limit
  }

  mutating func add(_ job: Estimate, jobs count: Int = 1) {
    mean += job.mean * Double(count)
    variance += job.deviation * job.deviation * Double(count)
    jobs += count
  }

  mutating func remove(_ job: Estimate) {
    mean = max(0, mean - job.mean)
    variance = max(0, variance - job.deviation * job.deviation)
    jobs -= 1
  }

  /// How many jobs of one kind have room, `most` at most.
  func count(of job: Estimate, most: Int) -> Int {
    guard limit.isFinite else { return most }
    let free = limit - mean
    guard job.mean <= free else { return 0 }
    let spare = free * free - widths * widths * variance
    guard free > 0, spare > 0 else { return 0 }
    // The smaller root of (free − kμ)² = z²(V + kσ²), in the form that does not cancel.
    let linear = 2 * free * job.mean + widths * widths * job.deviation * job.deviation
    let root = max(0, linear * linear - 4 * job.mean * job.mean * spare).squareRoot()
    let count = linear > 0 ? 2 * spare / (linear + root) : Double(most)
    let whole = Int(Number.within(count + 1e-9, 0...Double(most), otherwise: 0))
    return whole == 0 && jobs == 0 && most > 0 && job.mean <= limit ? 1 : whole
  }
}
