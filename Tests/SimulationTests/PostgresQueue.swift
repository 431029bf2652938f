import JobModel
import JobStore
import Postgres
import Simulation
import TestSupport

/// The real store on a real PostgreSQL, whose clock is turned by the test: `now()` and `clock_timestamp()` are found in a
/// schema of the test's own before those of the server.
struct PostgresQueue: QueueStore {
  private let pool: PostgresPool
  private let store: JobStore
  private let release: Int64
  private let settings: PostgresSettings
  private var sessions: [Int: PostgresConnection] = [:]
  /// The database's number of each job; the suite counts from 1.
  private var numbers: [Int64] = []
  private var seen: [Suspicion: JobStore.Suspect] = [:]

  private static let clock = """
    create schema simulated;
    create table simulated.clock (at timestamptz not null);
    insert into simulated.clock values (timestamptz '2026-01-01 00:00:00+00');
    create function simulated.now() returns timestamptz language sql stable as 'select at from simulated.clock';
    create function simulated.clock_timestamp() returns timestamptz language sql stable as 'select at from simulated.clock';
    """

  static func with<T: Sendable>(_ body: @Sendable (inout PostgresQueue) async throws -> T) async throws -> T {
    try await TestDatabase.withDatabase { database in
      try await database.pool.execute(clock)
      let settings = try PostgresSettings(database.url, options: ["search_path": "simulated,pg_catalog"])
      let pool = PostgresPool(settings, maximum: 4)
      let store = JobStore(database: pool)
      let release = try await store.registerRelease(contentHash: "h", files: [], label: nil, engine: "test")
      var queue = PostgresQueue(pool: pool, store: store, release: release, settings: settings)
      let result: Result<T, any Error>
      do { result = .success(try await body(&queue)) } catch { result = .failure(error) }
      for session in queue.sessions.values { await session.close() }
      await pool.close()
      return try result.get()
    }
  }

  private init(pool: PostgresPool, store: JobStore, release: Int64, settings: PostgresSettings) {
    self.pool = pool
    self.store = store
    self.release = release
    self.settings = settings
  }

  private func number(_ job: JobID) -> JobID {
    let index = Int(job.rawValue) - 1
    return numbers.indices.contains(index) ? JobID(numbers[index]) : JobID(-1)
  }

  private func given(_ job: JobID) -> JobID {
    JobID(Int64((numbers.firstIndex(of: job.rawValue) ?? -2) + 1))
  }

  private func number(_ holder: LeaseHolder) -> LeaseHolder {
    LeaseHolder(jobID: number(holder.jobID), epoch: holder.epoch)
  }

  private func given(_ holder: LeaseHolder) -> LeaseHolder {
    LeaseHolder(jobID: given(holder.jobID), epoch: holder.epoch)
  }

  func turnClock(to time: SimulatedInstant) async throws {
    try await pool.query(
      "update simulated.clock set at = timestamptz '2026-01-01 00:00:00+00' + $1::bigint * interval '1 millisecond'",
      [.int(time.milliseconds)])
  }

  /// Empties the queue and sets the clock back; numbers go on.
  mutating func clear() async throws {
    numbers = []
    try await pool.execute(
      """
      truncate sluice.job, sluice.ready, sluice.lease, sluice.later, sluice.edge, sluice.blocked, sluice.dead, sluice.outcome,
        sluice.mark, sluice.live_key, sluice.worker, sluice.beat, sluice.suspect
      """)
    try await turnClock(to: SimulatedInstant(milliseconds: 0))
  }

  // MARK: Jobs

  mutating func enqueue(_ batch: JobBatch) async throws -> [JobID?] {
    if batch.isLoose {
      let jobs = batch.orders.map {
        NewJob(
          kind: "loose", pipeline: batch.pipeline, uniqueKey: $0.uniqueKey, urgencyClass: batch.urgencyClass,
          maximumAttempts: $0.maximumAttempts, timeLimit: $0.timeLimit)
      }
      var written: [JobID?] = []
      for job in try await store.enqueue(jobs) {
        if job.isNew { numbers.append(job.id.rawValue) }
        written.append(job.isNew ? given(job.id) : nil)
      }
      return written
    }
    let jobs = batch.orders.map {
      RunPlan.Job(
        kind: "test", stage: "run", label: "test", payload: "{}", after: $0.after, maximumAttempts: $0.maximumAttempts)
    }
    let plan = RunPlan(pipeline: batch.pipeline, urgencyClass: batch.urgencyClass, jobs: jobs, loads: [])
    let run = try await store.enqueue(plan, release: release)
    let ids = try await pool.query(
      "select job_id from sluice.job where run_id = $1 order by job_id", [.int(run.runID.rawValue)]
    ).map { try $0.int("job_id") }
    for (id, order) in zip(ids, batch.orders) {
      numbers.append(id)
      guard let limit = order.timeLimit else { continue }
      // A plan's jobs have none of their own yet.
      try await pool.query(
        "update sluice.job set time_limit = $2::bigint * interval '1 millisecond' where job_id = $1",
        [.int(id), .int(limit.inMilliseconds)])
    }
    return ids.map { given(JobID($0)) }
  }

