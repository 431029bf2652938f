import JobModel
import JobStore
import Postgres
import Synchronization

/// The attempts that a worker has in hand, and the slots that are free.
package final class RunningAttempts: Sendable {
  /// Why an attempt is stopped from here, before its handler is done.
  package enum Stop: Sendable, Equatable {
    /// It moved neither bytes nor a checkpoint for too long.
    case stalled
    /// It ran longer than its job allows.
    case timeLimit
    /// Someone cancelled its job.
    case cancelled
  }

  private struct Entry {
    let attempt: JobAttempt
    let task: Task<Void, Never>
    let startedAt: ContinuousClock.Instant
    /// Where ``JobAttempt/movements`` stood when it last changed, and when that was seen.
    var movements = 0
    var movedAt: ContinuousClock.Instant
    var written = ""
    var stop: Stop?
  }
  private struct State {
    var entries: [LeaseHolder: Entry] = [:]
    var isDraining = false
    /// What begins now is cancelled as it begins: its claim's answer came too late.
    var isAborted = false
    /// Grows as a turn that claims begins, and as it ends: odd while one is under way.
    var turns = 0
    /// Grows with every attempt that starts.
    var starts = 0
    /// When a session of this worker last ended because another process of the server had crashed.
    var heardOfCrashAt: ContinuousClock.Instant?
    /// When a session of the worker's own, and not of an attempt, was last found lost.
    var lostSessionAt: ContinuousClock.Instant?
  }

  private let state = Mutex(State())
  private let slots: Int
  /// Set when a slot was freed or a drain began.
  let changed: WakeUp

  init(slots: Int, changed: WakeUp = WakeUp()) {
    self.slots = slots
    self.changed = changed
  }

  var freeSlots: Int { state.withLock { slots - $0.entries.count } }
  var isEmpty: Bool { state.withLock { $0.entries.isEmpty } }
  var isDraining: Bool { state.withLock { $0.isDraining } }

  /// Which of these leases nobody here has in hand, as they were read from the database just now.
  func unknown(among leases: Set<LeaseHolder>) -> Set<LeaseHolder> {
    state.withLock { state in leases.filter { state.entries[$0] == nil } }
  }

  /// A turn that claims begins or ends: between the two, leases may be ours that are not in hand yet. However long: handlers
  /// that block every thread keep the answer of a claim from being read.
  func turned() { state.withLock { $0.turns += 1 } }

  /// When a look at leases was taken, counted in turns.
  var turns: Int { state.withLock { $0.turns } }

  /// How many attempts have started.
  var starts: Int { state.withLock { $0.starts } }

  /// Notes why a session of this worker's own ended.
  func heard(_ error: PostgresError, at now: ContinuousClock.Instant) {
    state.withLock {
      if error.tellsOfCrash { $0.heardOfCrashAt = now }
      if [.connectionLost, .commitUnknown, .unreachable].contains(error.kind) { $0.lostSessionAt = now }
    }
  }

  /// Whether a session of this worker's own was lost since then: the network or the pooler was away, and not for one attempt alone.
  func hasLostSession(since time: ContinuousClock.Instant) -> Bool {
    state.withLock { $0.lostSessionAt.map { $0 >= time } ?? false }
  }

  /// Whether a process of the server has crashed since then, as another session of this worker heard.
  func hasHeardOfCrash(since time: ContinuousClock.Instant) -> Bool {
    state.withLock { $0.heardOfCrashAt.map { $0 >= time } ?? false }
  }

  /// Takes a slot for an attempt and starts it.
  func start(_ attempt: JobAttempt, now: ContinuousClock.Instant, _ work: @escaping @Sendable () async -> Void) {
    let holder = attempt.claim.holder
    // Of jobs of a pipeline, which are few beside those of a service, and whose releases are compared.
    if attempt.runID != nil, let bytes = ProcessMemory.resident() { attempt.noteMemory(ofWorker: bytes) }
    // The task is made while the lock is held, so that it cannot end before its entry is there.
    let (task, isAborted) = state.withLock { state in
      if state.isDraining { attempt.requestYield() }
      let task = Task(operation: work)
      state.starts += 1
      state.entries[holder] = Entry(attempt: attempt, task: task, startedAt: now, movedAt: now)
      return (task, state.isAborted)
    }
    if isAborted { task.cancel() }
  }

  func end(_ attempt: JobAttempt) {
    state.withLock { $0.entries[attempt.claim.holder] = nil }
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

  /// Cancels every attempt, also those to come: the leases are lost, or the patience with a drain is.
  func cancelAll() {
    let holders = state.withLock {
      $0.isAborted = true
      return Array($0.entries.keys)
    }
    cancel(holders, because: nil)
  }

  /// Cancels those whose jobs were cancelled.
  func cancelJobs(_ holders: Set<LeaseHolder>) { cancel(Array(holders), because: .cancelled) }

  /// Asks those to stop at their next checkpoint whose jobs another engine does from now on.
  func handOver(_ holders: Set<LeaseHolder>) {
    for attempt in state.withLock({ state in holders.compactMap { state.entries[$0]?.attempt } }) {
      attempt.requestYield()
    }
  }

  private func cancel(_ holders: [LeaseHolder], because stop: Stop?) {
    let tasks = state.withLock { state in
      holders.compactMap { holder -> Task<Void, Never>? in
        if let stop, state.entries[holder]?.stop == nil { state.entries[holder]?.stop = stop }
        return state.entries[holder]?.task
      }
    }
    for task in tasks { task.cancel() }
  }

  func stop(of attempt: JobAttempt) -> Stop? { state.withLock { $0.entries[attempt.claim.holder]?.stop } }

  /// Tells every attempt what this process has in memory, in bytes.
  func noteMemory(_ bytes: Int64) {
    for attempt in state.withLock({ $0.entries.values.map(\.attempt) }) { attempt.noteMemory(ofWorker: bytes) }
  }

  /// Progress that changed since the last call; and stops attempts that have not moved for `stall`, or ran out of time.
  func review(now: ContinuousClock.Instant, stall: Duration) -> [(holder: LeaseHolder, json: String)] {
    var stopped: [(LeaseHolder, Stop)] = []
    let changes = state.withLock { state in
      var changes: [(holder: LeaseHolder, json: String)] = []
      for (holder, var entry) in state.entries {
        let movements = entry.attempt.movements
        if movements != entry.movements {
          entry.movements = movements
          entry.movedAt = now
        } else if entry.stop == nil, entry.movedAt.duration(to: now) >= stall {
          stopped.append((holder, .stalled))
        }
        if let limit = entry.attempt.claim.timeLimit, entry.startedAt.duration(to: now) >= limit {
          stopped.append((holder, .timeLimit))
        }
        if let json = entry.attempt.shownProgress, json != entry.written {
          entry.written = json
          changes.append((holder, json))
        }
        state.entries[holder] = entry
      }
      return changes
    }
    for (holder, stop) in stopped { cancel([holder], because: stop) }
    return changes
  }
}
