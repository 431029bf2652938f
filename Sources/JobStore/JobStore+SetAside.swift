import JobModel
import Postgres

extension JobStore {
  /// What claiming one by one brought.
  package struct SingleClaims: Sendable {
    package var claims: [Claim] = []
    /// Jobs that no claim can take: dead from now on, with the reason.
    package var setAside: [(job: JobID, reason: String)] = []
  }

  /// Claims what a request asks for one job at a time, after the claim of all of them failed. A job whose own claim fails is set
  /// aside, dead and without an attempt, so that it does not keep its neighbours from running.
  ///
  /// Stops behind the first job that is set aside in a lane: the next claim of many continues from there.
  ///
  /// - Throws: What the claim failed with where no job is the cause.
  /// - Source: `ready_lock.sql`, `job_claim.sql`, `job_set_aside.sql`.
  package func claimSingly(
    _ request: ClaimRequest, worker: Int64, release: Int64, on session: PostgresConnection, now: String? = nil
  ) async throws -> SingleClaims {
    var found = SingleClaims()
    for (lane, from) in request.lanes {
      var next = from
      for _ in 0..<request.each.rawValue {
        let one = ClaimRequest(lanes: [(lane, next)], each: .one, alone: request.alone)
        let result = try await session.transaction { transaction in
          try await claimOrSetAside(one, worker: worker, release: release, in: transaction, now: now)
        }
        found.claims += result.claims
        found.setAside += result.setAside
        guard let claim = result.claims.first else { break }
        next = claim.jobID.rawValue
      }
    }
    return found
  }

  private func claimOrSetAside(
    _ request: ClaimRequest, worker: Int64, release: Int64, in transaction: PostgresTransaction, now: String?
  ) async throws -> SingleClaims {
    let (lane, from) = request.lanes[0]
    try await transaction.query(Statement.claimLock, [])
    let locked = try await transaction.query(
      Statement.readyLock, [.int(lane.id), .int(from), .optional(request.alone?.rawValue)])
    guard let row = locked.first else { return SingleClaims() }
    let job = JobID(try row.int("job_id"))
    try await transaction.execute("savepoint attempted")
    do {
      let only = ClaimRequest(lanes: [(lane, job.rawValue)], each: .one, alone: request.alone)
      return SingleClaims(claims: try await claim(only, worker, release, in: transaction, now: now))
    } catch let error as PostgresError where error.mayBeOfOneRow {
      try await transaction.execute("rollback to savepoint attempted")
      // A claim that fails with no job at all fails for another reason.
      let none = ClaimRequest(lanes: [(lane, .max)], each: .one)
      _ = try await claim(none, worker, release, in: transaction, now: now)
      let reason = SetAside(job: job, reason: error.message)
      try await transaction.query(
        Statement.jobSetAside, [.int(job.rawValue), .json(reason.json), .optional(now)])
      return SingleClaims(setAside: [(job, error.message)])
    }
  }

  /// In the caller's transaction, which has the claims' lock.
  private func claim(
    _ request: ClaimRequest, _ worker: Int64, _ release: Int64, in transaction: PostgresTransaction, now: String?
  ) async throws -> [Claim] {
    let lanes = Dictionary(request.lanes.map { ($0.lane.id, $0.lane) }) { first, _ in first }
    let claims = try await transaction.query(
      Statement.jobClaim(request.each), Self.parameters(request, worker: worker, release: release, now: now)
    ).map { try Claim(row: $0, lanes: lanes, isAlone: request.alone != nil) }
    let limited = Set(request.lanes.filter(\.lane.isLimited).map(\.lane.pipeline)).sorted()
    guard !limited.isEmpty else { return claims }
    try await transaction.query(
      Statement.permitLock, [.texts(limited.map { PermitNeed.key(ofPipeline: $0) })])
    let answers = try await transaction.query(
      Statement.permitTake, [.int(worker), .null, .null, .null, .optional(now)])
    return Self.permitted(claims, try Self.answers(answers))
  }
}

/// Why a job is dead that no worker ever began.
struct SetAside: Failure {
  var job: JobID
  var reason: String
  var code: String { "set_aside" }
  var message: String { "no worker can claim job \(job), so it was set aside (\(reason))" }
  var hint: String? { "remove the cause, then: sluice jobs retry \(job)" }
  var isTransient: Bool { false }
}

extension PostgresError {
  /// Whether the values of one row may be the cause, and not the statement, the schema, the role or the server.
  ///
  /// 22 data exception (but a sequence at its end) · 23 constraint · 54 program limit · P0 and 38 a trigger's own · XX damaged rows.
  package var mayBeOfOneRow: Bool {
    guard kind == .statement, let sqlState, sqlState != "2200H" else { return false }
    return ["22", "23", "38", "54", "P0", "XX"].contains(sqlState.prefix(2))
  }
}
