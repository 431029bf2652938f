import JobModel
import JobStore
import Logging
import Migrations
import Postgres
import ServiceLifecycle
import Synchronization

/// The queue as a service embeds it: opened once, then used to enqueue, to work and to look.
///
/// ```swift
/// let queue = try await Queue.open("postgresql://app@db/shop", logger: logger)
/// try await queue.enqueue(NewJob(kind: "mail.send", payload: Letter(to: "ada")))
/// let group = ServiceGroup(
///   services: queue.services(handling: ["mail.send": SendMail()]), gracefulShutdownSignals: [.sigterm], logger: logger)
/// try await group.run()
/// await queue.close()
/// ```
///
/// The tables are in the schema `sluice` of the service's own database, so that a job is enqueued, and its results are
/// written, in the same transaction as the service's own rows.
public struct Queue: Sendable {
  /// To look at jobs, to cancel them, and to take dead ones up again.
  public let store: JobStore
  /// The connections that the queue uses; the service's own statements may use them too.
  public let database: PostgresPool
  private let settings: PostgresSettings
  private let logger: Logger

  /// Connects, and brings the schema `sluice` up to date; any number of processes may do so at once.
  ///
  /// - Parameters:
  ///   - url: `postgresql://USER@HOST:PORT/DATABASE`, or keywords and values, as libpq reads them.
  ///   - applicationName: Shown in `pg_stat_activity`.
  ///   - connections: At most so many at once for enqueuing and for results. A worker needs four more of its own, and
  ///     each process that maintains the queue one.
  ///   - pollOnly: Behind a transaction pooler such as PgBouncer: nothing is kept in a session.
  ///   - migrating: False for a role that may not change the schema: then the schema is only checked.
  /// - Throws: ``PostgresError`` `.unreachable` or `.usage`; a ``Failure`` `schema_too_new` when a newer library has changed
  ///   the schema in a way that this one cannot live with.
  public static func open(
    _ url: String, applicationName: String = "sluice", connections: Int = 8, pollOnly: Bool = false,
    migrating: Bool = true, logger: Logger = Logger(label: "sluice.queue")
  ) async throws -> Queue {
    let settings = try PostgresSettings(
      url, applicationName: applicationName,
      // A process that hangs inside a transaction must not keep the reaper from its lease.
      options: ["idle_in_transaction_session_timeout": "10s"], isPooled: pollOnly)
    let database = PostgresPool(settings, maximum: connections)
    do {
      try await database.withConnection { connection in
        if migrating { _ = try await Migrator().migrate(connection) } else { try await Migrator().verify(connection) }
      }
    } catch {
      await database.close()
      throw error
    }
    return Queue(
      store: JobStore(database: database, bell: LaneBell()), database: database, settings: settings, logger: logger)
  }

  /// Closes the connections. The services must have ended.
  public func close() async { await database.close() }

  /// Puts one job into the queue, in a transaction of its own.
  ///
  /// - Returns: Its number; with a unique key that a living job has already, that job's, with `isNew` false.
  /// - Throws: ``PostgresError``: of kind `.statement` for a payload that is no JSON.
  @discardableResult
  public func enqueue(_ job: NewJob) async throws -> EnqueuedJob {
    guard let enqueued = try await store.enqueue([job]).first else {
      preconditionFailure("every job that is enqueued is returned")
    }
    return enqueued
  }

  /// Runs `body` in a transaction in which it writes what it likes and enqueues what follows from that: all of it is
  /// committed when it returns, none when it throws. Idle workers of every process are told after the commit.
  ///
  /// - Throws: What `body` throws; ``PostgresError`` `.commitUnknown` when the connection was lost before the answer to
  ///   COMMIT: it may or may not have happened, so try again with a unique key.
  public func transaction<T: Sendable>(
    isolation: isolated (any Actor)? = #isolation, _ body: (QueueTransaction) async throws -> T
  ) async throws -> T {
    let lanes = LaneList()
    let result = try await database.transaction {
      try await body(QueueTransaction(base: $0, store: store, lanes: lanes))
    }
    store.bell?.ring(lanes.all)
    return result
  }

  /// What a process runs to do jobs: a worker, and the maintenance of the queue, of which one of all processes acts.
  ///
  /// For a `ServiceGroup`, whose graceful shutdown drains the worker: every handler stops at its next checkpoint and the
  /// jobs go back uncharged. A worker that could not renew its lease ends with ``WorkerRevoked``; the group then ends, and
  /// the process is to be started again.
  ///
  /// - Parameters:
  ///   - handlers: By job kind. Jobs of other kinds are left to other workers.
  ///   - worker: Jobs at once, and the clocks of its lease.
  ///   - retention: How long the history of ended jobs is kept.
  public func services(
    handling handlers: [String: any JobHandler], worker: WorkerSettings = WorkerSettings(slots: 4),
    retention: Duration = QueueMaintenance.standardRetention
  ) -> [any Service] {
    [
      QueueMaintenance(
        store: store, database: settings, timing: worker.timing, retention: retention, logger: logger),
      Worker(settings: worker, database: settings, store: store, handlers: handlers, logger: logger),
    ]
  }
}

/// A transaction of a service's own database that also enqueues; valid inside the body that it was given to.
public struct QueueTransaction: PostgresSession {
  fileprivate let base: PostgresTransaction
  fileprivate let store: JobStore
  fileprivate let lanes: LaneList

  /// Puts a job into the queue when the transaction commits.
  @discardableResult
  public func enqueue(_ job: NewJob) async throws -> EnqueuedJob {
    guard let enqueued = try await enqueue([job]).first else {
      preconditionFailure("every job that is enqueued is returned")
    }
    return enqueued
  }

  /// Puts jobs into the queue when the transaction commits; in one statement those that differ in payload and unique key
  /// alone.
  @discardableResult
  public func enqueue(_ jobs: [NewJob]) async throws -> [EnqueuedJob] {
    let (enqueued, lanes) = try await store.enqueue(jobs, in: base)
    self.lanes.add(lanes)
    return enqueued
  }

  @discardableResult
  public func query(_ statement: SQLStatement, _ values: [PostgresValue]) async throws -> PostgresResult {
    try await base.query(statement, values)
  }

  public func execute(_ script: String) async throws { try await base.execute(script) }

  public func pipeline(_ steps: [(SQLStatement, [PostgresValue])]) async throws -> [PostgresResult] {
    try await base.pipeline(steps)
  }

  public func copyIn<Chunks: AsyncSequence & Sendable>(_ sql: String, from chunks: Chunks) async throws -> Int
  where Chunks.Element == [UInt8] {
    try await base.copyIn(sql, from: chunks)
  }

  public func copyOut(_ sql: String, _ consume: @Sendable ([UInt8]) async throws -> Void) async throws -> Int {
    try await base.copyOut(sql, consume)
  }
}

/// The lanes that a transaction enqueued into, to be told of after its commit.
private final class LaneList: Sendable {
  private let lanes = Mutex<Set<Int64>>([])

  func add(_ more: Set<Int64>) { lanes.withLock { $0.formUnion(more) } }
  var all: Set<Int64> { lanes.withLock { $0 } }
}