  func retry(_ job: JobID) async throws -> Bool { try await store.retry(job: number(job)) }

  private func run(of job: JobID) async throws -> RunID? {
    let row = try await pool.query("select run_id from sluice.job where job_id = $1", [.int(number(job).rawValue)])
      .first
    return try row?.optionalInt("run_id").map { RunID($0) }
  }

  func retryRun(of job: JobID) async throws -> Int {
    guard let run = try await run(of: job) else { return 0 }
    return try await store.retry(run: run)
  }

  func cancel(_ job: JobID) async throws -> Set<JobID> {
    let cancellation =
      if let run = try await run(of: job) {
        try await store.cancel(run: run)
      } else {
        try await store.cancel(job: number(job))
      }
    return Set(cancellation.ended.union(cancellation.stopping).map { given($0) })
  }

  func promoteDue(limit: Int) async throws -> Int {
    try await store.promoteDue(limit: limit, on: pool).values.reduce(0, +)
  }

  // MARK: Workers

  private mutating func session(_ session: Int) async throws -> PostgresConnection {
    if let open = sessions[session] { return open }
    let connection = try await PostgresConnection.connect(settings)
    sessions[session] = connection
    return connection
  }

  mutating func register(lease: Duration, session: Int, slots: Int) async throws -> Int64 {
    try await store.registerWorker(
      JobStore.WorkerBirth(release: 0, host: "h", pid: 1, engine: "test", slots: slots), lease: lease,
      on: try await self.session(session))
  }

  mutating func takeSessionLock(worker: Int64, session: Int) async throws -> Bool {
    try await store.takeSessionLock(worker: worker, on: try await self.session(session))
  }

  /// Returns once the server has noticed.
  mutating func endSession(_ session: Int) async throws {
    guard let connection = sessions.removeValue(forKey: session) else { return }
    let backend = try await connection.query("select pg_backend_pid() as pid", []).only.int("pid")
    await connection.close()
    let pool = pool
    try await eventually("the server ends the session") {
      try await pool.query("select from pg_stat_activity where pid = $1::integer", [.int(backend)]).isEmpty
    }
  }

  func beat(worker: Int64, lease: Duration, draining: Bool, hasSessionLock: Bool) async throws -> Bool {
    try await store.beat(
      worker: worker, lease: lease, draining: draining, hasSessionLock: hasSessionLock, on: pool
    ).isAccepted
  }

  func leave(worker: Int64) async throws { try await store.workerLeaves(worker) }

  mutating func suspects() async throws -> [Suspicion] {
    var suspicions: [Suspicion] = []
    for suspect in try await store.suspects(on: pool) {
      let time = try await pool.query(Self.instant, [.text(suspect.seenAt)])
      let suspicion = Suspicion(
        worker: suspect.worker, seenAt: SimulatedInstant(milliseconds: try time.only.int("ms")))
      seen[suspicion] = suspect
      suspicions.append(suspicion)
    }
    return suspicions
  }

  func revoke(_ suspicion: Suspicion) async throws -> Bool {
    guard let suspect = seen[suspicion] else { throw TestSupportError("nobody has suspected \(suspicion)") }
    return try await store.revoke(suspect, on: pool)
  }

  func expireBeats() async throws -> [Int64] { try await store.expireBeats(on: pool) }

  func reap(limit: Int) async throws -> [ReapedJob] {
    try await store.reapLeases(limit: limit, on: pool).map { ReapedJob(job: given($0.job), isDead: $0.isDead) }
  }

  // MARK: Leases

  func claim(worker: Int64, limit: Int) async throws -> [LeaseHolder] {
    try await store.claim(worker: worker, limit: limit).map { given($0.holder) }
  }

  func complete(_ holders: [LeaseHolder]) async throws -> Set<JobID> {
    let holders = holders.map { number($0) }
    let ended = try await pool.transaction { try await store.complete(holders, in: $0) }
    return Set(ended.ended.map { given($0) })
  }

  func finish(_ holders: [LeaseHolder]) async throws -> Set<JobID> {
    let lost = try await store.finish(holders.map { FinishedJob(number($0)) }, in: pool)
    return Set(holders.map(\.jobID).filter { lost.contains(number($0)) })
  }

  func endAttempt(_ holder: LeaseHolder, as end: JobStore.AttemptEnd) async throws -> Bool {
    try await store.endAttempt(number(holder), as: end)
  }

  func checkpoint(_ holder: LeaseHolder, state: Int) async throws -> Bool {
    let mark = JobMark(format: CheckpointFormat("test", 1), state: "\(state)")
    do {
      try await store.checkpoint(number(holder), mark, in: pool)
      return true
    } catch is LeaseLost { return false }
  }

