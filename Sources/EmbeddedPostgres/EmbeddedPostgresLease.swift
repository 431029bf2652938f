import Glibc
import JobModel
import Postgres
import Synchronization

/// The use of an embedded server; it runs until the last of these is released.
package final class EmbeddedPostgresLease: Sendable {
  private let server: ServerProcess
  /// The socket's folder.
  private let run: String
  private let database: String
  private let membership: Mutex<Membership?>

  init(_ server: ServerProcess, run: String, database: String, _ membership: Membership) {
    self.server = server
    self.run = run
    self.database = database
    self.membership = Mutex(membership)
  }

  /// The URL of the database. Whoever may enter the socket's folder needs no password.
  package var url: String { url(database: database) }

  package func url(database: String) -> String { ServerFolders.url(database: database, run: run) }

  /// Keeps the server running while this process becomes another program. Returns what to add to that one's environment.
  package func handOn() -> [String: String] {
    guard let descriptor = membership.withLock({ $0?.lock.descriptor }) else { return [:] }
    _ = fcntl(descriptor, F_SETFD, 0)
    return [InheritedLease.variable: "\(descriptor)"]
  }

  /// The server's first process, nil when none runs.
  package var postmasterPID: Int32? {
    let folders = membership.withLock { $0.flatMap { ServerFolders(holding: $0.lock) } } ?? server.folders
    return RunningServer(in: folders)?.pid
  }

  /// Creates a database where there is none of that name.
  package func createDatabase(_ name: String) async throws {
    let connection = try await PostgresConnection.connect(PostgresSettings(url(database: "postgres")))
    do {
      let present = try await connection.query("select 1 from pg_database where datname = $1", [.text(name)])
      if present.isEmpty { try await connection.execute("create database \(quoteIdentifier(name))") }
    } catch let error as PostgresError where error.sqlState == "42P04" || error.sqlState == "23505" {
      // Another process was faster.
    } catch {
      await connection.close()
      throw error
    }
    await connection.close()
  }

  /// Starts the server again where it was killed, or where its socket was removed. Does nothing else.
  ///
  /// - Throws: ``EmbeddedPostgresError``; `CancellationError`.
  package func keepReachable() async throws {
    guard let folders = membership.withLock({ $0.flatMap { ServerFolders(holding: $0.lock) } }),
      RunningServer(in: folders)?.reachableRun == nil
    else { return }
    let patience = Patience()
    try await withTaskCancellationHandler {
      try await onThread { [server] in
        var server = server
        server.folders = folders
        let start = try FileLock(folders.startLock)
        try start.take(.exclusive)
        _ = try server.ensureRunning(patience)
      }
    } onCancel: {
      patience.end()
    }
  }

  /// Gives up the use; the last one out stops the server and returns when it has ended. The second call does nothing.
  ///
  /// - Throws: ``EmbeddedPostgresError`` `.stopFailed`; nothing is lost then, and the next one to come finds the server.
  package func release() async throws {
    let held = membership.withLock { membership in
      defer { membership = nil }
      return membership
    }
    guard let held else { return }
    try await onThread { [server] in
      // Gives up the shared lock in any case: of two that leave at once, the later one finds itself alone.
      guard held.lock.tryTake(.exclusive) else { return }
      // Without its folder the server ends by itself.
      guard let folders = ServerFolders(holding: held.lock) else { return }
      var server = server
      server.folders = folders
      let start = try FileLock(server.folders.startLock)
      try start.take(.exclusive)
      try server.stop()
    }
  }
}

/// A place among the users of the server: the shared lock on their file. It ends with the process in any case.
final class Membership: Sendable {
  let lock: FileLock
  init(_ lock: consuming FileLock) { self.lock = lock }
}
