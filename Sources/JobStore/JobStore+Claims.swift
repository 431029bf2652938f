import JobModel
import Postgres

extension JobStore {
  /// A session for the statements that run all the time, which are planned once: a plan that is made while a table is nearly
  /// empty must still be good when it is full.
  ///
  /// The settings alone do not see to that: of a table that it believes empty the planner reads a whole index as gladly as one
  /// place of it. So these statements name the rows of a large table by keys that are known before it is read: `= any (array)`,
  /// or a lateral subquery with `offset 0`, which the planner cannot turn round.
  package func queueSession(_ settings: PostgresSettings) async throws -> PostgresConnection {
    let connection = try await PostgresConnection.connect(settings)
    if !settings.isPooled {
      try await connection.execute(
        "set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off;"
          + " set plan_cache_mode = force_generic_plan; set jit = off;"
          + " select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'")
    }
    return connection
  }

  /// The lanes with ready work of a release and some stages (nil: of any).
  ///
  /// - Source: `lane_survey.sql`.
  package func survey(
    release: Int64 = 0, stages: [String]? = nil, on session: (any PostgresSession)? = nil
  ) async throws -> [ReadyLane] {
    try await (session ?? database).query(
      Statement.laneSurvey, [.int(release), stages.map { .texts($0) } ?? .null]
    ).map(ReadyLane.init(row:))
  }

  /// What a survey found, for a worker that may keep slots free for a job that must run alone.
  package struct Survey: Sendable {
    package var lanes: [ReadyLane]
    /// The job that this worker alone may keep slots free for, until its next survey.
    package var waitingFor: JobID?

    package init(lanes: [ReadyLane], waitingFor job: JobID? = nil) {
      self.lanes = lanes
      waitingFor = job
    }
  }

  /// The same, and says before that the worker would keep slots free for this job. One worker at a time may.
  ///
  /// - Source: `suspect_wait.sql`, `lane_survey.sql`.
  package func survey(
    release: Int64, stages: [String]?, worker: Int64, waitingFor job: JobID?, on session: any PostgresSession,
    now: String? = nil
  ) async throws -> Survey {
    guard let job else { return Survey(lanes: try await survey(release: release, stages: stages, on: session)) }
    let isGranted = try await !session.query(
      Statement.suspectWait, [.int(job.rawValue), .int(worker), .optional(now)]
    ).isEmpty
    let lanes = try await survey(release: release, stages: stages, on: session)
    return Survey(lanes: lanes, waitingFor: isGranted ? job : nil)
  }

  /// Claims ready jobs of the lanes that the request names, for this worker.
  ///
  /// Skips rows that other workers hold instead of waiting for them, so the result may be shorter than asked while work
  /// remains. One round trip: the lock shared with promote and retire, then the claim, each its own statement.
  ///
  /// - Parameter release: The worker's release; 0 for a worker that serves only jobs that any release may do.
  /// - Returns: Leases; none when nothing is ready, or when the worker is revoked or drains.
  /// - Source: `claim_lock.sql`, `job_claim.sql`.
  package func claim(
    _ request: ClaimRequest, worker: Int64, release: Int64 = 0, on session: (any PostgresSession)? = nil,
    now: String? = nil
  ) async throws -> [Claim] {
    let turn = QueueTurn(finished: [], request: request)
    return try await take(turn, worker: worker, release: release, on: session, now: now).claims
  }

