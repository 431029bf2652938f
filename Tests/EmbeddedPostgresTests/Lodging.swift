import FoundationEssentials
import Glibc
import Logging
import Postgres
import TestSupport
import Testing

@testable import EmbeddedPostgres

/// A folder for an embedded server, and the end of whatever still runs there after the test.
struct Lodging: Sendable {
  let project: TestProject
  let directory: String

  static func inside(
    _ relative: String = ".sluice/postgres", _ body: @Sendable (Lodging) async throws -> Void
  ) async throws {
    try await TestProject.withProject { project in
      let lodging = Lodging(project: project, directory: project.path(relative))
      do { try await body(lodging) } catch {
        lodging.evict()
        throw error
      }
      lodging.evict()
    }
  }

  var server: EmbeddedPostgres { server(users: nil) }

  /// - Parameter users: Whom the server may run as; found out when nil.
  func server(users: [ServerUser]?) -> EmbeddedPostgres {
    EmbeddedPostgres(
      directory: directory, database: "sluice", settings: ["fsync": "off"],
      environment: ProcessInfo.processInfo.environment, users: users, logger: Lodging.silent)
  }

  static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  private func evict() {
    guard let folders = try? ServerFolders(directory: directory) else { return }
    if let left = RunningServer(in: folders) { kill(left.pid, SIGKILL) }
    if access(folders.run, F_OK) == 0 {
      do { try removeTree(folders.run) } catch { Issue.record("\(folders.run) stays behind: \(error)") }
    }
  }
}

/// One value of a server, over a session of its own.
func answer(_ url: String, _ sql: String) async throws -> String? {
  let connection = try await PostgresConnection.connect(PostgresSettings(url))
  do {
    let value = try await connection.query(SQLStatement(text: sql), []).first?.optionalString(at: 0)
    await connection.close()
    return value
  } catch {
    await connection.close()
    throw error
  }
}

/// Whether a process is there and is no zombie.
func isAlive(_ pid: Int32) -> Bool {
  var status: Int32 = 0
  if waitpid(pid, &status, WNOHANG) == pid { return false }
  return kill(pid, 0) == 0
}
