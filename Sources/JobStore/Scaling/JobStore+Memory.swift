import JobModel
import Postgres

/// What workers know of the memory of their host before they claim.
extension JobStore {
  /// What one job is expected to need.
  package struct ExpectedNeed: Sendable, Equatable {
    package var secondsMean: Double
    package var secondsDeviation: Double
    package var bytesMean: Double
    package var bytesDeviation: Double

    package init(secondsMean: Double, secondsDeviation: Double, bytesMean: Double, bytesDeviation: Double) {
      self.secondsMean = secondsMean
      self.secondsDeviation = secondsDeviation
      self.bytesMean = bytesMean
      self.bytesDeviation = bytesDeviation
    }
  }

  /// A job that runs, or would.
  package struct JobNeed: Sendable, Equatable {
    package var job: JobID
    package var lane: Int64
    /// Lower is more urgent.
    package var urgencyClass: Int
    /// Since it was claimed; 0 where it waits.
    package var elapsedSeconds: Double
    /// How many of its attempts ran out of memory.
    package var memoryKills: Int
    /// Nil: nothing is known.
    package var expected: ExpectedNeed?

    package init(
      job: JobID, lane: Int64, urgencyClass: Int = 0, elapsedSeconds: Double = 0, memoryKills: Int = 0,
      expected: ExpectedNeed? = nil
    ) {
      self.job = job
      self.lane = lane
      self.urgencyClass = urgencyClass
      self.elapsedSeconds = elapsedSeconds
      self.memoryKills = memoryKills
      self.expected = expected
    }
  }

  package struct MemoryLook: Sendable, Equatable {
    /// A claim that names it gives nothing once another worker of the host has claimed.
    package var turn: Int64 = 0
    /// Of the host, that live, and their slots.
    package var workers = 1
    package var slots = 1
    /// Jobs that are expected to need more are not claimed; nil: all are.
    package var heaviestBytes: Double?
    /// Jobs that run on the host.
    package var held: [JobNeed] = []
    /// Those that were asked for.
    package var ready: [JobNeed] = []
    /// The job that workers of the host keep room for, and since when.
    package var waiting: JobNeed?
    package var waitingSeconds = 0.0
    /// How long ago one of them said so.
    package var waitingAge = 0.0

    package init() {}
  }

  /// - Parameters:
  ///   - jobs: Of lanes: what they are expected to need.
  ///   - waitingFor: The job that the worker keeps room for: the others of its host are told.
  /// - Source: `memory_host.sql`, `memory_needs.sql`.
  package func memoryLook(
    worker: Int64, jobs: [(lane: Int64, job: JobID)], waitingFor job: JobID? = nil,
    on session: (any PostgresSession)? = nil, now: String? = nil
  ) async throws -> MemoryLook {
    let results = try await (session ?? database).pipeline([
      (Statement.memoryHost, [.int(worker), .optional(job?.rawValue), .optional(now)]),
      (
        Statement.memoryNeeds,
        [.int(worker), .ints(jobs.map(\.lane)), .ints(jobs.map(\.job.rawValue)), .optional(now)]
      ),
    ])
    let host = results[0].only
    var look = MemoryLook()
    look.turn = try host.int("turn")
    look.workers = max(1, Int(try host.int("workers")))
    look.slots = max(1, Int(try host.int("slots")))
    look.heaviestBytes = try host.optionalDouble("heaviest")
    let waiting = try host.optionalInt("waiting_job")
    look.waitingSeconds = try host.optionalDouble("waiting_seconds") ?? 0
    look.waitingAge = try host.optionalDouble("waiting_age") ?? 0
    for row in results[1] {
      let need = try JobNeed(row: row)
      switch try row.string("what") {
      case "held": look.held.append(need)
      case "ready": look.ready.append(need)
      default: if need.job.rawValue == waiting { look.waiting = need }
      }
    }
    return look
  }

  /// A job that room is kept for in the memory of a host.
  package struct MemoryWait: Sendable, Equatable {
    package var host: String
    package var job: JobID
    package var pipeline: String
    package var stage: String
    package var label: String
    package var seconds: Double
  }

