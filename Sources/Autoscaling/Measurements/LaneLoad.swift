/// The waiting jobs of one lane (release, kind, stage, pipeline, priority), summarised.
///
/// ``QueueSummary`` makes these from single jobs; a SQL statement with `GROUP BY lane, deadline class` makes them in production.
package struct LaneLoad: Sendable, Equatable {
  package var release: String
  package var kind: String
  package var stage: String
  /// Higher is more important.
  package var priority: Int = 0
  /// Jobs that a worker could claim now, one element for each deadline class. Order does not matter.
  package var queued: [QueuedClass] = []
  /// Jobs that wait for others or for a time. They are part of the work of their deadline, and never reason enough for a worker now.
  package var waiting: [QueuedClass] = []
  package var arrivals: Arrivals = Arrivals()
  /// Jobs of this lane that run now; they use up ``maxRunning``.
  package var running: Int = 0
  /// How many jobs of this lane may run at once (a concurrency limit, permits). Nil: no limit.
  package var maxRunning: Int?

  package init(release: String, kind: String, stage: String, priority: Int = 0) {
    self.release = release
    self.kind = kind
    self.stage = stage
    self.priority = priority
  }
}

/// Jobs of one lane whose deadlines are about the same.
package struct QueuedClass: Sendable, Equatable {
  /// The earliest deadline of the class, absolute. Nil: these jobs have none.
  package var deadline: Double?
  package var jobs: Int
  /// Of one job of the class; ``Estimate/high`` is the longest job's.
  package var seconds: Estimate
  /// Of one job of the class; ``Estimate/high`` is the largest job's.
  package var memoryBytes: Estimate
  /// When the oldest of these jobs became ready, absolute.
  package var oldestReady: Double?

  package init(
    deadline: Double?, jobs: Int, seconds: Estimate, memoryBytes: Estimate, oldestReady: Double? = nil
  ) {
    self.deadline = deadline
    self.jobs = jobs
    self.seconds = seconds
    self.memoryBytes = memoryBytes
    self.oldestReady = oldestReady
  }
}

/// How jobs came into a lane lately.
package struct Arrivals: Sendable, Equatable {
  /// Jobs that arrived within the last 5 minutes, and within the last 30.
  package var jobs5Minutes: Double = 0
  package var jobs30Minutes: Double = 0
  /// Mean predicted seconds of a recent arrival.
  package var meanSeconds: Double = 0
  /// The 10th percentile of the slack (deadline − arrival, in seconds) of recent arrivals. Nil: they have no deadline.
  package var slackSecondsP10: Double?
  package init(
    jobs5Minutes: Double = 0, jobs30Minutes: Double = 0, meanSeconds: Double = 0, slackSecondsP10: Double? = nil
  ) {
    self.jobs5Minutes = jobs5Minutes
    self.jobs30Minutes = jobs30Minutes
    self.meanSeconds = meanSeconds
    self.slackSecondsP10 = slackSecondsP10
  }
}
