import JobModel
import Postgres

extension JobStore {
  /// Ends leases as done. Only the pairs that still hold are ended; the others' leases are lost.
  ///
  /// - Parameters:
  ///   - runs: Theirs: none of them is taken up again until the transaction ends.
  ///   - session: The transaction that the results are written in, so that both commit or neither.
  /// - Returns: The jobs that were ended, and the lanes of those that became ready.
  /// - Source: `run_lock_shared.sql`, `job_complete.sql`, `job_unblock.sql`.
  package func complete(
    _ holders: [LeaseHolder], runs: Set<RunID> = [], detail: String? = nil, in session: some PostgresSession,
    now: String? = nil
  ) async throws -> Completion {
    let jobs = holders.map(\.jobID.rawValue)
    let results = try await session.pipeline([
      (Statement.runLockShared, [.ints(runs.map(\.rawValue))]),
      (Statement.jobComplete, [.ints(jobs), .ints(holders.map(\.epoch)), .optionalJSON(detail), .optional(now)]),
      (Statement.jobUnblock, [.ints(jobs), .optional(now)]),
    ])
    return Completion(
      ended: Set(try results[1].map { JobID(try $0.int("job_id")) }),
      unblockedLanes: Set(try results[2].map { try $0.int("lane_id") }))
  }

  /// What came of ending leases as done.
  package struct Completion: Sendable, Equatable {
    package var ended: Set<JobID>
    /// Where dependents became ready: to be told to the ``LaneBell`` once the transaction has committed.
    package var unblockedLanes: Set<Int64>
  }

  /// How an attempt that is not done ends.
  package enum AttemptEnd: Sendable {
    /// Back to ready at once, not charged: the handler moved the job on and gave it back.
    case yielded
    /// Back after a while, not charged: the handler moved the job on and put it off.
    case snoozed(Duration)
    /// Back at once or after a while, not charged: by an outage, from outside, or by a handler that did not move the job on. Says
    /// nothing of the job.
    case interrupted(after: Duration)
    /// Tried again after a while; the failure as JSON.
    case retried(after: Duration, failure: String)
    /// Never again; fails the run. The failure as JSON.
    case dead(failure: String)
    /// Someone cancelled it.
    case cancelled
    /// The attempt's database session ended without a word, and it had written no checkpoint but the one that it began with, or the
    /// server's process of the session had crashed. Back after a while: not charged for the first time in a row, because an outage
    /// does the same. The handler's own end of a later attempt that moved the job on ends the row.
    case lostSession(after: Duration, failure: String)
    /// The attempt's database session ended alone: the server says that none of its processes crashed, and the worker's own sessions
    /// stayed. Back after a while that doubles each time, not charged; dead at ``lossLimit`` times in a row. The ends that end a row of
    /// ``lostSession(after:failure:)`` end this one.
    case brokenSession(after: Duration, failure: String)
    /// It ran out of memory. Back after a while, charged: the next attempt runs alone in its worker, and its claim says how often it was.
    case outOfMemory(after: Duration, failure: String)
  }

  /// At so many attempts that ran out of memory a job is dead.
  package static let memoryKillLimit = 3

  /// How often in a row a job may lose its database session alone: with the default delays, for four to nine minutes.
  package static let lossLimit = 10

  /// Ends one attempt; of a job that is to be cancelled, whatever the end was, as cancelled. Returns false when the lease was
  /// lost already.
  ///
  /// - Parameters:
  ///   - waited: How long the attempt waited, by cause, as JSON: kept in its history.
  ///   - session: For a caller that must not wait for a connection of the pool.
  /// - Source: `job_end_attempt.sql`.
  @discardableResult
  package func endAttempt(
    _ holder: LeaseHolder, as end: AttemptEnd, waited: String? = nil, on session: (any PostgresSession)? = nil,
    now: String? = nil
  ) async throws -> Bool {
    let (status, delay, failure): (String, Duration, String?) =
      switch end {
      case .yielded: (AttemptStatus.yielded.rawValue, .zero, nil)
      case .snoozed(let delay): (AttemptStatus.snoozed.rawValue, delay, nil)
      case .interrupted(let delay): ("interrupted", delay, nil)
      case .retried(let delay, let failure): (AttemptStatus.retried.rawValue, delay, failure)
      case .dead(let failure): (AttemptStatus.dead.rawValue, .zero, failure)
      case .cancelled: (AttemptStatus.cancelled.rawValue, .zero, nil)
      case .lostSession(let delay, let failure): ("lost", delay, failure)
      case .brokenSession(let delay, let failure): ("broken", delay, failure)
      case .outOfMemory(let delay, let failure): ("memory", delay, failure)
      }
    let session = session ?? database
    let bounded = min(max(delay, .zero), Self.longestDelay)
    func write(_ failure: String?) async throws -> PostgresResult {
      try await session.query(
        Statement.jobEndAttempt.within(Self.endLimit),
        [
          .int(holder.jobID.rawValue), .int(holder.epoch), .text(status), .double(bounded.inSeconds),
          .optionalJSON(failure), .optional(now), .int(Int64(Self.lossLimit)),
          .optionalJSON(waited),
        ])
    }
    let rows: PostgresResult
    do { rows = try await write(failure) } catch let error as PostgresError
      where failure != nil && (error.mayBeOfOneRow || error.kind == .usage)
    {
      // Whatever the text holds, the attempt ends: a job whose end cannot be written would come back for ever.
      rows = try await write(Self.unstorable)
    }
    guard let row = rows.first else { return false }
    if try row.string("status") == AttemptStatus.yielded.rawValue { bell?.ring([try row.int("lane_id")]) }
    return true
  }

