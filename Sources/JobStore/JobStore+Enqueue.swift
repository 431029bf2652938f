import JobModel
import Postgres

/// A job without a run: what another service puts into the queue.
public struct NewJob: Sendable, Equatable {
  /// The name that a worker's handler is registered under.
  public var kind: String
  /// JSON.
  public var payload: String
  /// Whose share of the workers it takes: pipelines with waiting jobs are served by turns.
  public var pipeline: String
  /// At most one job with this key at a time, until it is done, dead or cancelled.
  public var uniqueKey: String?
  /// In ISO 8601; not before this time.
  public var runAt: String?
  /// Lower is more urgent.
  public var urgencyClass: Int
  public var maximumAttempts: Int
  /// Of each attempt.
  public var timeLimit: Duration?
  /// What a person calls it; the kind where it is nil.
  public var label: String?

  /// The pipeline of jobs that name none.
  package static let standardPipeline = "default"

  public init(
    kind: String, payload: String = "{}", pipeline: String = "default", uniqueKey: String? = nil,
    runAt: String? = nil, urgencyClass: Int = 0, maximumAttempts: Int = 8, timeLimit: Duration? = nil,
    label: String? = nil
  ) {
    self.kind = kind
    self.payload = payload
    self.pipeline = pipeline
    self.uniqueKey = uniqueKey
    self.runAt = runAt
    self.urgencyClass = urgencyClass
    self.maximumAttempts = maximumAttempts
    self.timeLimit = timeLimit
    self.label = label
  }
}

/// What became of a ``NewJob``.
public struct EnqueuedJob: Sendable, Equatable {
  public var id: JobID
  /// False where a living job had its unique key already: `id` is that job's.
  public var isNew: Bool

  public init(id: JobID, isNew: Bool) {
    self.id = id
    self.isNew = isNew
  }
}

extension JobStore {
  /// Puts jobs without a run into the queue, in one transaction.
  ///
  /// - Returns: One for each, in their order.
  /// - Source: `job_enqueue.sql`, `job_enqueue_unique.sql`.
  @discardableResult
  public func enqueue(_ jobs: [NewJob], now: String? = nil) async throws -> [EnqueuedJob] {
    // Mostly one statement will do, which is a transaction of its own and takes one round trip.
    let groups = Self.grouped(jobs)
    if let shape = groups.first?.0, groups.count == 1, shape.uniqueKey == nil,
      let written = try await insertAlone(shape, jobs.map(\.payload), now: now)
    {
      bell?.ring([written.lane])
      return written.jobs
    }
    return try await database.transaction { try await enqueue(groups, jobs, in: $0, now: now) }
  }

  /// As ``enqueue(_:now:)``, in the caller's transaction; workers are told after the commit.
  @discardableResult
  public func enqueue(
    _ jobs: [NewJob], in transaction: PostgresTransaction, now: String? = nil
  ) async throws -> [EnqueuedJob] {
    try await enqueue(Self.grouped(jobs), jobs, in: transaction, now: now)
  }

  private func enqueue(
    _ groups: [(NewJob, [Int])], _ jobs: [NewJob], in transaction: PostgresTransaction, now: String?
  ) async throws -> [EnqueuedJob] {
    var results = [EnqueuedJob?](repeating: nil, count: jobs.count)
    var lanes: Set<Int64> = []
    // In the order of their first job, so that two callers with the same jobs lock in the same order.
    for (shape, indices) in groups {
      let written = try await insert(shape, indices.map { jobs[$0] }, in: transaction, now: now)
      lanes.insert(written.lane)
      for (index, job) in zip(indices, written.jobs) { results[index] = job }
    }
    ring(lanes, after: transaction)
    return results.compactMap { $0 }
  }

  /// Jobs that one statement can write: they differ in payload and key alone.
  private static func grouped(_ jobs: [NewJob]) -> [(NewJob, [Int])] {
    var groups: [(NewJob, [Int])] = []
    for (index, job) in jobs.enumerated() {
      var shape = job
      shape.payload = ""
      shape.uniqueKey = job.uniqueKey == nil ? nil : ""
      // Nearly always the last one's.
      if let last = groups.indices.last(where: { groups[$0].0 == shape }) {
        groups[last].1.append(index)
      } else {
        groups.append((shape, [index]))
      }
    }
    return groups
  }

  private func insert(
    _ shape: NewJob, _ jobs: [NewJob], in transaction: PostgresTransaction, now: String?
  ) async throws -> (lane: Int64, jobs: [EnqueuedJob]) {
    guard shape.uniqueKey == nil else { return try await insertUnique(shape, jobs, in: transaction, now: now) }
    let payloads = jobs.map(\.payload)
    if let written = try await insert(shape, payloads, in: transaction, now: now) { return written }
    _ = try await makeLane(of: shape, in: transaction)
    guard let written = try await insert(shape, payloads, in: transaction, now: now) else {
      preconditionFailure("the lane was made in the line above, and lanes stay")
    }
    return written
  }

