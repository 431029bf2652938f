/// The clocks and the randomness of a pull, passed in so that tests need no waiting.
package struct PullTiming: Sendable {
  /// Grows steadily, from wherever.
  package var now: @Sendable () -> Duration
  package var sleep: @Sendable (Duration) async throws -> Void
  /// Seconds since 1970.
  package var wallSeconds: @Sendable () -> Int64
  /// 0..<1
  package var jitter: @Sendable () -> Double

  package init(
    now: @escaping @Sendable () -> Duration, sleep: @escaping @Sendable (Duration) async throws -> Void,
    wallSeconds: @escaping @Sendable () -> Int64, jitter: @escaping @Sendable () -> Double
  ) {
    self.now = now
    self.sleep = sleep
    self.wallSeconds = wallSeconds
    self.jitter = jitter
  }
}
