import Postgres

/// What a decision about the number of workers looks at. None of these statements costs more because more jobs wait.
extension JobStore {
  /// The database's clock and what goes with it.
  package struct ScalingMoment: Sendable, Equatable {
    /// Since 1970.
    package var seconds: Double
    /// The same as the database writes it.
    package var at: String
    /// Until when the history is complete.
    package var settled: String
    /// What the server takes.
    package var connections: Int
    package var newestJob: Int64
  }

  /// Where jobs of one kind are done.
  package struct LaneKind: Sendable, Hashable {
    package var lane: Int64
    /// Whose workers claim from it; 0: those of no release.
    package var engine: Int64
    package var pipeline: String
    package var stage: String
    /// Lower is more urgent.
    package var urgencyClass: Int
    package var kind: String

    package init(lane: Int64, engine: Int64, pipeline: String, stage: String, urgencyClass: Int = 0, kind: String) {
      self.lane = lane
      self.engine = engine
      self.pipeline = pipeline
      self.stage = stage
      self.urgencyClass = urgencyClass
      self.kind = kind
    }
  }

  package struct LaneDepth: Sendable, Equatable {
    package var lane: LaneKind
    /// Exact up to a bound, and estimated above it. A paused lane has none.
    package var ready: Int
    /// Running attempts of the lane's pipeline at a time; nil: no limit.
    package var maxRunning: Int?
    /// Whether the lane was looked at in its turn (``LanePart/above``), and not only because it has changed.
    package var isInTurn: Bool

    package init(lane: LaneKind, ready: Int, maxRunning: Int? = nil, isInTurn: Bool = true) {
      self.lane = lane
      self.ready = ready
      self.maxRunning = maxRunning
      self.isInTurn = isInTurn
    }
  }

  /// The lanes that one look counts.
  package struct LanePart: Sendable, Equatable {
    /// Their numbers.
    package var changed: [Int64] = []
    /// Next to these, lanes with numbers above this one, in order.
    package var above: Int64 = 0
    /// So many of them; nil: all.
    package var limit: Int?

    package init(changed: [Int64] = [], above: Int64 = 0, limit: Int? = nil) {
      self.changed = changed
      self.above = above
      self.limit = limit
    }
  }

  package struct LaneArrivals: Sendable, Equatable {
    package var lane: LaneKind
    package var jobs: Int

    package init(lane: LaneKind, jobs: Int) {
      self.lane = lane
      self.jobs = jobs
    }
  }

  package struct RunningAttempt: Sendable, Equatable {
    package var job: Int64
    package var epoch: Int64
    package var worker: Int64
    package var lane: Int64
    package var engine: Int64
    package var pipeline: String
    package var stage: String
    package var urgencyClass: Int
    package var kind: String
    package var seconds: Double
    /// A ``WaitCause``, or one of a later engine.
    package var waiting: String?
    /// Bytes.
    package var memory: Double?
    /// 0...1.
    package var progress: Double?
    package var checkpointSeconds: Double?

    package init(
      job: Int64, epoch: Int64 = 1, worker: Int64, lane: Int64 = 0, engine: Int64 = 0, pipeline: String = "p",
      stage: String = "ingest",
      urgencyClass: Int = 0, kind: String, seconds: Double, waiting: String? = nil, memory: Double? = nil,
      progress: Double? = nil, checkpointSeconds: Double? = nil
    ) {
      self.job = job
      self.epoch = epoch
      self.worker = worker
      self.lane = lane
      self.engine = engine
      self.pipeline = pipeline
      self.stage = stage
      self.urgencyClass = urgencyClass
      self.kind = kind
      self.seconds = seconds
      self.waiting = waiting
      self.memory = memory
      self.progress = progress
      self.checkpointSeconds = checkpointSeconds
    }
  }

  package struct FinishedAttempt: Sendable, Equatable {
    package var job: Int64
    package var epoch: Int64
    package var kind: String
    /// Nil: the job is not kept any more.
    package var lane: Int64?
    /// Of the worker; 0: none.
    package var release: Int64
    package var status: String
    package var seconds: Double
    /// Bytes; nil: not measured.
    package var memory: Double?
    /// Nil: its lane is not kept any more.
    package var pipeline: String?
    /// Of its failure.
    package var code: String?
    /// Bytes that it reads; nil: not known.
    package var input: Double?

    package init(
      job: Int64, epoch: Int64 = 1, kind: String, lane: Int64? = nil, release: Int64 = 0, status: String = "done",
      seconds: Double, memory: Double? = nil, pipeline: String? = nil, code: String? = nil,
      input: Double? = nil
    ) {
      self.input = input
      self.pipeline = pipeline
      self.code = code
      self.job = job
      self.epoch = epoch
      self.kind = kind
      self.lane = lane
      self.release = release
      self.status = status
      self.seconds = seconds
      self.memory = memory
    }
  }

