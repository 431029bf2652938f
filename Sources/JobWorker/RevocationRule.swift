/// Decides whom the reaper may revoke. Pure: the caller tells what it saw, and when by its own monotonic clock.
///
/// A restart, a crash recovery or a failover of the database ends every session at once, and a jump of its clock lets every
/// beat run out at once. Neither says anything of the workers, so the rule believes what it sees only once it has watched,
/// over one session and one steady clock of the database, for longer than a lease: by then whoever lives has beaten.
package struct RevocationRule<Instant: InstantProtocol>: Sendable
where Instant: Sendable, Instant.Duration == Duration {
  /// How long a worker without its session lock may take to beat on another connection.
  package static var grace: Duration { .seconds(1) }

  /// What one look at the database allows.
  package struct Decision: Sendable, Equatable {
    /// Beats that ran out may be taken for lost workers, and leases may be taken back.
    package var mayRevoke: Bool
    /// Workers without a session for longer than ``grace``: revoked unless they have beaten since they were seen first.
    package var overdue: [Int64]
  }

  private let lease: Duration
  /// The first look of this session with a steady clock, by the reaper's clock and by the database's.
  private var watchingSince: Instant?
  private var lastLook: (at: Instant, databaseTime: Duration)?
  private var firstSeen: [Int64: Instant] = [:]

  package init(lease: Duration) { self.lease = lease }

  /// The reaper has a new session: what it saw before counts no more.
  package mutating func connected() {
    watchingSince = nil
    lastLook = nil
    firstSeen = [:]
  }

  /// Takes in one look.
  ///
  /// - Parameters:
  ///   - now: By the reaper's monotonic clock.
  ///   - databaseTime: The database's clock in the same statement, since any fixed moment.
  ///   - missing: Workers that should have a session lock and do not.
  package mutating func looked(at now: Instant, databaseTime: Duration, missing: [Int64]) -> Decision {
    if let lastLook {
      let jump = (databaseTime - lastLook.databaseTime) - lastLook.at.duration(to: now)
      // A healthy worker's beat has more than this left, so that a smaller jump cannot let it run out.
      if max(jump, .zero - jump) > lease / 3 { connected() }
    }
    lastLook = (now, databaseTime)
    let since = watchingSince ?? now
    watchingSince = since
    firstSeen = firstSeen.filter { missing.contains($0.key) }
    for worker in missing where firstSeen[worker] == nil { firstSeen[worker] = now }
    guard since.duration(to: now) > lease else { return Decision(mayRevoke: false, overdue: []) }
    let overdue = missing.filter { worker in
      firstSeen[worker].map { $0.duration(to: now) >= Self.grace } ?? false
    }
    return Decision(mayRevoke: true, overdue: overdue)
  }

  /// The worker was revoked, or had beaten after all: it is looked at afresh.
  package mutating func settled(_ worker: Int64) { firstSeen[worker] = nil }
}
