import JobStore
import Synchronization

/// Wakes a waiter at a time. One that is set stays set: who asks for a later time is woken at the earlier one and asks again,
/// so that a loop whose deadline moves all the time does not start a timer in every round.
final class Alarm: Sendable {
  private let wake: WakeUp
  private let clock = ContinuousClock()
  private let armed = Mutex<(time: ContinuousClock.Instant, timer: Task<Void, Never>)?>(nil)

  init(_ wake: WakeUp) { self.wake = wake }

  /// Wakes the waiter at this time, or before.
  func set(_ time: ContinuousClock.Instant) {
    armed.withLock { armed in
      if let armed, armed.time <= time { return }
      armed?.timer.cancel()
      armed = (time, Task { await ring(at: time) })
    }
  }

  /// No timer is left behind.
  func stop() {
    armed.withLock { armed in
      armed?.timer.cancel()
      armed = nil
    }
  }

  private func ring(at time: ContinuousClock.Instant) async {
    // Cancelled: an earlier one took its place.
    guard (try? await clock.sleep(until: time)) != nil else { return }
    armed.withLock { if $0?.time == time { $0 = nil } }
    wake.set()
  }
}
