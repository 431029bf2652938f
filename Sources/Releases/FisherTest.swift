import Glibc

/// Fisher's exact test of a two-by-two table, one-sided.
enum FisherTest {
  /// How likely it is that chance alone puts so many of all failures, or more, on the first side.
  ///
  /// Exact: the tail of the hypergeometric distribution. Source: R. A. Fisher, "Statistical Methods for Research Workers".
  ///
  /// - Parameters:
  ///   - failures, total: Of the first side.
  ///   - otherFailures, otherTotal: Of the second.
  static func probability(failures: Int, of total: Int, against otherFailures: Int, of otherTotal: Int) -> Double {
    precondition(failures >= 0 && failures <= total && otherFailures >= 0 && otherFailures <= otherTotal)
    let allFailures = failures + otherFailures
    let most = min(allFailures, total)
    guard most > 0 else { return 1 }
    let whole = logChoices(total + otherTotal, allFailures)
    var sum = 0.0
    for count in failures...most where allFailures - count <= otherTotal {
      sum += exp(logChoices(total, count) + logChoices(otherTotal, allFailures - count) - whole)
    }
    return min(1, sum)
  }

  private static func logChoices(_ n: Int, _ k: Int) -> Double {
    lgamma(Double(n) + 1) - lgamma(Double(k) + 1) - lgamma(Double(n - k) + 1)
  }
}
