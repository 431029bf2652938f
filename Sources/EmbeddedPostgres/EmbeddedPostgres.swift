import FoundationEssentials
import Glibc
import JobModel
import Logging
import Postgres

/// A PostgreSQL of the project's own: in its folder, on a private Unix socket, for as long as somebody uses it.
///
/// Every process that needs the database calls ``acquire()``. The first starts the server, the last to leave stops it.
/// A process that is killed leaves by that, and the next one finds the server still running, or starts it again. Nothing
/// but `directory` and a folder `/tmp/sluice-…` for the socket is touched, and no other server.
package struct EmbeddedPostgres: Sendable {
  private let directory: String
  private let database: String
  private let settings: [String: String]
  private let environment: [String: String]
  private let users: [ServerUser]?
  private let logger: Logger

  /// - Parameters:
  ///   - directory: Made when missing; holds the data, the log and the locks.
  ///   - database: Created with the server.
  ///   - settings: Of `postgresql.conf`; they hold from the server's next start on.
  ///   - environment: Where `SLUICE_POSTGRES_BIN` and `PATH` are looked up.
  package init(
    directory: String, database: String = "sluice", settings: [String: String] = [:],
    environment: [String: String] = ProcessInfo.processInfo.environment,
    logger: Logger = Logger(label: "embedded-postgres", factory: { _ in SwiftLogNoOpLogHandler() })
  ) {
    self.init(
      directory: directory, database: database, settings: settings, environment: environment, users: nil,
      logger: logger)
  }

  /// - Parameter users: Whom the server may run as; found out when nil.
  init(
    directory: String, database: String, settings: [String: String], environment: [String: String],
    users: [ServerUser]?, logger: Logger
  ) {
    self.directory = directory
    self.database = database
    self.settings = settings
    self.environment = environment
    self.users = users
    self.logger = logger
  }

  /// Makes sure that the server runs and that the database is there, and keeps the server running until the lease is
  /// released.
  ///
  /// - Throws: ``EmbeddedPostgresError``; `PostgresError` when the server does not let us in; `CancellationError`.
  package func acquire() async throws -> EmbeddedPostgresLease {
    for _ in 1..<Self.attempts {
      do { return try await attempt() } catch let error as PostgresError where error.isTransient {
        logger.notice("PostgreSQL went away while it was entered", metadata: ["error": "\(error)"])
      }
    }
    return try await attempt()
  }

  /// A server that is being killed may still have accepted, or be about to be recovered.
  private static let attempts = 5

  private func attempt() async throws -> EmbeddedPostgresLease {
    let patience = Patience()
    let lease = try await withTaskCancellationHandler {
      try await onThread { try start(patience) }
    } onCancel: {
      patience.end()
    }
    do { try await lease.createDatabase(database) } catch {
      // The first failure is the one to tell.
      do { try await lease.release() } catch {
        logger.warning("PostgreSQL was not stopped", metadata: ["error": "\(error)"])
      }
      throw error
    }
    return lease
  }

  /// The URL of a database whose server runs and answers; nil where it would have to be started.
  package static func runningURL(directory: String, database: String = "sluice") -> String? {
    guard access(directory, F_OK) == 0, let folders = try? ServerFolders(directory: directory) else { return nil }
    return RunningServer(in: folders)?.reachableRun.map { ServerFolders.url(database: database, run: $0) }
  }

  /// What can be said of the server of a folder without starting it.
  package enum Standing: Sendable, Equatable {
    /// It answers at this URL.
    case answers(String)
    /// It starts, recovers or ends, or no process uses it.
    case unknown
    /// Processes use it, and it does not run.
    case away
  }

  package static func standing(directory: String) throws -> Standing {
    if let url = runningURL(directory: directory) { return .answers(url) }
    guard access(directory, F_OK) == 0 else { return .unknown }
    let folders = try ServerFolders(directory: directory)
    let isUsed = try !FileLock(folders.usersLock).tryTake(.exclusive)
    return try isUsed && FileLock(folders.serverLock).tryTake(.exclusive) ? .away : .unknown
  }

  /// Stops a server that every user has left, some of them by being killed. Does nothing while it is used.
  package static func stopUnused(directory: String) async throws {
    guard access(directory, F_OK) == 0 else { return }
    try await onThread {
      let folders = try ServerFolders(directory: directory)
      guard try FileLock(folders.usersLock).tryTake(.exclusive) else { return }
      let start = try FileLock(folders.startLock)
      try start.take(.exclusive)
      let silent = Logger(label: "embedded-postgres", factory: { _ in SwiftLogNoOpLogHandler() })
      try ServerProcess(folders: folders, settings: [:], environment: [:], users: [], logger: silent).stop()
    }
  }

  private func start(_ patience: Patience) throws -> EmbeddedPostgresLease {
    let folders = try ServerFolders(directory: directory)
    let server = ServerProcess(
      folders: folders, settings: settings, environment: environment, users: users ?? ServerUser.candidates(),
      logger: logger)
    let membership = Membership(try FileLock(folders.usersLock))
    try membership.lock.take(.shared)
    // The program before this one has kept the server until now.
    InheritedLease.close(in: folders, environment)
    let start = try FileLock(folders.startLock)
    try start.take(.exclusive)
    do {
      let run = try server.ensureRunning(patience)
      return EmbeddedPostgresLease(server, run: run, database: database, membership)
    } catch let error as EmbeddedPostgresError where error.kind == .elsewhere {
      throw error
    } catch {
      // A server that was left half started would run on without a user.
      if membership.lock.tryTake(.exclusive) {
        do { try server.stop() } catch { logger.warning("PostgreSQL was not stopped", metadata: ["error": "\(error)"]) }
      }
      throw error
    }
  }
}
