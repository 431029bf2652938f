import JobModel
import JobStore
import Logging
import Postgres

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
  /// As the last beat found it.
  private(set) var isAskedToDrain = false

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
      servesOneRun: settings.servesOneRun)
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

  /// One beat, on a new session when the old one is gone. The beat goes first: it is what keeps the jobs.
  func beat(draining: Bool) async throws -> Bool {
    let session: PostgresConnection
    if let connection {
      session = connection
    } else {
      session = try await PostgresConnection.connect(database)
      connection = session
    }
    let accepted = try await store.beat(
      worker: worker, lease: settings.timing.lease, draining: draining, hasSessionLock: hasLock, on: session)
    if accepted { isAskedToDrain = try await store.isAskedToDrain(worker, on: session) }
    if accepted, !hasLock, !database.isPooled { hasLock = try await store.takeSessionLock(worker: worker, on: session) }
    return accepted
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
  /// - Returns: What is unknown now.
  func giveBackUnknown(_ running: RunningAttempts, suspected: Unknown) async throws -> Unknown {
    guard let connection else { return suspected }
    let starts = running.starts
    let leases = try await store.leases(ofWorker: worker, on: connection)
    startsWithoutLease = leases.isEmpty ? starts : nil
    let now = Unknown(holders: running.unknown(among: leases), turns: running.turns)
    let suspects = now.holders.intersection(suspected.holders)
    guard !suspects.isEmpty else { return now }
    // The claim may still be on its way.
    guard suspected.turns.isMultiple(of: 2) || now.turns > suspected.turns else { return suspected }
    for holder in suspects { try await store.endAttempt(holder, as: .interrupted(after: .zero), on: connection) }
    return Unknown(holders: now.holders.subtracting(suspects), turns: now.turns)
  }

  /// - Throws: ``SchemaError`` when a newer engine has changed the schema in a way that this one cannot live with.
  func verifySchema() async throws {
    if let connection { try await store.verifySchema(on: connection) }
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
