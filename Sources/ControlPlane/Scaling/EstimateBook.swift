import Autoscaling
import JobModel
import JobStore

/// Which predictions are worth storing: workers reserve memory by them, and the next process that decides starts from them. Pure.
struct EstimateBook: Sendable {
  /// Looked at so often.
  static let everySeconds = 5.0
  /// A prediction that did not change is renewed after this time, and goes after ``retention`` without.
  static let renewSeconds = 86_400.0
  static let retention = Duration.seconds(14 * 86_400)
  /// More are not read when a process begins to decide.
  static let maxRead = 4_000
  /// What differs by less is the same.
  private static let change = 0.05

  private struct Key: Hashable {
    var kind: String
    var pipeline: String
    var size: Int?
  }
  private var stored: [Key: (expected: JobStore.ExpectedNeed, at: Double)] = [:]
  private var learned = 0
  private var lookedAt = -Double.infinity

  /// Those that are to be stored now.
  mutating func due(_ predictor: Predictor, at now: Double) -> [JobStore.NeedEstimate] {
    // A clock that was set back counts as well.
    guard abs(now - lookedAt) >= Self.everySeconds else { return [] }
    lookedAt = now
    var due: [JobStore.NeedEstimate] = []
    for each in predictor.expectations(since: learned) {
      let key = Key(kind: each.kind, pipeline: each.pipeline ?? "", size: each.size)
      let expected = JobStore.ExpectedNeed(
        secondsMean: each.seconds.mean, secondsDeviation: each.seconds.deviation,
        bytesMean: each.memoryBytes.mean, bytesDeviation: each.memoryBytes.deviation)
      if let known = stored[key], abs(now - known.at) < Self.renewSeconds, known.expected.isAbout(expected, Self.change)
      {
        continue
      }
      stored[key] = (expected, now)
      due.append(JobStore.NeedEstimate(kind: key.kind, pipeline: key.pipeline, size: key.size, expected: expected))
    }
    learned = predictor.learned
    if stored.count > 2 * Self.maxRead { stored = [:] }
    return due
  }

  /// What could not be stored is due again.
  mutating func forget() { (stored, learned, lookedAt) = ([:], 0, -.infinity) }
}

extension JobStore.ExpectedNeed {
  fileprivate func isAbout(_ other: JobStore.ExpectedNeed, _ share: Double) -> Bool {
    func isAbout(_ one: Double, _ two: Double, of mean: Double) -> Bool { abs(one - two) <= share * abs(mean) }
    return isAbout(secondsMean, other.secondsMean, of: secondsMean)
      && isAbout(secondsDeviation, other.secondsDeviation, of: secondsMean)
      && isAbout(bytesMean, other.bytesMean, of: bytesMean)
      && isAbout(bytesDeviation, other.bytesDeviation, of: bytesMean)
  }
}
