import JobStore
import Synchronization

/// Does nothing but say that a job began and end it.
final class BenchHandler: JobHandler {
  private let ended = Atomic<Int>(0)
  /// How many someone waits for.
  private let goal = Atomic<Int>(.max)
  private let reached = WakeUp()
  private let onStart: @Sendable (JobAttempt) -> Void

  /// - Parameter onStart: The handler's first line.
  init(onStart: @escaping @Sendable (JobAttempt) -> Void = { _ in }) { self.onStart = onStart }

  /// Attempts whose end is committed.
  var count: Int { ended.load(ordering: .sequentiallyConsistent) }

  func run(_ attempt: JobAttempt) async throws {
    onStart(attempt)
    try await attempt.complete()
    let count = ended.add(1, ordering: .sequentiallyConsistent).newValue
    if count == goal.load(ordering: .sequentiallyConsistent) { reached.set() }
  }

  /// Waits until so many have ended. Does not poll: that would be measured too.
  ///
  /// - Returns: False when the deadline came first.
  func waitUntil(_ count: Int, before deadline: ContinuousClock.Instant) async throws -> Bool {
    let clock = ContinuousClock()
    let timer = Task { [reached] in
      try await clock.sleep(until: deadline)
      reached.set()
    }
    defer { timer.cancel() }
    goal.store(count, ordering: .sequentiallyConsistent)
    while self.count < count {
      try Task.checkCancellation()
      guard clock.now < deadline else { return false }
      await reached.wait()
    }
    return true
  }
}
