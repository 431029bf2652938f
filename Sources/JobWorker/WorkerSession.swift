import JobModel
import JobStore
import Logging
import Postgres
import Synchronization

/// A worker's identity and the session whose advisory lock proves that its process lives.
actor WorkerSession {
  /// How long a worker without a database tries to give its jobs back.
  static let farewellPatience = Duration.seconds(60)
  /// The same for one that has nothing to give back: without a goodbye its registration ends with its lease.
  static let emptyHandedPatience = Duration.seconds(5)
  /// How long one try may take: a server that hangs answers nothing, and a later try may find it well.
  static let farewellLimit = Duration.seconds(10)

  nonisolated let worker: Int64
  private let settings: WorkerSettings
  private let database: PostgresSettings
  private let store: JobStore
  private var connection: PostgresConnection?
  private var hasLock: Bool
  /// ``RunningAttempts/starts`` when the database last knew no lease of this worker.
  private var startsWithoutLease: Int?
  /// The session of the look that is under way, and when it is to end.
  private nonisolated let looking = Mutex<(PostgresConnection, ContinuousClock.Instant)?>(nil)

  private init(
    worker: Int64, settings: WorkerSettings, database: PostgresSettings, store: JobStore,
    connection: PostgresConnection
  ) {
    self.worker = worker
    self.settings = settings
    self.database = database
    self.store = store
    self.connection = connection
    hasLock = !database.isPooled
  }

  static func open(
    _ settings: WorkerSettings, database: PostgresSettings, store: JobStore, logger: Logger
  ) async throws -> WorkerSession {
    let connection = try await PostgresConnection.connect(database)
    let birth = JobStore.WorkerBirth(
      release: settings.release, host: settings.host, pid: settings.pid, engine: settings.engine, slots: settings.slots,
      servesOneRun: settings.servesOneRun, launch: settings.launch)
    let worker = try await store.registerWorker(
      birth, lease: settings.timing.lease, keepsSession: !database.isPooled, on: connection)
    return WorkerSession(
      worker: worker, settings: settings, database: database, store: store, connection: connection)
  }

  /// Whether the session is there and its server has not hung up.
  var isAlive: Bool {
    get async {
      guard let connection else { return false }
      return await connection.isIdle
    }
  }

  /// One beat, on a new session when the old one is gone.
  ///
  /// - Returns: When it was sent, and its answer. Nothing else is asked of the database before the caller has it.
  func beat(draining: Bool) async throws -> (sentAt: ContinuousClock.Instant, answer: JobStore.BeatAnswer) {
    let session: PostgresConnection
    if let connection {
      session = connection
    } else {
      session = try await PostgresConnection.connect(database)
      connection = session
    }
    let sentAt = ContinuousClock.now
    let answer = try await store.beat(
      worker: worker, lease: settings.timing.lease, draining: draining, hasSessionLock: hasLock, on: session)
    return (sentAt, answer)
  }

  /// What follows an accepted beat: takes the session lock if it is missing, verifies the schema, gives back unknown leases.
  ///
  /// - Parameter end: When the next beat is due. A statement that runs then is cancelled by ``endLook(at:)``: what waits for a lock
  ///   or for a slow disk must not keep the next beat from being sent.
  /// - Returns: The leases that are unknown now.
  func look(
    _ running: RunningAttempts, suspected: Unknown, until end: ContinuousClock.Instant
  ) async throws -> Unknown {
    guard let connection else { return suspected }
    looking.withLock { $0 = (connection, end) }
    defer { looking.withLock { $0 = nil } }
    if !hasLock, !database.isPooled { hasLock = try await store.takeSessionLock(worker: worker, on: connection) }
    try await store.verifySchema(on: connection)
    return try await giveBackUnknown(running, suspected: suspected, until: end)
  }

  /// Cancels the statement of a look whose time is over.
  nonisolated func endLook(at now: ContinuousClock.Instant) {
    looking.withLock { looking in
      guard let (connection, end) = looking, now >= end else { return }
      connection.cancel()
    }
  }

  /// Leases that this process did not know at a beat.
  struct Unknown {
    var holders: Set<LeaseHolder> = []
    /// ``RunningAttempts/turns`` at that time.
    var turns = 0
  }

  /// Gives back leases that this process does not know: of a claim whose answer was lost, or of an attempt whose end could
  /// not be written. Only what was unknown at an earlier beat already, and once the claim that was on its way then has ended.
  ///
  /// On the worker's own session, because the handlers may hold every connection of the pool.
  ///
  /// - Parameter end: What is not given back by then follows after the next beat; nil: all of it now.
  /// - Returns: What is unknown now.
  func giveBackUnknown(
    _ running: RunningAttempts, suspected: Unknown, until end: ContinuousClock.Instant? = nil
  ) async throws -> Unknown {
    guard let connection else { return suspected }
    let starts = running.starts
    let leases = try await store.leases(ofWorker: worker, on: connection)
    startsWithoutLease = leases.isEmpty ? starts : nil
    let now = Unknown(holders: running.unknown(among: leases), turns: running.turns)
    let suspects = now.holders.intersection(suspected.holders)
    guard !suspects.isEmpty else { return now }
    // The claim may still be on its way.
    guard suspected.turns.isMultiple(of: 2) || now.turns > suspected.turns else { return suspected }
    var left = now.holders
    for holder in suspects {
      // Some each time, however slow the disk is.
      if let end, left.count < now.holders.count, ContinuousClock.now >= end { break }
      try await store.endAttempt(holder, as: .interrupted(after: .zero), on: connection)
      left.remove(holder)
    }
    return Unknown(holders: left, turns: now.turns)
  }

  func discardConnection() async {
    let broken = connection
    connection = nil
    hasLock = false
    await broken?.close()
  }

  /// Gives back what is still held and says goodbye, also in a task that was cancelled.
  ///
  /// Where the database does not answer it is asked again for a while: attempts that an outage ended are not charged, and the
  /// reaper gives everyone a lease's time after one.
  ///
  /// - Parameters:
  ///   - running: What was in hand. Where the database knew no lease and no attempt has started since, the worker ends soon.
  ///   - limit: Of one try.
  ///   - patience: Of all of them.
  func leave(
    _ running: RunningAttempts? = nil, logger: Logger, limit: Duration = farewellLimit,
    patience: Duration = farewellPatience
  ) async {
    let store = self.store
    let worker = self.worker
    let clock = ContinuousClock()
    let isEmptyHanded = running.map { $0.starts == startsWithoutLease } ?? false
    let most = isEmptyHanded ? Self.emptyHandedPatience : max(limit, patience)
    let (limit, patience) = (min(limit, most), min(patience, most))
    let giveUpAt = clock.now + patience
    while true {
      let farewell = Task {
        for holder in try await store.leases(ofWorker: worker, on: store.database) {
          try await store.endAttempt(holder, as: .interrupted(after: .zero))
        }
        try await store.workerLeaves(worker)
      }
      let timer = Task {
        try await clock.sleep(for: limit)
        farewell.cancel()
      }
      do {
        defer { timer.cancel() }
        try await farewell.value
        break
      } catch is CancellationError where clock.now < giveUpAt {
        logger.info("the database does not answer the worker's goodbye; trying again")
      } catch let error as PostgresError where error.isTransient && clock.now < giveUpAt {
        logger.info("the worker cannot say goodbye yet", metadata: ["error": "\(error)"])
      } catch {
        logger.warning("the worker could not say goodbye; the reaper finds out", metadata: ["error": "\(error)"])
        break
      }
      let pause = Task { try await clock.sleep(for: .milliseconds(500)) }
      _ = await pause.result
    }
    await discardConnection()
  }
}
