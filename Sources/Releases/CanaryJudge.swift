import JobModel

/// Decides from what was measured whether a canary is worse than the release beside it.
///
/// Pure, and asked at most ``looks`` times: each look at rates has its share of the one per cent of error.
package struct CanaryJudge: Sendable {
  /// Looks at rates that a canary may be given.
  package static let looks = 5
  /// Fewer finished attempts on a side say nothing of a rate.
  package static let fewest = 30
  private static let errorOfAllLooks = 0.01
  /// A difference that is certain and small is no reason to go back.
  private static let leastRatio = 2.0
  /// Less is what another machine, or a cold cache, makes of it.
  private static let leastSeconds = 0.5
  static let leastShare = 0.02
  private static let leastBytes = 64_000_000.0

  /// What one side did with jobs of one kind.
  package struct Side: Sendable, Equatable {
    /// Attempts that ended, whichever way; yields are none.
    package var finished = 0
    package var failed = 0
    package var crashed = 0
    /// Seconds that attempts took, at the 95th percentile.
    package var slowest: Double?
    /// Bytes of memory that attempts took at most, likewise; nil where it was not seen.
    package var heaviest: Double?
    package var rowsIn = 0
    package var rowsOut = 0
    package var rowsRejected = 0

    package init() {}
  }

  /// Both sides of one kind of job.
  package struct Comparison: Sendable {
    package var kind: String
    package var canary: Side
    package var current: Side

    package init(kind: String, canary: Side, current: Side) {
      self.kind = kind
      self.canary = canary
      self.current = current
    }
  }

  /// What needs no statistics.
  package enum Alarm: Sendable, Equatable {
    case crashLoop(workers: Int)
    case unreadable(job: String)
    case brokenContract(dataset: String)
    /// A run that failed on the canary and, forked from its raw, succeeded on the other.
    case succeededElsewhere(run: RunID)
  }

  package enum Verdict: Sendable, Equatable {
    /// Go back; why, for the audit trail.
    case worse(String)
    case good
    /// Hold: never promoted for want of evidence.
    case inconclusive(String)
  }

  package init() {}

  package func judge(_ comparisons: [Comparison], alarms: [Alarm]) -> Verdict {
    if let alarm = alarms.first { return .worse(Self.told(alarm)) }
    for comparison in comparisons {
      if let reason = worse(comparison) { return .worse(reason) }
    }
    let thin = comparisons.filter { min($0.canary.finished, $0.current.finished) < Self.fewest }
    guard thin.isEmpty, !comparisons.isEmpty else {
      return .inconclusive(
        comparisons.isEmpty
          ? "nothing has run on it yet"
          : thin.map {
            "\($0.kind): \($0.canary.finished) of \(Self.fewest) ended on the canary, \($0.current.finished) beside it"
          }
          .joined(separator: "; "))
    }
    return .good
  }

  private func worse(_ comparison: Comparison) -> String? {
    let (canary, current) = (comparison.canary, comparison.current)
    if let odds = rate(canary.failed, canary.finished, current.failed, current.finished) {
      return told(comparison.kind, "failed", canary.failed, canary.finished, current.failed, current.finished, odds)
    }
    if let odds = rate(canary.crashed, canary.finished, current.crashed, current.finished) {
      return told(comparison.kind, "crashed", canary.crashed, canary.finished, current.crashed, current.finished, odds)
    }
    guard min(canary.finished, current.finished) >= Self.fewest else { return nil }
    if let ours = canary.slowest, let theirs = current.slowest, ours - theirs >= Self.leastSeconds,
      ours >= Self.leastRatio * theirs
    {
      return
        "\(comparison.kind) took \(Self.rounded(ours)) s at the 95th percentile, \(Self.rounded(theirs)) s beside it"
    }
    if let ours = canary.heaviest, let theirs = current.heaviest, ours - theirs >= Self.leastBytes,
      ours >= Self.leastRatio * theirs
    {
      return
        "\(comparison.kind) took \(Int(ours / 1e6)) MB of memory at the 95th percentile, \(Int(theirs / 1e6)) MB beside it"
    }
    return rows(comparison)
  }

  /// Shares of rows: a contract that is broken more often, a SELECT that loses rows.
  private func rows(_ comparison: Comparison) -> String? {
    let (canary, current) = (comparison.canary, comparison.current)
    if let ours = share(canary.rowsRejected, canary.rowsIn), let theirs = share(current.rowsRejected, current.rowsIn),
      ours - theirs >= Self.leastShare, ours >= Self.leastRatio * theirs
    {
      return "\(comparison.kind) rejected \(Self.percent(ours)) of its rows, \(Self.percent(theirs)) beside it"
    }
    if let ours = share(canary.rowsOut, canary.rowsIn), let theirs = share(current.rowsOut, current.rowsIn),
      theirs - ours >= Self.leastShare, theirs >= Self.leastRatio * ours
    {
      return "\(comparison.kind) kept \(Self.percent(ours)) of its rows, \(Self.percent(theirs)) beside it"
    }
    return nil
  }

  /// The probability, where it is low enough at this look and the difference large enough to matter.
  private func rate(_ failures: Int, _ total: Int, _ otherFailures: Int, _ otherTotal: Int) -> Double? {
    guard total >= Self.fewest, otherTotal >= Self.fewest, failures > 0 else { return nil }
    let ratio =
      (Double(failures) / Double(total)) / max(Double(otherFailures) / Double(otherTotal), .leastNonzeroMagnitude)
    guard ratio >= Self.leastRatio else { return nil }
    let odds = FisherTest.probability(failures: failures, of: total, against: otherFailures, of: otherTotal)
    return odds < Self.errorOfAllLooks / Double(Self.looks) ? odds : nil
  }

  private func share(_ part: Int, _ whole: Int) -> Double? { whole > 0 ? Double(part) / Double(whole) : nil }

  private func told(
    _ kind: String, _ what: String, _ failures: Int, _ total: Int, _ otherFailures: Int, _ otherTotal: Int,
    _ odds: Double
  ) -> String {
    "\(kind): \(failures) of \(total) \(what) on the canary, \(otherFailures) of \(otherTotal) beside it (p = \(Self.rounded(odds)))"
  }

  private static func told(_ alarm: Alarm) -> String {
    switch alarm {
    case .crashLoop(let workers): "\(workers) of its workers ended before they had done a job"
    case .unreadable(let job): "it met a checkpoint of \(job) that it cannot read"
    case .brokenContract(let dataset): "it broke the contract of the dataset \(dataset)"
    case .succeededElsewhere(let run): "run \(run) failed on it and succeeded on the other release, from the same raw"
    }
  }

  static func percent(_ share: Double) -> String { "\((share * 1000).rounded() / 10) %" }

  /// Two significant digits.
  private static func rounded(_ value: Double) -> String {
    guard value > 0 else { return "0" }
    var scale = 1.0
    while value * scale < 10 { scale *= 10 }
    return "\((value * scale).rounded() / scale)"
  }
}