  /// Surveys, then claims up to `limit` jobs, most urgent lane, earliest deadline and oldest first. For those who claim once, such as tests; a
  /// worker plans its claims.
  package func claim(
    worker: Int64, release: Int64 = 0, stages: [String]? = nil, limit: Int, now: String? = nil
  ) async throws -> [Claim] {
    precondition(limit > 0, "a claim asks for at least one job")
    var lanes = try await survey(release: release, stages: stages).filter(\.hasWork)
      .sorted {
        ($0.urgencyClass, $0.deadline ?? .infinity, $0.lowest) < ($1.urgencyClass, $1.deadline ?? .infinity, $1.lowest)
      }
    var claims: [Claim] = []
    while claims.count < limit, let lane = lanes.first {
      let batch = ClaimBatch.largest(within: limit - claims.count)
      let request = ClaimRequest(lanes: [(lane, claims.last?.laneID == lane.id ? 0 : lane.lowest)], each: batch)
      let found = try await claim(request, worker: worker, release: release, now: now)
      claims += found.sorted { $0.jobID < $1.jobID }
      if found.count < batch.rawValue { lanes.removeFirst() }
    }
    guard claims.isEmpty else { return claims }
    // A job that must run alone, in a worker that has nothing in hand.
    guard try await leases(ofWorker: worker, on: database).isEmpty else { return [] }
    let alone = try await survey(release: release, stages: stages).filter { $0.suspect != nil }
      .min { ($0.urgencyClass, $0.suspect?.rawValue ?? 0) < ($1.urgencyClass, $1.suspect?.rawValue ?? 0) }
    guard let request = alone.flatMap(ClaimRequest.init(alone:)) else { return [] }
    return try await claim(request, worker: worker, release: release, now: now)
  }

  /// One exchange of a worker with the queue: what is done is acknowledged, and new jobs are claimed, in one transaction
  /// and one round trip.
  ///
  /// - Source: `claim_lock.sql`, `memory_turn.sql`, `job_finish.sql`, `job_claim.sql`.
  package func take(
    _ turn: QueueTurn, worker: Int64, release: Int64, on session: (any PostgresSession)? = nil, now: String? = nil
  ) async throws -> QueueTurn.Outcome {
    var steps: [(SQLStatement, [PostgresValue])] = [("begin", [])]
    // A claim that a crash of the server loses would be made again with the same epoch: two holders of one job.
    if database.settings.isPooled { steps.append((Statement.commitDurably, [])) }
    // Before any row: a cancellation takes it exclusively, and then rows.
    if turn.request != nil { steps.append((Statement.claimLock, [])) }
    if let turn = turn.request?.memoryTurn { steps.append((Statement.memoryTurn, [.int(worker), .int(turn)])) }
    let finishStep = steps.count
    if !turn.finished.isEmpty { steps.append((Statement.jobFinish, Self.parameters(turn.finished, now: now))) }
    if let request = turn.request {
      precondition(!request.lanes.isEmpty, "a claim names its lanes")
      steps.append(
        (
          Statement.jobClaim(request.each),
          Self.parameters(request, worker: worker, release: release, now: now)
        ))
    }
    // Jobs of lanes with a limit that find no slot free are put off before anybody has seen them.
    let limited = Set((turn.request?.lanes ?? []).filter(\.lane.isLimited).map(\.lane.pipeline)).sorted()
    if !limited.isEmpty {
      steps.append((Statement.permitLock, [.texts(limited.map { PermitNeed.key(ofPipeline: $0) })]))
      steps.append((Statement.permitTake, [.int(worker), .null, .null, .null, .optional(now), .null]))
    }
    // A server that hangs must not hold up the worker's loop, and with it its end, for ever.
    steps.append((SQLStatement("commit").within(Self.turnLimit), []))
    let results = try await (session ?? database).pipeline(steps)
    var outcome = QueueTurn.Outcome()
    if !turn.finished.isEmpty {
      outcome.unmatched = Set(try results[finishStep].map { JobID(try $0.int(at: 0)) })
    }
    if let request = turn.request {
      let lanes = Dictionary(request.lanes.map { ($0.lane.id, $0.lane) }) { first, _ in first }
      let rows = results[results.count - (limited.isEmpty ? 2 : 4)]
      outcome.claims = try rows.map { try Claim(row: $0, lanes: lanes, isAlone: request.alone != nil) }
      if !limited.isEmpty {
        outcome.claims = Self.permitted(outcome.claims, try Self.answers(results[results.count - 2]))
      }
    }
    return outcome
  }