  /// Whether the server has recovered from a crash of one of its processes since the lease was taken; nil where it cannot tell:
  /// it was restarted, its statistics were reset by hand, or the lease is lost.
  ///
  /// - Source: `server_crashed.sql`.
  package func hasServerCrashed(during holder: LeaseHolder) async throws -> Bool? {
    let answer = try await database.query(
      Statement.serverCrashed.within(Self.endLimit), [.int(holder.jobID.rawValue), .int(holder.epoch)]
    ).first?.optionalString("crashed")
    return answer.map { $0 == "t" }
  }

  /// No source, handler or clock puts a job off for longer.
  package static let longestDelay = Duration.seconds(366 * 86_400)
  /// How long the end of an attempt may take; where it is not written, a later beat gives the job back.
  private static let endLimit = Duration.seconds(60)
  /// In place of a failure whose text the database refuses.
  private static let unstorable =
    #"{"code":"unstorable","message":"the database refused the text of the failure","hint":"the worker's log has it"}"#

  /// Leases that a worker is asked to give up.
  package struct AskedLeases: Sendable, Equatable {
    /// Now: their jobs were cancelled.
    package var cancelled: Set<LeaseHolder> = []
    /// At the next checkpoint: another engine does their jobs.
    package var handedOver: Set<LeaseHolder> = []
  }

  /// - Parameter release: The worker's own.
  /// - Source: `lease_asked.sql`.
  package func askedLeases(ofWorker worker: Int64, release: Int64) async throws -> AskedLeases {
    var asked = AskedLeases()
    for row in try await database.query(Statement.leaseAsked, [.int(worker), .int(release)]) {
      let holder = LeaseHolder(jobID: JobID(try row.int("job_id")), epoch: try row.int("epoch"))
      if try row.bool("cancelled") { asked.cancelled.insert(holder) } else { asked.handedOver.insert(holder) }
    }
    return asked
  }

  /// Which of a worker's leases are to be given up because their jobs were cancelled.
  package func cancelledLeases(ofWorker worker: Int64) async throws -> Set<LeaseHolder> {
    try await askedLeases(ofWorker: worker, release: 0).cancelled
  }

  /// Writes a checkpoint in the caller's transaction, which holds the lease until it commits.
  ///
  /// - Parameter first: What the attempt has begun with.
  /// - Returns: Whether it is another one.
  /// - Throws: ``LeaseLost``.
  /// - Source: `job_checkpoint.sql`.
  @discardableResult
  package func checkpoint(
    _ holder: LeaseHolder, _ mark: JobMark, since first: JobMark? = nil, in session: some PostgresSession
  ) async throws -> Bool {
    let rows = try await session.query(
      Statement.jobCheckpoint,
      [
        .int(holder.jobID.rawValue), .int(holder.epoch), .text(mark.format.description), .json(mark.state), .null,
        .optional(first?.format.description), .optionalJSON(first?.state),
      ])
    guard let row = rows.first else { throw LeaseLost(holder) }
    return try row.bool("moved")
  }

  /// When a job's checkpoint was written; nil where it has none.
  ///
  /// - Source: `mark_time.sql`.
  package func checkpointTime(of job: JobID) async throws -> String? {
    try await database.query(Statement.markTime, [.int(job.rawValue)]).first?.string("at")
  }

  /// Whether a job died or was cancelled after its checkpoint was written, and was then retried by hand.
  ///
  /// - Source: `mark_outlived.sql`.
  package func hasOutlivedMark(_ job: JobID) async throws -> Bool {
    try await !database.query(Statement.markOutlived, [.int(job.rawValue)]).isEmpty
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
}

extension Duration {
  package var inSeconds: Double {
    Double(components.seconds) + Double(components.attoseconds) / 1e18
  }
}

extension PostgresValue {
  package static func optionalJSON(_ text: String?) -> PostgresValue { text.map { .json($0) } ?? .null }
}
