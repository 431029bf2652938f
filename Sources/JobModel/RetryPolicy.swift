/// When a failed attempt is tried again: exponential backoff with full jitter above half.
public struct RetryPolicy: Sendable, Equatable {
  public var maximumAttempts: Int
  public var firstDelay: Duration
  public var longestDelay: Duration

  public init(
    maximumAttempts: Int = 8, firstDelay: Duration = .seconds(1), longestDelay: Duration = .seconds(600)
  ) {
    self.maximumAttempts = maximumAttempts
    self.firstDelay = firstDelay
    self.longestDelay = longestDelay
  }

  /// The wait after the attempt with this number (from 1), between half of and the whole doubled delay.
  ///
  /// - Parameter jitter: 0...1, from the caller's randomness.
  package func delay(afterAttempt attempt: Int, jitter: Double) -> Duration {
    let doublings = min(max(attempt - 1, 0), 30)
    let full = min(firstDelay * (1 << doublings), longestDelay)
    return full * (0.5 + 0.5 * min(max(jitter, 0), 1))
  }
}