  mutating func split(_ holder: LeaseHolder, state: Int, parts: Int) async throws -> [JobID] {
    guard let run = try await run(of: holder.jobID) else { return [] }
    let format = CheckpointFormat("test", 1)
    let new = (0..<parts).map { _ in JobPart(state: "\(state)", label: "test") }
    let holder = number(holder)
    do {
      try await pool.transaction { transaction in
        _ = try await store.split(holder, of: run, format: format, into: new, in: transaction)
        try await store.checkpoint(holder, JobMark(format: format, state: "\(state)"), in: transaction)
      }
    } catch is LeaseLost { return [] } catch is JobYield { return [] }
    let ids = try await pool.query(
      "select job_id from sluice.job where run_id = $1 order by job_id desc limit $2::integer",
      [.int(run.rawValue), .int(Int64(parts))]
    ).map { try $0.int("job_id") }
    numbers += ids.reversed()
    return ids.reversed().map { given(JobID($0)) }
  }

  func held(_ holders: [LeaseHolder]) async throws -> Set<LeaseHolder> {
    Set(try await store.held(holders.map { number($0) }).map { given($0) })
  }

  func leases(ofWorker worker: Int64) async throws -> Set<LeaseHolder> {
    Set(try await store.leases(ofWorker: worker, on: pool).map { given($0) })
  }

  func cancelledLeases(ofWorker worker: Int64) async throws -> Set<LeaseHolder> {
    Set(try await store.cancelledLeases(ofWorker: worker).map { given($0) })
  }
}

extension PostgresQueue {
  private static func milliseconds(_ time: String) -> String {
    "round(extract(epoch from \(time) - timestamptz '2026-01-01 00:00:00+00') * 1000)::bigint"
  }

  private static let instant = SQLStatement(text: "select \(milliseconds("$1::timestamptz")) as ms")

  /// Every table that says where a job stands, joined here by hand: the view of the store is among what is tested.
  private static let jobs = SQLStatement(
    text: """
      select j.job_id, s.state, coalesce(s.epoch, o.epoch, 0) as epoch, coalesce(s.attempt, o.attempt, 0) as attempt,
        l.worker_id, \(milliseconds("l.deadline_at")) as deadline, \(milliseconds("t.run_at")) as run_at, b.pending,
        m.state::text as mark, coalesce(l.cancelled, false) as cancelled
      from sluice.job j
      join sluice.job_state s on s.job_id = j.job_id
      left join sluice.lease l on l.job_id = j.job_id
      left join sluice.later t on t.job_id = j.job_id
      left join sluice.blocked b on b.job_id = j.job_id
      left join sluice.mark m on m.job_id = j.job_id and m.step = ''
      left join lateral (
        select o.epoch, o.attempt from sluice.outcome o where o.job_id = j.job_id and s.state = 'DONE'
        order by o.epoch desc limit 1) o on true
      """)

  private static let beats = SQLStatement(
    text: """
      select worker_id, \(milliseconds("beat_at")) as beat_at, \(milliseconds("expires_at")) as expires_at,
        has_session_lock, draining
      from sluice.beat
      """)

  func picture() async throws -> QueuePicture {
    let results = try await pool.pipeline([
      (Self.jobs, []), (Self.beats, []), ("select key, job_id from sluice.live_key", []),
    ])
    func instant(_ milliseconds: Int64?) -> SimulatedInstant? {
      milliseconds.map { SimulatedInstant(milliseconds: $0) }
    }
    var picture = QueuePicture(jobs: [:], beats: [:], keys: [:])
    for row in results[0] {
      guard let state = JobState(rawValue: try row.string("state")) else {
        throw TestSupportError("an unknown state: \(try row.string("state"))")
      }
      picture.jobs[given(JobID(try row.int("job_id")))] = JobPicture(
        state: state, epoch: try row.int("epoch"), attempt: Int(try row.int("attempt")),
        worker: try row.optionalInt("worker_id"), deadline: instant(try row.optionalInt("deadline")),
        runAt: instant(try row.optionalInt("run_at")), pending: try row.optionalInt("pending").map { Int($0) },
        mark: try row.optionalString("mark").flatMap { Int($0) }, isCancelRequested: try row.bool("cancelled"))
    }
    for row in results[1] {
      picture.beats[try row.int("worker_id")] = BeatPicture(
        beatAt: SimulatedInstant(milliseconds: try row.int("beat_at")),
        expiresAt: SimulatedInstant(milliseconds: try row.int("expires_at")),
        hasSessionLock: try row.bool("has_session_lock"), isDraining: try row.bool("draining"))
    }
    for row in results[2] { picture.keys[try row.string("key")] = given(JobID(try row.int("job_id"))) }
    return picture
  }
}
