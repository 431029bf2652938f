import JobModel
import Postgres

/// The durable queue: the only place where SQL about jobs, runs, workers and releases is run.
///
/// Every statement stands in a file of its own under `sql/`, with its locks and indexes in its header. A call that ends
/// or changes a leased job says `(job, epoch)` and does nothing when the pair no longer holds.
public struct JobStore: Sendable {
  package let database: PostgresPool
  /// Told of lanes where jobs became ready; nil where nobody is to be woken before its next look.
  package let bell: LaneBell?

  public init(database: PostgresPool, bell: LaneBell? = nil) {
    self.database = database
    self.bell = bell
  }

  /// Tells those who wait of lanes where jobs are ready as soon as the transaction has committed.
  func ring(_ lanes: Set<Int64>, after transaction: PostgresTransaction) {
    guard let bell else { return }
    transaction.afterCommit { bell.ring(lanes) }
  }
}

/// A job of which this process holds the lease.
package struct Claim: Sendable {
  package var jobID: JobID
  package var runID: RunID?
  package var releaseID: Int64?
  /// The fencing number of every write of this attempt: one higher at each claim of the job.
  package var epoch: Int64
  /// The fencing number of loads: higher at every claim of any job.
  package var ticket: Int64
  /// From 1; yields are not counted.
  package var attempt: Int
  package var maximumAttempts: Int
  package var kind: String
  package var label: String
  package var laneID: Int64
  package var pipeline: String
  package var stage: String
  package var payload: String
  /// How long the attempt may take.
  package var timeLimit: Duration?
  /// The run's own time, in ISO 8601; what the SQL sees as `_run_at`.
  package var runAt: String?
  package var mark: JobMark?
  /// What it was given before it began, because its lane has a limit.
  package var permits: Set<String> = []
  /// It must have its worker to itself, because an earlier worker ended under it and others.
  package var isAlone = false
  /// How many of its attempts ran out of memory: this one gets more of it.
  package var memoryKills = 0

  package init(
    jobID: JobID, runID: RunID?, releaseID: Int64?, epoch: Int64, ticket: Int64, attempt: Int, maximumAttempts: Int,
    kind: String, label: String, laneID: Int64, pipeline: String, stage: String, payload: String,
    timeLimit: Duration? = nil, runAt: String?, mark: JobMark?
  ) {
    self.jobID = jobID
    self.runID = runID
    self.releaseID = releaseID
    self.epoch = epoch
    self.ticket = ticket
    self.attempt = attempt
    self.maximumAttempts = maximumAttempts
    self.kind = kind
    self.label = label
    self.laneID = laneID
    self.pipeline = pipeline
    self.stage = stage
    self.payload = payload
    self.timeLimit = timeLimit
    self.runAt = runAt
    self.mark = mark
  }

  package var holder: LeaseHolder { LeaseHolder(jobID: jobID, epoch: epoch) }
}

/// The pair that fences: a write that says it is refused once the lease has moved on.
package struct LeaseHolder: Sendable, Hashable {
  package var jobID: JobID
  package var epoch: Int64

  /// By the job alone: seldom are two attempts of one in the same table.
  package func hash(into hasher: inout Hasher) { hasher.combine(jobID) }

  package init(jobID: JobID, epoch: Int64) {
    self.jobID = jobID
    self.epoch = epoch
  }
}

/// A checkpoint: what a job has finished.
public struct JobMark: Sendable, Equatable {
  public var format: CheckpointFormat
  /// JSON.
  public var state: String

  public init(format: CheckpointFormat, state: String) {
    self.format = format
    self.state = state
  }
}

/// The lease moved on: another attempt has the job, or will. The attempt must stop and write nothing more.
public struct LeaseLost: Failure, Equatable {
  public var jobID: JobID
  public var epoch: Int64
  package init(_ holder: LeaseHolder) {
    jobID = holder.jobID
    epoch = holder.epoch
  }
  public var code: String { "lease_lost" }
  public var message: String { "job \(jobID) is no longer leased with epoch \(epoch)" }
  public var hint: String? { nil }
  public var isTransient: Bool { true }
}
