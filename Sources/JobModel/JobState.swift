/// Where a job stands. Exactly one table of the queue holds a job that has not ended.
public enum JobState: String, Sendable, CaseIterable, Codable {
  case ready = "READY"
  case leased = "LEASED"
  case later = "LATER"
  case blocked = "BLOCKED"
  case done = "DONE"
  case dead = "DEAD"
  case cancelled = "CANCELLED"

  public var isTerminal: Bool { self == .done || self == .dead || self == .cancelled }
}

/// How one attempt of a job ended.
package enum AttemptStatus: String, Sendable, CaseIterable {
  case done
  /// Failed and will be tried again.
  case retried
  /// Failed for good.
  case dead
  /// Given back at a checkpoint: a drain, a deploy, a scale-in. Not charged.
  case yielded
  /// Put off by the handler. Not charged.
  case snoozed
  /// Taken back by the reaper: the worker died, hung or lost its connection.
  case crashed
  case cancelled
}

/// Where a run stands.
package enum RunState: String, Sendable, CaseIterable {
  case queued, running, succeeded, failed, cancelled

  package var isTerminal: Bool { self == .succeeded || self == .failed || self == .cancelled }
}