  /// The longest that one exchange may take.
  private static let turnLimit = Duration.seconds(60)

  static func parameters(
    _ request: ClaimRequest, worker: Int64, release: Int64, now: String?
  ) -> [PostgresValue] {
    [
      .int(worker), .int(release), .ints(request.lanes.map(\.lane.id)), .ints(request.lanes.map(\.from)),
      .optional(now), .optional(request.alone?.rawValue), .optional(request.memoryTurn.map { $0 + 1 }),
    ]
  }

  /// The claims that were not put off.
  static func permitted(_ claims: [Claim], _ answers: [JobID: PermitAnswer]) -> [Claim] {
    claims.compactMap { claim in
      var claim = claim
      switch answers[claim.jobID] {
      case .given(let keys): claim.permits = keys
      // Its pipeline has no limit any more.
      case nil: break
      case .waits, .ending: return nil
      }
      return claim
    }
  }

  static func parameters(_ finished: [FinishedJob], now: String?) -> [PostgresValue] {
    // In the order of the jobs. Of two attempts of one job the later may still hold it, and the last that is named counts.
    let finished = finished.sorted { ($0.holder.jobID, $0.holder.epoch) < ($1.holder.jobID, $1.holder.epoch) }
    let hasDetails = finished.contains { $0.detail != nil }
    return [
      .ints(finished.map(\.holder.jobID.rawValue)), .ints(finished.map(\.holder.epoch)),
      hasDetails ? .optionalTexts(finished.map(\.detail)) : .null, .optional(now),
    ]
  }

  /// Ends leases of jobs without a run as done.
  ///
  /// - Returns: The jobs whose leases are lost.
  /// - Source: `job_finish.sql`.
  package func finish(
    _ finished: [FinishedJob], in session: some PostgresSession, now: String? = nil
  ) async throws -> Set<JobID> {
    let rows = try await session.query(Statement.jobFinish, Self.parameters(finished, now: now))
    return Set(try rows.map { JobID(try $0.int(at: 0)) })
  }

  /// Which of these pairs ended as done: for those whose acknowledgement's answer was lost.
  package func areDone(_ holders: [LeaseHolder]) async throws -> Set<LeaseHolder> {
    let rows = try await database.query(
      Statement.outcomeDone, [.ints(holders.map(\.jobID.rawValue)), .ints(holders.map(\.epoch))])
    return Set(try rows.map { LeaseHolder(jobID: JobID(try $0.int("job_id")), epoch: try $0.int("epoch")) })
  }
}

extension Claim {
  /// By position, in the order of `job_claim.sql`: this is read for every job.
  init(row: PostgresRow, lanes: [Int64: ReadyLane], isAlone: Bool) throws {
    guard let lane = lanes[try row.int(at: 0)] else { preconditionFailure("a claim returns jobs of its own lanes") }
    let format = row.optionalString(at: 13).flatMap { CheckpointFormat($0) }
    let state = row.optionalString(at: 14)
    self.init(
      jobID: JobID(try row.int(at: 1)), runID: try row.optionalInt(at: 9).map { RunID($0) },
      releaseID: try row.optionalInt(at: 11), epoch: try row.int(at: 2), ticket: try row.int(at: 3),
      attempt: Int(try row.int(at: 4)), maximumAttempts: Int(try row.int(at: 5)), kind: row.string(at: 6),
      label: row.string(at: 7), laneID: lane.id, pipeline: lane.pipeline, stage: lane.stage, payload: row.string(at: 8),
      timeLimit: row.optionalString(at: 10).flatMap { Double($0) }.map { .seconds(min($0, 1e9)) },
      runAt: row.optionalString(at: 12), mark: zip(format, state).map { JobMark(format: $0, state: $1) })
    self.isAlone = isAlone
    memoryKills = Int(try row.optionalInt(at: 15) ?? 0)
  }
}

/// Both or nothing.
private func zip<A, B>(_ first: A?, _ second: B?) -> (A, B)? {
  guard let first, let second else { return nil }
  return (first, second)
}
