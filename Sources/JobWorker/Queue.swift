import JobModel
import JobStore
import Logging
import Migrations
import Postgres
import ServiceLifecycle

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
  ///   the schema in a way that this one cannot live with, `migration_refused` when this one would change it so while
  ///   workers of an older one live.
  public static func open(
    _ url: String, applicationName: String = "sluice", connections: Int = 8, pollOnly: Bool = false,
    migrating: Bool = true, logger: Logger = Logger(label: "sluice.queue")
  ) async throws -> Queue {
    let settings = try PostgresSettings(
      url, applicationName: applicationName,
      // A process that hangs inside a transaction must not keep the reaper from its lease.
      // Compiling a statement takes longer than most of them run.
      options: ["idle_in_transaction_session_timeout": "10s", "jit": "off"], isPooled: pollOnly)
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

  /// Puts jobs into the queue when the caller's transaction commits: one of ``database``, or the one in which a handler
  /// writes its results. Idle workers of every process are told then. In one statement go those that differ in payload and
  /// unique key alone.
  ///
  /// When a transaction throws ``PostgresError`` `.commitUnknown`, it may or may not have happened: with a unique key it
  /// can be tried again.
  @discardableResult
  public func enqueue(_ jobs: [NewJob], in transaction: PostgresTransaction) async throws -> [EnqueuedJob] {
    try await store.enqueue(jobs, in: transaction)
  }

  @discardableResult
  public func enqueue(_ job: NewJob, in transaction: PostgresTransaction) async throws -> EnqueuedJob {
    guard let enqueued = try await store.enqueue([job], in: transaction).first else {
      preconditionFailure("every job that is enqueued is returned")
    }
    return enqueued
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
