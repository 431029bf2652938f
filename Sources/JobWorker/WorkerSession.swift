import JobModel
import JobStore
import Logging
import Postgres

/// A worker's identity and the session whose advisory lock proves that its process lives.
actor WorkerSession {
  nonisolated let worker: Int64
  private let settings: WorkerSettings
  private let database: PostgresSettings
  private let store: JobStore
  private var connection: PostgresConnection?

  private init(
    worker: Int64, settings: WorkerSettings, database: PostgresSettings, store: JobStore,
    connection: PostgresConnection
  ) {
    self.worker = worker
    self.settings = settings
    self.database = database
    self.store = store
    self.connection = connection
  }

  static func open(
    _ settings: WorkerSettings, database: PostgresSettings, store: JobStore, logger: Logger
  ) async throws -> WorkerSession {
    let connection = try await PostgresConnection.connect(database)
    let birth = JobStore.WorkerBirth(
      release: settings.release, host: settings.host, pid: settings.pid, engine: settings.engine, slots: settings.slots)
    let worker = try await store.registerWorker(birth, lease: settings.timing.lease, on: connection)
    return WorkerSession(
      worker: worker, settings: settings, database: database, store: store, connection: connection)
  }

  var isConnected: Bool { connection != nil }

  /// One beat, on a new session when the old one is gone. The beat goes first: it is what keeps the jobs.
  func beat(draining: Bool) async throws -> Bool {
    let isNew = connection == nil
    let session: PostgresConnection
    if let connection {
      session = connection
    } else {
      session = try await PostgresConnection.connect(database)
      connection = session
    }
    let accepted = try await store.beat(
      worker: worker, lease: settings.timing.lease, draining: draining, on: session)
    if accepted, isNew { try await store.takeSessionLock(worker: worker, on: session) }
    return accepted
  }

  /// - Throws: ``SchemaError`` when a newer engine has changed the schema in a way that this one cannot live with.
  func verifySchema() async throws {
    if let connection { try await store.verifySchema(on: connection) }
  }

  func discardConnection() async {
    let broken = connection
    connection = nil
    await broken?.close()
  }

  func close() async { await discardConnection() }
}
