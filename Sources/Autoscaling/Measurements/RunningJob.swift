/// A job that a worker works on.
package struct RunningJob: Sendable, Equatable {
  package var job: Int64
  package var release: String
  package var kind: String
  /// ``WorkerLoad/worker`` of the process that runs it.
  package var worker: Int64
  package var priority: Int = 0
  package var deadline: Double?
  /// Since its attempt began.
  package var elapsedSeconds: Double
  /// Of the whole attempt, as predicted when it was claimed.
  package var seconds: Estimate
  /// 0...1, as the handler reports it. Nil: unknown, the policy derives it from time.
  package var progress: Double?
  /// Reserved for it when it was claimed.
  package var memoryBytes: Estimate
  /// The most that it has used so far. Nil: not measured.
  package var peakBytes: Double?
  /// Work that a yield now would lose: since the last checkpoint, or since the start. Nil: all of ``elapsedSeconds``.
  package var sinceCheckpointSeconds: Double?

  package init(
    job: Int64, release: String, kind: String, worker: Int64, deadline: Double? = nil, elapsedSeconds: Double,
    seconds: Estimate, memoryBytes: Estimate
  ) {
    self.job = job
    self.release = release
    self.kind = kind
    self.worker = worker
    self.deadline = deadline
    self.elapsedSeconds = elapsedSeconds
    self.seconds = seconds
    self.memoryBytes = memoryBytes
  }
}

/// A worker process.
package struct WorkerLoad: Sendable, Equatable {
  package enum State: String, Sendable, Codable {
    /// Asked for, has claimed nothing yet.
    case starting
    /// Can claim.
    case ready
    /// Ends once its jobs have ended or yielded; claims nothing.
    case draining
  }
  package var worker: Int64
  package var release: String
  package var state: State
  package var slots: Int = 1
  package var busySlots: Int = 0
  /// Since it entered its state; of an idle ready worker, since it has been idle.
  package var sinceSeconds: Double = 0

  package init(worker: Int64, release: String, state: State, slots: Int = 1, busySlots: Int = 0) {
    self.worker = worker
    self.release = release
    self.state = state
    self.slots = slots
    self.busySlots = busySlots
  }
}
