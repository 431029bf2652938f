import JobModel
import JobStore
import Synchronization

/// The attempts that a worker has in hand, and the slots that are free.
final class RunningAttempts: Sendable {
  private struct Entry {
    var attempt: JobAttempt
    var cancel: @Sendable () -> Void
    /// Where ``JobAttempt/movements`` stood when it last changed, and when that was seen.
    var movements: Int
    var movedAt: ContinuousClock.Instant
    var written: String
    var isStalled = false
  }
  private struct State {
    var entries: [JobID: Entry] = [:]
    /// Claimed, whether or not the attempt has begun.
    var reserved: Set<LeaseHolder> = []
    var isDraining = false
  }

  private let state = Mutex(State())
  private let slots: Int
  /// Set when a slot was freed or a drain began.
  let changed = WakeUp()

  init(slots: Int) { self.slots = slots }

  var freeSlots: Int { state.withLock { slots - $0.reserved.count } }
  var isDraining: Bool { state.withLock { $0.isDraining } }

  /// Takes a slot for a job that was claimed.
  func reserve(_ holder: LeaseHolder) { state.withLock { _ = $0.reserved.insert(holder) } }

  /// Which of these leases nobody here has in hand.
  func unknown(among leases: Set<LeaseHolder>) -> Set<LeaseHolder> {
    state.withLock { leases.subtracting($0.reserved) }
  }

  func begin(_ attempt: JobAttempt, now: ContinuousClock.Instant, cancel: @escaping @Sendable () -> Void) {
    let yieldsAtOnce = state.withLock {
      $0.entries[attempt.jobID] = Entry(
        attempt: attempt, cancel: cancel, movements: 0, movedAt: now, written: "")
      return $0.isDraining
    }
    if yieldsAtOnce { attempt.requestYield() }
  }

  func end(_ attempt: JobAttempt) {
    state.withLock {
      $0.entries[attempt.jobID] = nil
      $0.reserved.remove(attempt.claim.holder)
    }
    changed.set()
  }

  /// Asks every attempt to stop at its next checkpoint, and takes no more.
  func drain() {
    let attempts = state.withLock {
      $0.isDraining = true
      return $0.entries.values.map(\.attempt)
    }
    for attempt in attempts { attempt.requestYield() }
    changed.set()
  }

  /// Cancels every attempt: the leases are lost, or the patience with a drain is.
  func cancelAll() {
    for cancel in state.withLock({ $0.entries.values.map(\.cancel) }) { cancel() }
  }

  func wasStalled(_ attempt: JobAttempt) -> Bool { state.withLock { $0.entries[attempt.jobID]?.isStalled ?? false } }

  /// Progress that changed since the last call; and cancels attempts that have not moved for `stall`.
  func review(now: ContinuousClock.Instant, stall: Duration) -> [(holder: LeaseHolder, json: String)] {
    var stalled: [@Sendable () -> Void] = []
    let changes = state.withLock { state in
      var changes: [(holder: LeaseHolder, json: String)] = []
      for (job, var entry) in state.entries {
        let movements = entry.attempt.movements
        if movements != entry.movements {
          entry.movements = movements
          entry.movedAt = now
        } else if !entry.isStalled, entry.movedAt.duration(to: now) >= stall {
          entry.isStalled = true
          stalled.append(entry.cancel)
        }
        let json = entry.attempt.progressJSON
        if json != entry.written {
          entry.written = json
          changes.append((entry.attempt.claim.holder, json))
        }
        state.entries[job] = entry
      }
      return changes
    }
    for cancel in stalled { cancel() }
    return changes
  }
}