  /// - Source: `scaling_moment.sql`.
  package func scalingMoment() async throws -> ScalingMoment {
    let row = try await database.query(Statement.scalingMoment).only
    return ScalingMoment(
      seconds: try row.double("seconds"), at: try row.string("at"), settled: try row.string("settled"),
      connections: Int(try row.int("connections")), newestJob: try row.int("newest_job"))
  }

  /// What waits in a part of the lanes; of each lane that was looked at, also where nothing does.
  ///
  /// - Source: `scaling_lanes.sql`.
  package func laneDepths(_ part: LanePart = LanePart()) async throws -> [LaneDepth] {
    try await database.query(
      Statement.scalingLanes, [.ints(part.changed), .int(part.above), .optional(part.limit.map(Int64.init))]
    ).map { row in
      LaneDepth(
        lane: try LaneKind(row: row), ready: Int(try row.int("ready")),
        maxRunning: try row.optionalInt("max_running").map { Int($0) }, isInTurn: try row.bool("in_turn"))
    }
  }

  /// The jobs with numbers in a range, by lane and kind.
  ///
  /// - Parameter probes: Of more numbers only as many are looked at, one of each range.
  /// - Source: `scaling_arrivals.sql`.
  package func arrivals(above: Int64, upTo newest: Int64, probes: Int = 1000) async throws -> [LaneArrivals] {
    guard newest > above else { return [] }
    return try await database.query(Statement.scalingArrivals, [.int(above), .int(newest), .int(Int64(probes))]).map {
      LaneArrivals(lane: try LaneKind(row: $0), jobs: Int(try $0.int("jobs")))
    }
  }

  /// - Source: `scaling_running.sql`.
  package func runningAttempts() async throws -> [RunningAttempt] {
    try await database.query(Statement.scalingRunning).map { row in
      RunningAttempt(
        job: try row.int("job_id"), epoch: try row.int("epoch"), worker: try row.int("worker_id"),
        lane: try row.int("lane_id"), engine: try row.int("engine_id"), pipeline: try row.string("pipeline"),
        stage: try row.string("stage"),
        urgencyClass: Int(try row.int("class")), kind: try row.optionalString("kind") ?? "",
        seconds: try row.double("seconds"), waiting: try row.optionalString("waiting"),
        memory: try row.optionalDouble("memory"), progress: try row.optionalDouble("progress"),
        checkpointSeconds: try row.optionalDouble("checkpoint_seconds"))
    }
  }

  /// Attempts that ended within a time, at most `limit` of them, in no order.
  ///
  /// - Parameters:
  ///   - after: ``ScalingMoment/settled`` of the last look; nil: the last hour.
  ///   - until: That of this look.
  /// - Source: `scaling_finished.sql`.
  package func finishedAttempts(
    after: String?, until: String, limit: Int
  ) async throws -> [FinishedAttempt] {
    try await database.query(
      Statement.scalingFinished, [.optional(after), .text(until), .int(Int64(limit))]
    ).map { row in
      FinishedAttempt(
        job: try row.int("job_id"), epoch: try row.int("epoch"), kind: try row.optionalString("kind") ?? "",
        lane: try row.optionalInt("lane_id"), release: try row.int("release_id"), status: try row.string("status"),
        seconds: try row.double("seconds"), memory: try row.optionalDouble("memory"),
        pipeline: try row.optionalString("pipeline"), code: try row.optionalString("code"),
        input: try row.optionalDouble("input"))
    }
  }
}

extension JobStore.LaneKind {
  fileprivate init(row: PostgresRow) throws {
    self.init(
      lane: try row.int("lane_id"), engine: try row.int("engine_id"), pipeline: try row.string("pipeline"),
      stage: try row.string("stage"), urgencyClass: Int(try row.int("class")),
      kind: try row.optionalString("kind") ?? "")
  }
}