  /// Commits by itself.
  ///
  /// - Throws: `.commitUnknown` where the connection is lost: whether the statement took effect is not known.
  private func insertAlone(
    _ shape: NewJob, _ payloads: [String], now: String?
  ) async throws -> (lane: Int64, jobs: [EnqueuedJob])? {
    do { return try await insert(shape, payloads, in: database, now: now) } catch let error as PostgresError
      where error.kind == .connectionLost
    {
      throw PostgresError(
        .commitUnknown, operation: error.operation, message: "the connection was lost before the answer to the enqueue",
        sqlState: error.sqlState, hint: "look whether the jobs are there before enqueuing them again")
    }
  }

  /// - Returns: Nil where their lane is not there yet.
  private func insert(
    _ shape: NewJob, _ payloads: [String], in session: some PostgresSession, now: String?
  ) async throws -> (lane: Int64, jobs: [EnqueuedJob])? {
    let rows = try await session.query(
      Statement.jobEnqueue,
      [.text(shape.pipeline)] + Self.values(of: shape, payloads, now: now) + [.int(Int64(shape.urgencyClass))])
    guard let first = rows.first else { return nil }
    return (try first.int(at: 1), try rows.map { EnqueuedJob(id: JobID(try $0.int(at: 0)), isNew: true) })
  }

  private func insertUnique(
    _ shape: NewJob, _ jobs: [NewJob], in transaction: PostgresTransaction, now: String?
  ) async throws -> (lane: Int64, jobs: [EnqueuedJob]) {
    let key: [PostgresValue] = [.text(shape.pipeline), .text(shape.kind), .int(Int64(shape.urgencyClass))]
    let found = try await transaction.query(Statement.laneFind, key).first
    let lane = if let found { try found.int("lane_id") } else { try await makeLane(of: shape, in: transaction) }
    let keys = jobs.compactMap(\.uniqueKey)
    let values = Self.values(of: shape, jobs.map(\.payload), now: now)
    let rows = try await transaction.query(Statement.jobEnqueueUnique, [.int(lane)] + values + [.texts(keys)])
    return (lane, try await resolved(rows, keys: keys, in: transaction))
  }

  /// The parameters 2 to 8 of both statements.
  private static func values(of shape: NewJob, _ payloads: [String], now: String?) -> [PostgresValue] {
    [
      .text(shape.kind), .text(shape.label ?? shape.kind), .texts(payloads), .int(Int64(shape.maximumAttempts)),
      shape.timeLimit.map { .double($0.inSeconds) } ?? .null, .optional(now), .optional(shape.runAt),
    ]
  }

  private func makeLane(of shape: NewJob, in transaction: PostgresTransaction) async throws -> Int64 {
    let urgencyClass = PostgresValue.int(Int64(shape.urgencyClass))
    try await transaction.query(
      Statement.laneEnsure,
      [.texts([shape.pipeline]), .texts([shape.kind]), urgencyClass, .null, .int(0), .bool(false)])
    return try await transaction.query(
      Statement.laneFind, [.text(shape.pipeline), .text(shape.kind), urgencyClass]
    ).only.int("lane_id")
  }

  /// The jobs that have the keys, in the order of the keys; a key twice in one call is made once.
  private func resolved(
    _ rows: PostgresResult, keys: [String], in session: some PostgresSession
  ) async throws -> [EnqueuedJob] {
    var holders: [ExactText: Int64] = [:]
    var new: Set<ExactText> = []
    for row in rows {
      let key = ExactText(try row.string("key"))
      if let job = try row.optionalInt("job_id") { holders[key] = job }
      if try row.bool("is_new") { new.insert(key) }
    }
    let unseen = keys.filter { holders[ExactText($0)] == nil }
    // Another transaction committed its key while this statement ran.
    if !unseen.isEmpty {
      for row in try await session.query(Statement.liveKeyList, [.texts(unseen)]) {
        holders[ExactText(try row.string("key"))] = try row.int("job_id")
      }
    }
    return try keys.map { key in
      let key = ExactText(key)
      guard let job = holders[key] else {
        throw StageFailure(
          code: "unique_key_raced", message: "another job took this one's unique key and ended at the same moment",
          hint: "enqueue it again", isTransient: true)
      }
      return EnqueuedJob(id: JobID(job), isNew: new.remove(key) != nil)
    }
  }
}