  /// The longest first.
  ///
  /// - Source: `memory_wait_list.sql`.
  package func memoryWaits() async throws -> [MemoryWait] {
    try await database.query(Statement.memoryWaitList).map { row in
      MemoryWait(
        host: try row.string("host"), job: JobID(try row.int("job_id")), pipeline: try row.string("pipeline"),
        stage: try row.string("stage"), label: try row.string("label"), seconds: try row.double("seconds"))
    }
  }

  /// What is expected of the jobs of a kind, of one pipeline or of all, and of one size of the input or of all.
  package struct NeedEstimate: Sendable, Equatable {
    package var kind: String
    /// Empty: of all.
    package var pipeline: String
    /// The exponent of 2 of the input's bytes; nil: of all.
    package var size: Int?
    package var expected: ExpectedNeed

    package init(kind: String, pipeline: String, size: Int? = nil, expected: ExpectedNeed) {
      self.kind = kind
      self.pipeline = pipeline
      self.size = size
      self.expected = expected
    }
  }

  /// Stores what jobs are expected to need; nothing where another process decides. Those that were not renewed for `retention` go.
  ///
  /// - Source: `scaling_estimate_put.sql`.
  package func keep(
    _ estimates: [NeedEstimate], as holder: String, epoch: Int64, retention: Duration
  ) async throws {
    func column(_ value: (ExpectedNeed) -> Double) -> PostgresValue {
      .texts(estimates.map { "\(value($0.expected))" })
    }
    try await database.query(
      Statement.scalingEstimatePut,
      [
        .text(holder), .int(epoch), .texts(estimates.map(\.kind)), .texts(estimates.map(\.pipeline)),
        .ints(estimates.map { Int64($0.size ?? -1) }),
        column(\.secondsMean), column(\.secondsDeviation), column(\.bytesMean), column(\.bytesDeviation),
        .double(retention.inSeconds),
      ])
  }

  /// - Source: `scaling_estimate_list.sql`.
  package func needEstimates(limit: Int) async throws -> [NeedEstimate] {
    try await database.query(Statement.scalingEstimateList, [.int(Int64(limit))]).map { row in
      NeedEstimate(
        kind: try row.string("kind"), pipeline: try row.string("pipeline"),
        size: Int(exactly: try row.int("size")).flatMap { $0 < 0 ? nil : $0 },
        expected: ExpectedNeed(
          secondsMean: try row.double("seconds_mean"), secondsDeviation: try row.double("seconds_deviation"),
          bytesMean: try row.double("bytes_mean"), bytesDeviation: try row.double("bytes_deviation")))
    }
  }

  /// What all workers are asked to do under memory pressure.
  package struct PressureRule: Sendable, Equatable {
    /// They claim no job that is expected to need more; nil: they claim all.
    package var heaviestBytes: Double?
    /// Attempts that give their jobs back at the next checkpoint.
    package var yields: [LeaseHolder] = []

    package init(heaviestBytes: Double? = nil, yields: [LeaseHolder] = []) {
      self.heaviestBytes = heaviestBytes
      self.yields = yields
    }
  }

  /// - Returns: False where another process decides: nothing was stored.
  /// - Source: `scaling_rule.sql`.
  package func keep(_ rule: PressureRule, as holder: String, epoch: Int64) async throws -> Bool {
    try await !database.query(
      Statement.scalingRule,
      [
        .text(holder), .int(epoch), rule.heaviestBytes.map { .double($0) } ?? .null,
        .ints(rule.yields.map(\.jobID.rawValue)),
        .ints(rule.yields.map(\.epoch)),
      ]
    ).isEmpty
  }
}

extension JobStore.JobNeed {
  fileprivate init(row: PostgresRow) throws {
    let mean = try row.optionalDouble("bytes_mean")
    self.init(
      job: JobID(try row.int("job_id")), lane: try row.int("lane_id"), urgencyClass: Int(try row.int("class")),
      elapsedSeconds: try row.double("elapsed"), memoryKills: Int(try row.int("kills")),
      expected: try mean.map { bytes in
        JobStore.ExpectedNeed(
          secondsMean: try row.double("seconds_mean"), secondsDeviation: try row.double("seconds_deviation"),
          bytesMean: bytes, bytesDeviation: try row.double("bytes_deviation"))
      })
  }
}
