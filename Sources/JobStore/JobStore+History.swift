import JobModel
import Postgres

/// A run as people see it.
package struct RunRecord: Sendable, Equatable {
  package enum Kind: String, Sendable { case batch, load }
  package var id: RunID
  package var pipeline: String
  package var kind: Kind
  package var target: String?
  package var parent: RunID?
  package var state: RunState
  package var pending: Int
  /// The content hash of its release.
  package var release: String
  package var createdAt: String
  package var startedAt: String?
  package var finishedAt: String?
  package var seconds: Double?
  /// JSON.
  package var error: String?
  /// The run that does its work, because its release does not.
  package var movedTo: RunID?
  /// By when it must be done; nil: it has no deadline.
  package var deadline: String?
  /// By how much it was done after its deadline, or has passed it so far; nil: it is in time.
  package var missedSeconds: Double?
}

/// A job as people see it.
public struct JobRecord: Sendable, Equatable {
  public var id: JobID
  public var runID: RunID?
  public var pipeline: String
  public var stage: String
  public var kind: String
  public var label: String
  public var state: JobState
  public var attempt: Int
  public var maximumAttempts: Int
  public var epoch: Int64
  public var worker: Int64?
  public var createdAt: String
  public var claimedAt: String?
  /// When a job in LATER is tried again.
  public var dueAt: String?
  public var mark: JobMark?
  public var markAt: String?
  /// JSON.
  public var progress: String?
}

/// One attempt that has ended.
public struct AttemptRecord: Sendable, Equatable {
  public var jobID: JobID
  public var attempt: Int
  public var epoch: Int64
  public var status: String
  public var worker: Int64?
  public var startedAt: String
  public var finishedAt: String
  public var seconds: Double
  /// JSON: the last progress of one that is done, the failure of one that is not.
  public var detail: String?
}

/// A worker that lives.
package struct WorkerRecord: Sendable, Equatable {
  package var id: Int64
  package var host: String
  package var pid: Int
  package var engine: String
  package var slots: Int
  package var busy: Int
  package var release: String?
  package var startedAt: String
  package var beatAt: String
  package var draining: Bool
  package var servesOneRun: Bool
  /// Nil: of no release.
  package var releaseID: Int64?
  /// The name under which control launched it; nil: none.
  package var launch: String?
}

/// Attempts of one pipeline and stage that run and wait for the same.
package struct WaitRecord: Sendable, Equatable {
  package var pipeline: String
  package var stage: String
  /// A ``WaitCause``, or one of a later engine.
  package var cause: String
  package var attempts: Int
}

extension JobStore {
  /// What running attempts wait for now.
  ///
  /// - Source: `wait_list.sql`.
  package func waits() async throws -> [WaitRecord] {
    try await database.query(Statement.waitList, []).map {
      WaitRecord(
        pipeline: try $0.string("pipeline"), stage: try $0.string("stage"), cause: try $0.string("cause"),
        attempts: Int(try $0.int("attempts")))
    }
  }

  /// Runs, newest first.
  package func runs(pipeline: String? = nil, limit: Int = 50) async throws -> [RunRecord] {
    try await database.query(Statement.runList, [.optional(pipeline), .int(Int64(limit)), .null])
      .map(RunRecord.init(row:))
  }

  /// One run and the runs of its loads; empty where there is none with this number.
  package func run(_ id: RunID) async throws -> [RunRecord] {
    try await database.query(Statement.runList, [.null, .int(1000), .int(id.rawValue)]).map(RunRecord.init(row:))
      .reversed()
  }

  /// Jobs, newest first: of a run with its loads, one job, or those in a state.
  public func jobs(
    run: RunID? = nil, job: JobID? = nil, state: JobState? = nil, limit: Int = 200
  ) async throws -> [JobRecord] {
    try await database.query(
      Statement.jobList,
      [.optional(run?.rawValue), .optional(job?.rawValue), .optional(state?.rawValue), .int(Int64(limit))]
    ).map(JobRecord.init(row:))
  }

  /// Whether a job of this kind and label lives in one of these runs, of those that have not ended themselves.
  ///
  /// - Source: `job_lives.sql`.
  package func hasLivingJob(ofRuns runs: Set<RunID>, kind: String, label: String) async throws -> Bool {
    try await !database.query(
      Statement.jobLives, [.ints(runs.map(\.rawValue)), .text(kind), .text(Self.boundedLabel(label))]
    ).isEmpty
  }

  /// Every ended attempt of these jobs, oldest first.
  public func attempts(of jobs: [JobID]) async throws -> [AttemptRecord] {
    try await database.query(Statement.outcomeList, [.ints(jobs.map(\.rawValue))]).map(AttemptRecord.init(row:))
  }

  package func workers() async throws -> [WorkerRecord] {
    try await database.query(Statement.workerList, []).map(WorkerRecord.init(row:))
  }

  /// Of some launches those under which a worker has registered, also one that has ended since.
  ///
  /// - Source: `worker_launched.sql`, index `worker_launch`.
  package func launched(_ launches: [String]) async throws -> Set<String> {
    Set(
      try await database.query(Statement.workerLaunched, [.texts(launches)]).map { try $0.string("launch_id") })
  }

