import Synchronization

/// When something was last heard.
final class Ear: Sendable {
  private let state: Mutex<ContinuousClock.Instant>

  init(now: ContinuousClock.Instant) { state = Mutex(now) }

  var lastHeard: ContinuousClock.Instant { state.withLock { $0 } }
  func hears(at time: ContinuousClock.Instant) { state.withLock { $0 = max($0, time) } }
}
