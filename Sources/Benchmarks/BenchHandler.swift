import JobStore
import Synchronization

/// Does nothing but say that a job began and end it.
final class BenchHandler: JobHandler {
  private let ended = Atomic<Int>(0)
  private let onStart: @Sendable (JobAttempt) -> Void

  /// - Parameter onStart: The handler's first line.
  init(onStart: @escaping @Sendable (JobAttempt) -> Void = { _ in }) { self.onStart = onStart }

  /// Attempts whose end is committed.
  var count: Int { ended.load(ordering: .acquiring) }

  func run(_ attempt: JobAttempt) async throws {
    onStart(attempt)
    try await attempt.complete()
    ended.add(1, ordering: .acquiringAndReleasing)
  }

  /// Waits until so many have ended. Looks once a millisecond: a repetition takes a thousand times as long.
  ///
  /// - Returns: False when the deadline came first.
  func waitUntil(_ count: Int, before deadline: ContinuousClock.Instant) async throws -> Bool {
    let clock = ContinuousClock()
    while self.count < count {
      guard clock.now < deadline else { return false }
      try await clock.sleep(for: .milliseconds(1))
    }
    return true
  }
}
