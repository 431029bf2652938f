import JobModel
import Postgres

/// A permit of a key: at most `slots` jobs have one at a time, in all processes together.
package struct PermitNeed: Sendable, Hashable {
  package var key: String
  package var slots: Int
  /// Whether the jobs of one run have one permit together: it keeps runs apart, and not the parts of a job.
  package var isOfRun: Bool

  /// - Parameter slots: What counts is what was said last, so whoever names a key should say the same.
  package init(_ key: String, slots: Int = 1, isOfRun: Bool = false) {
    precondition(slots > 0, "a permit that nobody can have would be waited for in vain")
    self.key = key
    self.slots = slots
    self.isOfRun = isOfRun
  }

  /// That jobs of a pipeline with a limit of its own need, whatever they do.
  package static func key(ofPipeline pipeline: String) -> String { "pipeline/\(pipeline)" }
}

/// What became of a job that asked for permits.
package enum PermitAnswer: Sendable, Equatable {
  /// It has all of them.
  case given(Set<String>)
  /// It has none, has lost its lease, and is put off until this one is free.
  case waits(for: String)
  /// It has none and keeps its lease, because it is to be cancelled.
  case ending
}

extension JobStore {
  /// Takes all of these permits for a job, or puts the job off until the first that is short is free, which is not charged.
  ///
  /// Permits end with the lease, whatever ends that; whoever ends it in order then calls ``passOn(_:)``, so that the next does
  /// not wait for the maintenance to notice.
  ///
  /// - Throws: ``LeaseLost``.
  /// - Source: `permit_limit_set.sql`, `lease_lock.sql`, `permit_lock.sql`, `permit_take.sql`.
  package func takePermits(
    _ needs: Set<PermitNeed>, for holder: LeaseHolder, now: String? = nil
  ) async throws -> PermitAnswer {
    precondition(!needs.isEmpty, "who asks for permits says for which")
    let needs = needs.sorted { $0.key < $1.key }
    let keys = PostgresValue.texts(needs.map(\.key))
    let results = try await database.pipeline([
      (Statement.permitLimitSet, [keys, .ints(needs.map { Int64($0.slots) })]),
      ("begin", []),
      (Statement.leaseLock, [.int(holder.jobID.rawValue), .int(holder.epoch)]),
      (Statement.permitLock, [keys]),
      (
        Statement.permitTake,
        [
          .null, .int(holder.jobID.rawValue), .int(holder.epoch), keys, .optional(now),
          .texts(needs.filter(\.isOfRun).map(\.key)),
        ]
      ),
      ("commit", []),
    ])
    guard let answer = try Self.answers(results[4])[holder.jobID] else { throw LeaseLost(holder) }
    return answer
  }

  /// Moves those to ready who wait longest for permits that have become free.
  ///
  /// - Returns: Their lanes, to be told to the ``LaneBell``, and the lowest of the jobs in each.
  /// - Source: `permit_lock.sql`, `permit_pass.sql`.
  @discardableResult
  package func passOn(_ keys: some Collection<String>, now: String? = nil) async throws -> [Int64: JobID] {
    guard !keys.isEmpty else { return [:] }
    let keys = PostgresValue.texts(keys.sorted())
    let results = try await database.pipeline([
      ("begin", []), (Statement.permitLock, [keys]), (Statement.permitPass, [keys, .optional(now)]), ("commit", []),
    ])
    return try Self.lanes(results[2])
  }

  /// The same for every key that somebody waits for, in the maintenance's transaction: crashes free permits too.
  ///
  /// - Source: `permit_short.sql`, `permit_lock.sql`, `permit_pass.sql`.
  package func passOnAll(in transaction: PostgresTransaction, now: String? = nil) async throws -> [Int64: JobID] {
    let short = try await transaction.query(Statement.permitShort, []).map { try $0.string("key") }
    guard !short.isEmpty else { return [:] }
    let keys = PostgresValue.texts(short.sorted())
    let results = try await transaction.pipeline([
      (Statement.permitLock, [keys]), (Statement.permitPass, [keys, .optional(now)]),
    ])
    return try Self.lanes(results[1])
  }

  /// Ends a job without a run as done and passes its permits on, in one exchange.
  ///
  /// - Returns: As ``passOn(_:now:)``; nil when the lease is lost.
  package func finish(_ finished: FinishedJob, passingOn keys: Set<String>) async throws -> [Int64: JobID]? {
    let keys = PostgresValue.texts(keys.sorted())
    let results = try await database.pipeline([
      ("begin", []), (Statement.jobFinish, Self.parameters([finished], now: nil)), (Statement.permitLock, [keys]),
      (Statement.permitPass, [keys, .null]), ("commit", []),
    ])
    return results[1].isEmpty ? try Self.lanes(results[3]) : nil
  }

  /// Says how many jobs of a pipeline may run at once; nil: as many as there are slots.
  ///
  /// - Source: `pipeline_limit.sql`.
  package func limit(
    pipeline: String, to slots: Int?, in session: (any PostgresSession)? = nil
  ) async throws {
    try await (session ?? database).query(
      Statement.pipelineLimit, [.text(pipeline), .optional(slots.map(Int64.init)), .null])
  }

  /// Jobs of one pipeline that wait for one permit.
  package struct PermitQueue: Sendable, Equatable {
    package var pipeline: String
    package var key: String
    package var slots: Int
    package var taken: Int
    package var jobs: Int
    package var since: String
  }

  /// Who waits for which permit, longest first.
  ///
  /// - Source: `permit_waiting.sql`.
  package func permitQueues() async throws -> [PermitQueue] {
    try await database.query(Statement.permitWaiting, []).map { row in
      PermitQueue(
        pipeline: try row.string("pipeline"), key: try row.string("key"), slots: Int(try row.int("slots")),
        taken: Int(try row.int("taken")), jobs: Int(try row.int("jobs")), since: try row.string("since"))
    }
  }

  /// What ``permitTake`` says, by job.
  static func answers(_ rows: PostgresResult) throws -> [JobID: PermitAnswer] {
    var answers: [JobID: PermitAnswer] = [:]
    for row in rows {
      let job = JobID(try row.int("job_id"))
      if let key = try row.optionalString("refused") {
        answers[job] = try row.bool("put_off") ? .waits(for: key) : .ending
      } else if case .given(let keys) = answers[job] {
        answers[job] = .given(keys.union([try row.string("key")]))
      } else {
        answers[job] = .given([try row.string("key")])
      }
    }
    return answers
  }

  private static func lanes(_ rows: PostgresResult) throws -> [Int64: JobID] {
    Dictionary(uniqueKeysWithValues: try rows.map { (try $0.int("lane_id"), JobID(try $0.int("lowest"))) })
  }
}
