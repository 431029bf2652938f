import JobModel

/// Decides by the worker's own monotonic clock whether it may still believe in its leases.
///
/// The lease is counted from *sending* the last beat that was accepted: whatever the network did with the answer, the
/// database cannot have granted less. Pure: the caller tells what happened and when.
package struct LeaseKeeper<Instant: InstantProtocol> where Instant.Duration == Duration {
  private let lease: Duration
  private var lastAccepted: Instant
  package private(set) var isRevoked = false

  /// - Parameter registeredAt: When the registration, which is the first beat, was sent.
  package init(lease: Duration, registeredAt: Instant) {
    self.lease = lease
    lastAccepted = registeredAt
  }

  /// The database answered a beat: `accepted` is false when the worker is revoked.
  package mutating func answered(sentAt: Instant, accepted: Bool) {
    if accepted { lastAccepted = max(lastAccepted, sentAt) } else { isRevoked = true }
  }

  /// Whether the leases still hold at this time; once they do not, they never do again.
  package mutating func holds(at now: Instant) -> Bool {
    if lastAccepted.duration(to: now) >= lease { isRevoked = true }
    return !isRevoked
  }
}
