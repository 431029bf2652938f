/// Summarises single jobs into ``LaneLoad``: the counts and sums that the policy needs, whatever the number of jobs.
package struct QueueSummary: Sendable {
  /// A job that waits.
  package struct Job: Sendable, Equatable {
    package var release: String
    package var kind: String
    package var stage: String
    package var priority: Int = 0
    package var deadline: Double?
    package var seconds: Estimate
    package var memoryBytes: Estimate
    package var readySince: Double?
    package init(
      release: String, kind: String, stage: String, deadline: Double?, seconds: Estimate, memoryBytes: Estimate
    ) {
      self.release = release
      self.kind = kind
      self.stage = stage
      self.deadline = deadline
      self.seconds = seconds
      self.memoryBytes = memoryBytes
    }
  }

  /// The time of the decision: deadlines are put into classes by what is left until then.
  package let seconds: Double
  package init(seconds: Double) { self.seconds = seconds }

  package mutating func add(_ job: Job) {}
  /// Adds an arrival of the last 30 minutes, `ageSeconds` ago.
  package mutating func addArrival(
    release: String, kind: String, stage: String, priority: Int = 0, ageSeconds: Double, seconds: Double,
    slackSeconds: Double?
  ) {}
  package func lanes() -> [LaneLoad] { [] }
}
