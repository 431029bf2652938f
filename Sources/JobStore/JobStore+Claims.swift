import JobModel
import Postgres

extension JobStore {
  /// The numbers of jobs that one claim may ask for: each is a plan of its own, so that the limit stays exact.
  package static let longestClaim = 200

  /// Claims up to `limit` ready jobs for this worker, most urgent first.
  ///
  /// Skips rows that other workers hold instead of waiting for them, so the result may be shorter than `limit` while
  /// work remains. One round trip: the lock shared with promote and retire, then the claim, each its own statement.
  ///
  /// - Parameters:
  ///   - limit: 1...``longestClaim``.
  ///   - release: The worker's release; 0 for a worker that serves only jobs that any release may do.
  /// - Returns: Leases in claim order; empty when nothing is ready, or when the worker is revoked or drains.
  /// - Source: `claim_lock.sql`, `job_claim.sql`.
  package func claim(worker: Int64, release: Int64 = 0, limit: Int, now: String? = nil) async throws -> [Claim] {
    precondition((1...Self.longestClaim).contains(limit), "a claim asks for 1 to \(Self.longestClaim) jobs")
    let results = try await database.withConnection { connection in
      try await connection.pipeline([
        ("begin", []), (Statement.claimLock, []),
        (Statement.jobClaim, [.int(worker), .int(release), .int(Int64(limit)), .optional(now)]),
        ("commit", []),
      ])
    }
    return try results[2].map(Claim.init(row:))
  }

  /// Ends leases as done. Only the pairs that still hold are ended; the others' leases are lost.
  ///
  /// - Parameter session: The transaction that the results are written in, so that both commit or neither.
  /// - Returns: The jobs that were ended.
  /// - Source: `job_complete.sql`, `job_unblock.sql`.
  package func complete(
    _ holders: [LeaseHolder], detail: String? = nil, in session: some PostgresSession, now: String? = nil
  ) async throws -> Set<JobID> {
    let jobs = holders.map(\.jobID.rawValue)
    let results = try await session.pipeline([
      (Statement.jobComplete, [.ints(jobs), .ints(holders.map(\.epoch)), .optionalJSON(detail), .optional(now)]),
      (Statement.jobUnblock, [.ints(jobs), .optional(now)]),
    ])
    return Set(try results[0].map { JobID(try $0.int("job_id")) })
  }

  /// How an attempt that is not done ends.
  package enum AttemptEnd: Sendable {
    /// Back to ready at once, not charged.
    case yielded
    /// Back after a while, not charged.
    case snoozed(Duration)
    /// Tried again after a while; the failure as JSON.
    case retried(after: Duration, failure: String)
    /// Never again; fails the run. The failure as JSON.
    case dead(failure: String)
  }

  /// Ends one attempt. Returns false when the lease was lost already.
  ///
  /// - Source: `job_end_attempt.sql`.
  @discardableResult
  package func endAttempt(_ holder: LeaseHolder, as end: AttemptEnd, now: String? = nil) async throws -> Bool {
    let (status, delay, failure): (AttemptStatus, Duration, String?) =
      switch end {
      case .yielded: (.yielded, .zero, nil)
      case .snoozed(let delay): (.snoozed, delay, nil)
      case .retried(let delay, let failure): (.retried, delay, failure)
      case .dead(let failure): (.dead, .zero, failure)
      }
    let rows = try await database.query(
      Statement.jobEndAttempt,
      [
        .int(holder.jobID.rawValue), .int(holder.epoch), .text(status.rawValue), .double(delay.inSeconds),
        .optionalJSON(failure), .optional(now),
      ])
    return rows.count == 1
  }

  /// Writes a checkpoint in the caller's transaction, which holds the lease until it commits.
  ///
  /// - Throws: ``LeaseLost``.
  /// - Source: `job_checkpoint.sql`.
  package func checkpoint(_ holder: LeaseHolder, _ mark: JobMark, in session: some PostgresSession) async throws {
    let rows = try await session.query(
      Statement.jobCheckpoint,
      [.int(holder.jobID.rawValue), .int(holder.epoch), .text(mark.format.description), .json(mark.state), .null])
    if rows.isEmpty { throw LeaseLost(holder) }
  }

  /// Which of these still hold their lease.
  package func held(_ holders: [LeaseHolder]) async throws -> Set<LeaseHolder> {
    let rows = try await database.query(
      Statement.leaseHeld, [.ints(holders.map(\.jobID.rawValue)), .ints(holders.map(\.epoch))])
    return Set(try rows.map { LeaseHolder(jobID: JobID(try $0.int("job_id")), epoch: try $0.int("epoch")) })
  }

  /// Makes every later claim draw a ticket above this one, while the holder has its lease.
  ///
  /// - Source: `ticket_raise.sql`.
  package func raiseTickets(above ticket: Int64, for holder: LeaseHolder) async throws {
    _ = try await database.transaction { transaction in
      try await transaction.query(Statement.claimLockExclusive, [])
      try await transaction.query(
        Statement.ticketRaise, [.int(holder.jobID.rawValue), .int(holder.epoch), .int(ticket)])
    }
  }

  /// Tries to take an exclusive permit, which ends with the lease whatever ends that.
  ///
  /// - Throws: ``LeaseLost``.
  /// - Source: `permit_acquire.sql`.
  package func acquirePermit(_ key: String, for holder: LeaseHolder) async throws -> Bool {
    let given = try await database.query(
      Statement.permitAcquire, [.text(key), .int(holder.jobID.rawValue), .int(holder.epoch)])
    if given.isEmpty, try await held([holder]).isEmpty { throw LeaseLost(holder) }
    return given.count == 1
  }
}

extension Claim {
  init(row: PostgresRow) throws {
    let format = try row.optionalString("mark_format").flatMap { CheckpointFormat($0) }
    let state = try row.optionalString("mark_state")
    self.init(
      jobID: JobID(try row.int("job_id")), runID: try row.optionalInt("run_id").map { RunID($0) },
      releaseID: try row.optionalInt("release_id"), epoch: try row.int("epoch"), ticket: try row.int("ticket"),
      attempt: Int(try row.int("attempt")), maximumAttempts: Int(try row.int("max_attempts")),
      kind: try row.string("kind"), label: try row.string("label"), pipeline: try row.string("pipeline"),
      stage: try row.string("stage"), payload: try row.string("payload"), runAt: try row.optionalString("run_at"),
      mark: zip(format, state).map { JobMark(format: $0, state: $1) })
  }
}

/// Both or nothing.
private func zip<A, B>(_ first: A?, _ second: B?) -> (A, B)? {
  guard let first, let second else { return nil }
  return (first, second)
}

extension Duration {
  package var inSeconds: Double {
    Double(components.seconds) + Double(components.attoseconds) / 1e18
  }
}

extension PostgresValue {
  package static func optionalJSON(_ text: String?) -> PostgresValue { text.map { .json($0) } ?? .null }
}
