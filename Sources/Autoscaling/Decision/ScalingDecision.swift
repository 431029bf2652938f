/// What is to be done now, and why.
package struct ScalingDecision: Sendable, Equatable {
  /// The wanted number of workers of each release that needs any, ordered by name. A release that is absent needs none.
  package var wanted: [ReleaseCount]
  /// The sum of ``wanted``.
  package var total: Int
  /// The count that the work asked for, before limits.
  package var demanded: Int
  /// Why ``total`` is what it is, most important first; never empty.
  package var reasons: [ScalingReason]
  /// What keeps ``total`` below ``demanded``. Nil: nothing does.
  package var limit: ScalingLimit?
  /// Deadlines that will be missed as things stand, earliest first.
  package var warnings: [DeadlineWarning]
  package var claims: ClaimRule
  /// Jobs that are to yield at their next checkpoint, because memory is short.
  package var yields: [Int64]
  /// Idle workers that may be stopped now. Never a busy one.
  package var stops: [Int64]
  /// Workers without an idle slot that are to drain: they claim nothing more and end when their jobs end or yield.
  package var drains: [Int64]
  /// Give it to the next decision.
  package var history: ScalingHistory
}

package struct ReleaseCount: Sendable, Equatable {
  package var release: String
  package var workers: Int
  package init(release: String, workers: Int) {
    self.release = release
    self.workers = workers
  }
}

/// Which jobs workers may claim until the next decision. ``MemoryAdmission`` takes it.
package struct ClaimRule: Sendable, Equatable, Codable {
  /// Jobs that are predicted to need more than this wait. Nil: all may be claimed, as memory allows.
  package var heaviestBytes: Double?
  package init(heaviestBytes: Double? = nil) { self.heaviestBytes = heaviestBytes }
}

/// A deadline that will be missed with what is running, queued and allowed.
package struct DeadlineWarning: Sendable, Equatable {
  package var release: String
  package var kind: String
  package var stage: String
  /// Absolute, as in ``QueuedClass/deadline``.
  package var deadline: Double
  /// How many jobs due by then are at risk, and how late the last of them is predicted to be.
  package var jobs: Int
  package var lateSeconds: Double
  /// What it would take: so many more slots, so much more memory. Both nil: nothing helps.
  package var moreSlots: Int?
  package var moreBytes: Double?
  /// Why nothing helps.
  package var obstacle: DeadlineObstacle?
}
