import JobModel

/// What one worker process is.
package struct WorkerSettings: Sendable {
  /// Jobs at once.
  package var slots: Int
  /// Whether it leaves with the run that it was started for.
  package var servesOneRun: Bool
  package var timing: LeaseTiming
  package var retry: RetryPolicy
  /// The release whose pinned jobs it takes; 0: only jobs that any release may do.
  package var release: Int64
  /// The stages whose lanes it claims from: of jobs without a run, their kinds. Nil: what it has handlers for.
  package var stages: [String]?
  package var host: String
  package var pid: Int32
  package var engine: String
  /// The longest wait between two looks at an empty queue.
  package var poll: Duration
  /// How long a drain waits for attempts to reach a checkpoint before it cancels them.
  package var stopGrace: Duration

  package init(
    slots: Int, servesOneRun: Bool = false, timing: LeaseTiming = LeaseTiming(), retry: RetryPolicy = RetryPolicy(),
    release: Int64 = 0, stages: [String]? = nil,
    host: String,
    pid: Int32, engine: String, poll: Duration = .milliseconds(200), stopGrace: Duration = .seconds(30)
  ) {
    precondition(slots > 0, "a worker has at least one slot")
    self.slots = slots
    self.servesOneRun = servesOneRun
    self.timing = timing
    self.retry = retry
    self.release = release
    self.stages = stages
    self.host = host
    self.pid = pid
    self.engine = engine
    self.poll = poll
    self.stopGrace = stopGrace
  }
}
