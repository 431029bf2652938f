import JobModel
import JobStore

extension ModelledStore: QueueStore {
  package mutating func register(lease: Duration, session: Int, slots: Int) -> Int64 {
    let worker = registerWithoutLock(lease: lease, slots: slots)
    _ = takeSessionLock(worker: worker, session: session)
    return worker
  }

  /// The registration alone: the lock is a statement of its own after it.
  package mutating func registerWithoutLock(lease: Duration, slots: Int) -> Int64 {
    lastWorker += 1
    self.slots[lastWorker] = slots
    beats[lastWorker] = BeatPicture(
      beatAt: now, expiresAt: now.advanced(by: lease), hasSessionLock: true, isDraining: false)
    return lastWorker
  }

  package mutating func takeSessionLock(worker: Int64, session: Int) -> Bool {
    if let holder = locks[worker], holder != session { return false }
    locks[worker] = session
    return true
  }

  package mutating func endSession(_ session: Int) { locks = locks.filter { $0.value != session } }

  /// A restart, a crash recovery, every backend terminated.
  package mutating func endAllSessions() { locks = [:] }

  package mutating func beat(worker: Int64, lease: Duration, draining: Bool, hasSessionLock: Bool) -> Bool {
    guard beats[worker] != nil else { return false }
    beats[worker] = BeatPicture(
      beatAt: now, expiresAt: now.advanced(by: lease), hasSessionLock: hasSessionLock, isDraining: draining)
    return true
  }

  package mutating func leave(worker: Int64) {
    beats[worker] = nil
    guard mistake == .goodbyeDropsLeases else { return }
    for holder in leases(ofWorker: worker).sorted(by: { $0.jobID < $1.jobID }) {
      move(holder.jobID, to: .blocked, .dropped)
    }
  }

  package func suspects() -> [Suspicion] {
    beats.keys.sorted().filter { beats[$0]?.hasSessionLock == true && locks[$0] == nil }
      .map { Suspicion(worker: $0, seenAt: now) }
  }

  package mutating func revoke(_ suspicion: Suspicion) -> Bool {
    guard let beat = beats[suspicion.worker], beat.beatAt < suspicion.seenAt, locks[suspicion.worker] == nil else {
      return false
    }
    beats[suspicion.worker] = nil
    return true
  }

  package mutating func expireBeats() -> [Int64] { expireBeats(before: now) }

  package mutating func expireBeats(before time: SimulatedInstant) -> [Int64] {
    let expired = beats.filter { $0.value.expiresAt < time }.keys.sorted()
    for worker in expired { beats[worker] = nil }
    return expired
  }
}
