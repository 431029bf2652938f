import JobStore
import Logging
import Postgres
import ServiceLifecycle

/// Tells other processes of lanes where jobs became ready, by NOTIFY.
///
/// NOTIFY takes a lock of the whole server at commit. So it goes out after the commit that it tells of, on a connection of
/// its own that does not wait for the disk, and for each lane at most once in ``rest``.
package struct LaneNotifier: Service {
  /// What is rung for a lane within this time of its last notification goes out when the time is over.
  static let rest = Duration.milliseconds(5)
  /// Of one notification; PostgreSQL's limit of 8,000 bytes is far above it.
  static let maximumLanes = 300

  private let bell: LaneBell
  private let store: JobStore
  private let settings: PostgresSettings
  private let logger: Logger
  private let clock = ContinuousClock()

  package init(_ bell: LaneBell, store: JobStore, database: PostgresSettings, logger: Logger) {
    self.bell = bell
    self.store = store
    settings = database
    self.logger = logger
  }

  /// Sends what is rung, until cancelled or shut down.
  package func run() async throws {
    do { try await cancelWhenGracefulShutdown { try await keepServing() } } catch is CancellationError {}
  }

  private func keepServing() async throws {
    while !Task.isCancelled {
      do { try await serve() } catch let error as PostgresError where error.isTransient {
        logger.debug("notifications lost their connection; trying again", metadata: ["error": "\(error)"])
        try await clock.sleep(for: .seconds(1))
      }
    }
  }

  private func serve() async throws {
    var session: PostgresConnection?
    do {
      var lastSent: [Int64: ContinuousClock.Instant] = [:]
      while true {
        await bell.rung.wait()
        try Task.checkCancellation()
        while case let pending = bell.pending, !pending.isEmpty {
          let now = clock.now
          lastSent = lastSent.filter { $0.value.duration(to: now) < Self.rest }
          let due = Array(pending.filter { lastSent[$0] == nil }.prefix(Self.maximumLanes))
          guard !due.isEmpty else {
            try await clock.sleep(for: Self.rest)
            continue
          }
          let connection: PostgresConnection
          if let session { connection = session } else { connection = try await connect() }
          session = connection
          bell.take(due)
          try await store.notify(lanes: due, on: connection)
          for lane in due { lastSent[lane] = now }
        }
      }
    } catch {
      await session?.close()
      throw error
    }
  }

  /// A notification that a crash of the server loses is made good by the poll.
  private func connect() async throws -> PostgresConnection {
    let connection = try await PostgresConnection.connect(settings)
    try await connection.execute("set synchronous_commit = off")
    return connection
  }
}