  /// How many jobs of a pipeline's stage stand in one state.
  package struct StageCount: Sendable, Equatable {
    package var pipeline: String
    package var stage: String
    package var state: JobState
    package var jobs: Int64
    package var oldestSeconds: Double
  }

  package func stages() async throws -> [StageCount] {
    try await database.query(Statement.stageList, []).map { row in
      StageCount(
        pipeline: try row.string("pipeline"), stage: try row.string("stage"),
        state: try JobState(row: row, column: "state"), jobs: try row.int("jobs"),
        oldestSeconds: try row.double("oldest_seconds"))
    }
  }

  /// A line that a job wrote.
  package struct LogLine: Sendable, Equatable {
    package var id: Int64
    package var jobID: JobID
    package var at: String
    package var level: String
    package var message: String
  }

  /// What a job wrote, oldest first.
  package func logLines(ofJob job: JobID, after line: Int64 = 0, limit: Int = 1000) async throws -> [LogLine] {
    try await database.query(
      Statement.jobLogList, [.int(job.rawValue), .null, .int(line), .int(Int64(limit))]
    ).map { row in
      LogLine(
        id: try row.int("log_id"), jobID: JobID(try row.int("job_id")), at: try row.string("at"),
        level: try row.string("level"), message: try row.string("message"))
    }
  }

  /// Events of a run and its loads, oldest first, with their kind and message.
  package func events(ofRun run: RunID) async throws -> [(kind: String, job: Int64?, message: String, at: String)] {
    try await database.query(Statement.eventList, [.int(run.rawValue)]).map {
      (try $0.string("kind"), try $0.optionalInt("job_id"), try $0.string("message"), try $0.string("at"))
    }
  }
}

extension RunRecord {
  init(row: PostgresRow) throws {
    self.init(
      id: RunID(try row.int("run_id")), pipeline: try row.string("pipeline"),
      kind: try row.string("kind") == "load" ? .load : .batch, target: try row.optionalString("target"),
      parent: try row.optionalInt("parent_id").map { RunID($0) },
      state: RunState(rawValue: try row.string("state")) ?? .failed, pending: Int(try row.int("pending")),
      release: try row.string("release"), createdAt: try row.string("created_at"),
      startedAt: try row.optionalString("started_at"), finishedAt: try row.optionalString("finished_at"),
      seconds: try row.optionalDouble("seconds"), error: try row.optionalString("error"),
      movedTo: try row.optionalInt("moved_to").map { RunID($0) }, deadline: try row.optionalString("deadline"),
      missedSeconds: try row.optionalDouble("missed_seconds"))
  }
}

extension JobState {
  init(row: PostgresRow, column: String) throws {
    guard let state = JobState(rawValue: try row.string(column)) else {
      preconditionFailure("job_state knows only the states of JobState")
    }
    self = state
  }
}

extension JobRecord {
  init(row: PostgresRow) throws {
    let format = try row.optionalString("mark_format").flatMap { CheckpointFormat($0) }
    let mark = try row.optionalString("mark_state").flatMap { state in format.map { JobMark(format: $0, state: state) }
    }
    self.init(
      id: JobID(try row.int("job_id")), runID: try row.optionalInt("run_id").map { RunID($0) },
      pipeline: try row.string("pipeline"), stage: try row.string("stage"), kind: try row.string("kind"),
      label: try row.string("label"), state: try JobState(row: row, column: "state"),
      attempt: Int(try row.optionalInt("attempt") ?? 0), maximumAttempts: Int(try row.int("max_attempts")),
      epoch: try row.optionalInt("epoch") ?? 0, worker: try row.optionalInt("worker_id"),
      createdAt: try row.string("created_at"), claimedAt: try row.optionalString("claimed_at"),
      dueAt: try row.optionalString("run_at"), mark: mark, markAt: try row.optionalString("mark_at"),
      progress: try row.optionalString("progress"))
  }
}

extension AttemptRecord {
  init(row: PostgresRow) throws {
    self.init(
      jobID: JobID(try row.int("job_id")), attempt: Int(try row.int("attempt")), epoch: try row.int("epoch"),
      status: try row.string("status"), worker: try row.optionalInt("worker_id"),
      startedAt: try row.string("started_at"), finishedAt: try row.string("finished_at"),
      seconds: try row.double("seconds"), detail: try row.optionalString("detail"))
  }
}

extension WorkerRecord {
  init(row: PostgresRow) throws {
    self.init(
      id: try row.int("worker_id"), host: try row.string("host"), pid: Int(try row.int("pid")),
      engine: try row.string("engine"), slots: Int(try row.int("slots")), busy: Int(try row.int("busy")),
      release: try row.optionalString("release"), startedAt: try row.string("started_at"),
      beatAt: try row.string("beat_at"), draining: try row.bool("draining"),
      servesOneRun: try row.bool("serves_one_run"), releaseID: try row.optionalInt("release_id"),
      launch: try row.optionalString("launch_id"))
  }
}

extension PostgresRow {
  func optionalDouble(_ column: String) throws -> Double? {
    try optionalString(column).flatMap { Double($0) }
  }
}
