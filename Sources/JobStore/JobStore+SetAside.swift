import JobModel
import Postgres

extension JobStore {
  /// What claiming one by one brought.
  package struct SingleClaims: Sendable {
    package var claims: [Claim] = []
    /// Jobs that no claim can take: dead from now on, with the reason.
    package var setAside: [(job: JobID, reason: PostgresError)] = []
    /// Jobs whose claim failed, where the job is not the likely cause: they stay.
    fileprivate var failed: [(job: JobID, reason: PostgresError)] = []
  }
  /// How many jobs of a lane are passed over, one after the other, for one that can be claimed.
  private static let passedOver = 10

  /// Claims what a request asks for one job at a time, after the claim of all of them failed. A job whose own claim fails is set
  /// aside, dead and without an attempt, so that it does not keep its neighbours from running.
  ///
  /// Stops behind the first job that is set aside in a lane: the next claim of many continues from there. A job that is likely not
  /// the cause itself stays ready and is passed over; a later survey finds it again.
  ///
  /// - Parameter rule: What it knows of the claims before, for whether a job may be set aside.
  /// - Throws: What the claim failed with where no job is the cause, and none could be claimed.
  /// - Source: `ready_lock.sql`, `job_claim.sql`, `job_set_aside.sql`.
  package func claimSingly(
    _ request: ClaimRequest, worker: Int64, release: Int64, rule: inout SetAsideRule,
    at instant: ContinuousClock.Instant,
    on session: PostgresConnection, now: String? = nil
  ) async throws -> SingleClaims {
    var found = SingleClaims()
    for (lane, from) in request.lanes {
      var next = from
      var (claimed, passed) = (0, 0)
      while claimed < request.each.rawValue, passed < Self.passedOver {
        let one = ClaimRequest(lanes: [(lane, next)], each: .one, alone: request.alone)
        let known = rule
        let result = try await session.transaction { transaction in
          try await claimOrSetAside(
            one, worker: worker, release: release, rule: known, at: instant, in: transaction, now: now)
        }
        found.claims += result.claims
        found.setAside += result.setAside
        found.failed += result.failed
        for (job, error) in result.setAside { rule.setAside(job, error, at: instant) }
        if let claim = result.claims.first {
          rule.claimed()
          claimed += 1
          next = claim.jobID.rawValue
        } else if let (job, _) = result.failed.first {
          passed += 1
          next = job.rawValue + 1
        } else {
          break
        }
      }
    }
    if found.claims.isEmpty, found.setAside.isEmpty, let (_, error) = found.failed.first { throw error }
    return found
  }

  private func claimOrSetAside(
    _ request: ClaimRequest, worker: Int64, release: Int64, rule: SetAsideRule, at instant: ContinuousClock.Instant,
    in transaction: PostgresTransaction, now: String?
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
      guard rule.allows(job, error, at: instant) else { return SingleClaims(failed: [(job, error)]) }
      // A claim that fails with no job at all fails for another reason.
      let none = ClaimRequest(lanes: [(lane, .max)], each: .one)
      _ = try await claim(none, worker, release, in: transaction, now: now)
      let reason = SetAside(job: job, reason: error.message)
      try await transaction.query(
        Statement.jobSetAside, [.int(job.rawValue), .json(reason.json), .optional(now)])
      return SingleClaims(setAside: [(job, error)])
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
      Statement.permitTake, [.int(worker), .null, .null, .null, .optional(now), .null])
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
