/// What a simulated fleet of workers is given: the work that arrives, and what goes wrong.
///
/// The file format is newline-delimited JSON: see docs/scaling.md. All times are seconds from the start of the trace.
package struct ScalingTrace: Sendable, Equatable {
  package var header: Header
  /// In order of arrival.
  package var jobs: [Job]
  /// In order of time.
  package var events: [Event]

  package init(header: Header, jobs: [Job], events: [Event] = []) {
    self.header = header
    self.jobs = jobs
    self.events = events
  }

  /// The first line.
  package struct Header: Sendable, Equatable {
    package var trace: String
    /// How long work arrives. The simulation continues until the work is done.
    package var seconds: Double
    /// From the start of a worker to its first claim.
    package var startSeconds: Double
    /// What all running jobs share. Above it the kernel kills the largest.
    package var memoryGB: Double
    /// A job that ran for so long keeps its progress; 0: a job keeps no progress.
    package var checkpointSeconds: Double
    /// How long a worker that is ended may continue its job.
    package var graceSeconds: Double
    /// The launcher has no more at a time, draining ones included.
    package var maxWorkers: Int
    /// Jobs that one worker runs at a time.
    package var slots: Int

    package init(
      trace: String, seconds: Double, startSeconds: Double, memoryGB: Double, checkpointSeconds: Double,
      graceSeconds: Double, maxWorkers: Int, slots: Int = 1
    ) {
      self.trace = trace
      self.seconds = seconds
      self.startSeconds = startSeconds
      self.memoryGB = memoryGB
      self.checkpointSeconds = checkpointSeconds
      self.graceSeconds = graceSeconds
      self.maxWorkers = maxWorkers
      self.slots = slots
    }
  }

  package struct Job: Sendable, Equatable {
    package var at: Double
    package var kind: String
    /// How long it truly runs. No policy sees it before the job has ended.
    package var seconds: Double
    /// What it truly needs while it runs.
    package var memoryGB: Double
    package var deadline: Double?
    package var predictedSeconds: Double?
    package var predictedMemoryGB: Double?

    package init(
      at: Double, kind: String, seconds: Double, memoryGB: Double, deadline: Double? = nil,
      predictedSeconds: Double? = nil, predictedMemoryGB: Double? = nil
    ) {
      self.at = at
      self.kind = kind
      self.seconds = seconds
      self.memoryGB = memoryGB
      self.deadline = deadline
      self.predictedSeconds = predictedSeconds
      self.predictedMemoryGB = predictedMemoryGB
    }
  }

  package struct Event: Sendable, Equatable {
    package enum Kind: String, Sendable, CaseIterable {
      /// Policies see what was measured before it, for `seconds`.
      case metricsGap = "metrics_gap"
      /// `count` workers end without notice, spread over `seconds`.
      case crash
      /// `count` workers (without a count: all) are replaced, spread over `seconds`; each gives its jobs back at a checkpoint.
      case deploy
    }
    package var at: Double
    package var kind: Kind
    package var seconds: Double
    package var count: Int?

    package init(at: Double, kind: Kind, seconds: Double = 0, count: Int? = nil) {
      self.at = at
      self.kind = kind
      self.seconds = seconds
      self.count = count
    }
  }

  /// The largest that a trace may state: more is a mistake, and sums of it stay exact enough.
  package enum Bounds {
    /// Ten years: of a job, a deadline.
    package static let seconds = 0.0...315_360_000
    /// A quarter of a year: a policy decides every few seconds of it.
    package static let traceSeconds = 0.0...7_948_800
    /// A petabyte.
    package static let memoryGB = 0.0...1_000_000
    package static let workers = 1...10_000
    package static let slots = 1...1_000
    package static let nameBytes = 200
    /// Jobs and events together.
    package static let lines = 5_000_000
    package static let lineBytes = 65_536
  }
}
