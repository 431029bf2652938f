import JobModel
import Migrations
import Postgres

extension JobStore {
  /// What a worker process says of itself when it starts.
  package struct WorkerBirth: Sendable {
    package var release: Int64
    package var host: String
    package var pid: Int32
    package var engine: String
    package var slots: Int
    /// Whether it leaves with the run that it was started for, so that other runs must not count on it.
    package var servesOneRun: Bool
    /// The newest migration that it knows.
    package var schemaNumber: Int
    /// The name under which control launched it; nil: none.
    package var launch: String?

    package init(
      release: Int64, host: String, pid: Int32, engine: String, slots: Int, servesOneRun: Bool = false,
      schemaNumber: Int = Migration.all.last?.number ?? 0, launch: String? = nil
    ) {
      self.launch = launch
      self.servesOneRun = servesOneRun
      self.schemaNumber = schemaNumber
      self.release = release
      self.host = host
      self.pid = pid
      self.engine = engine
      self.slots = slots
    }
  }

  /// Registers one process start and returns its identity, with a first beat.
  ///
  /// - Parameters:
  ///   - keepsSession: Whether the session stays this worker's; not so behind a transaction pooler.
  ///   - session: The worker's own; its advisory lock tells the reaper of a crash at once.
  /// - Source: `worker_register.sql`, `worker_session_lock.sql`.
  package func registerWorker(
    _ birth: WorkerBirth, lease: Duration, keepsSession: Bool = true, on session: some PostgresSession
  ) async throws -> Int64 {
    let rows = try await session.query(
      Statement.workerRegister,
      [
        .int(birth.release), .text(birth.host), .int(Int64(birth.pid)), .text(birth.engine), .int(Int64(birth.slots)),
        .double(lease.inSeconds), .bool(keepsSession), .bool(birth.servesOneRun),
        .int(Int64(birth.schemaNumber)), .optional(birth.launch),
      ])
    let worker = try rows.only.int("worker_id")
    if keepsSession { _ = try await takeSessionLock(worker: worker, on: session) }
    return worker
  }

  /// Tries to take a worker's session lock. After its session was lost the server may hold the old one's for a while.
  package func takeSessionLock(worker: Int64, on session: some PostgresSession) async throws -> Bool {
    try await session.query(Statement.workerSessionLock, [.int(worker)]).only.bool("taken")
  }

  /// What the database answered to a beat.
  package enum BeatAnswer: Sendable, Equatable {
    /// The lease is renewed.
    case accepted(isAskedToDrain: Bool)
    /// The worker's jobs belong to others.
    case revoked

    package var isAccepted: Bool { self != .revoked }
  }

  /// Renews a worker's lease.
  ///
  /// - Source: `worker_beat.sql`.
  package func beat(
    worker: Int64, lease: Duration, draining: Bool, hasSessionLock: Bool = true, on session: some PostgresSession
  ) async throws -> BeatAnswer {
    let rows = try await session.query(
      Statement.workerBeat.within(lease),
      [.int(worker), .double(lease.inSeconds), .bool(draining), .bool(hasSessionLock)])
    guard let row = rows.first else { return .revoked }
    return .accepted(isAskedToDrain: try row.bool("drain_asked"))
  }

  /// Refuses a schema that a newer engine has changed in a way this one cannot live with.
  ///
  /// - Throws: ``SchemaError``.
  package func verifySchema(on session: some PostgresSession) async throws { try await Migrator().verify(session) }

  /// The leases that the database says a worker holds.
  package func leases(ofWorker worker: Int64, on session: some PostgresSession) async throws -> Set<LeaseHolder> {
    Set(
      try await session.query(Statement.leaseOfWorker, [.int(worker)]).map {
        LeaseHolder(jobID: JobID(try $0.int("job_id")), epoch: try $0.int("epoch"))
      })
  }

  /// Says goodbye.
  package func workerLeaves(_ worker: Int64) async throws {
    try await database.query(Statement.workerLeave, [.int(worker)])
  }

  /// Writes how far running attempts are. Harmless when lost.
  package func writeProgress(
    _ states: [(holder: LeaseHolder, json: String)], in session: (any PostgresSession)? = nil
  ) async throws {
    guard !states.isEmpty else { return }
    try await (session ?? database).query(
      Statement.progressWrite,
      [
        .ints(states.map(\.holder.jobID.rawValue)), .ints(states.map(\.holder.epoch)), .texts(states.map(\.json)),
      ])
  }

  package func log(_ holder: LeaseHolder, level: String, message: String) async throws {
    try await database.query(
      Statement.jobLogWrite, [.int(holder.jobID.rawValue), .int(holder.epoch), .text(level), .text(storable(message))])
  }
}

extension JobStore {
  /// A worker without its session lock, and the database's time when that was seen.
  package struct Suspect: Sendable, Equatable {
    package var worker: Int64
    package var seenAt: String
  }

  /// Workers whose session is gone; each may still beat on another connection.
  package func suspects(on session: some PostgresSession) async throws -> [Suspect] {
    try await session.query(Statement.beatSuspects, []).map {
      Suspect(worker: try $0.int("worker_id"), seenAt: try $0.string("seen_at"))
    }
  }

  /// Revokes a suspect that has not beaten since it was seen. Returns whether it was revoked.
  package func revoke(_ suspect: Suspect, on session: some PostgresSession) async throws -> Bool {
    try await session.query(Statement.beatRevoke, [.int(suspect.worker), .text(suspect.seenAt)]).count == 1
  }

  /// Revokes workers whose lease has run out.
  package func expireBeats(on session: some PostgresSession, now: String? = nil) async throws -> [Int64] {
    try await session.query(Statement.beatExpire, [.optional(now)]).map { try $0.int("worker_id") }
  }

  /// Takes back up to `limit` leases of revoked workers. Returns the jobs with their lanes, and whether each ended dead.
  package func reapLeases(
    limit: Int = 1000, on session: some PostgresSession, now: String? = nil
  ) async throws -> [(job: JobID, lane: Int64, isDead: Bool)] {
    try await session.query(Statement.leaseReap, [.int(Int64(limit)), .optional(now)]).map {
      (JobID(try $0.int("job_id")), try $0.int("lane_id"), try $0.bool("is_dead"))
    }
  }

  /// Moves up to `limit` jobs whose time has come to ready. Returns how many in which lanes, to be told to the ``LaneBell``.
  package func promoteDue(
    limit: Int = 1000, on session: some PostgresSession, now: String? = nil
  ) async throws -> [Int64: Int] {
    let rows = try await session.query(Statement.jobPromoteDue, [.int(Int64(limit)), .optional(now)])
    return Dictionary(uniqueKeysWithValues: try rows.map { (try $0.int("lane_id"), Int(try $0.int("jobs"))) })
  }

  /// Tells other processes that lanes have ready work.
  ///
  /// - Source: `bell_notify.sql`.
  package func notify(lanes: [Int64], on session: some PostgresSession) async throws {
    // A notification has less than 8,000 bytes.
    for start in stride(from: 0, to: lanes.count, by: 350) {
      let text = lanes[start..<min(start + 350, lanes.count)].map { String($0) }.joined(separator: ",")
      try await session.query(Statement.bellNotify, [.text(text)])
    }
  }

  /// Sends a text to whoever listens for lanes; one that hears its own knows that its connection works.
  package func probe(_ text: String) async throws { try await database.query(Statement.bellNotify, [.text(text)]) }
}
