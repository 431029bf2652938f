import FoundationEssentials
import Glibc
import Launchers
import Postgres

/// PgBouncer in transaction mode before a test's database: on loopback, as the user that the server runs as.
package struct Pooler: Sendable {
  package let url: String

  /// Runs a pooler as long as `body` runs.
  ///
  /// - Parameters:
  ///   - settings: Of a database that is reached by a socket.
  ///   - ignored: Start parameters that it drops, where it would refuse them.
  package static func with(
    _ settings: PostgresSettings, in project: TestProject, ignoring ignored: [String] = ["extra_float_digits"],
    _ body: @Sendable (Pooler) async throws -> Void
  ) async throws {
    let (pid, pooler) = try await started(settings, project, ignored)
    do { try await body(pooler) } catch {
      try await end(pid)
      throw error
    }
    try await end(pid)
  }

  private static let program: String? = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer"].first
  { path in
    access(path, X_OK) == 0
  }

  private static func end(_ pid: Int32) async throws {
    // At once, whoever is connected.
    kill(pid, SIGTERM)
    try await eventually("the pooler ends") { DetachedProcess.reap(pid) }
  }

  private static func started(
    _ database: PostgresSettings, _ project: TestProject, _ ignored: [String]
  ) async throws -> (Int32, Pooler) {
    guard let program else { throw TestSupportError("no pgbouncer; make setup installs it") }
    guard let run = database["host"], let role = database["user"], let name = database["dbname"]
    else { throw TestSupportError("no socket to pool") }
    var owner = stat()
    guard stat(run, &owner) == 0 else { throw TestSupportError("no folder \(run)") }
    // The server's folder of sockets is private, and a pooler does not run as root either.
    let prefix: [String] =
      if geteuid() != 0 { [] } else if owner.st_uid != 0 {
        ["/usr/bin/setpriv", "--reuid=\(owner.st_uid)", "--regid=\(owner.st_gid)", "--clear-groups", "--"]
      } else { ["/usr/bin/unshare", "--user", "--map-user=65534", "--map-group=65534", "--"] }
    let folder = project.path("pooler")
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    // That user may not enter the project.
    let settings = "/tmp/sluice-pooler-\(getpid())-\(name).ini"
    defer { unlink(settings) }
    for _ in 0..<5 {
      let port = try freePort()
      try Data(text(run, role, name, port, ignored).utf8).write(to: URL(filePath: settings))
      chmod(settings, 0o644)
      let command = prefix + [program, settings]
      let pid = try DetachedProcess(
        executable: command[0], arguments: Array(command.dropFirst()), environment: ["PATH": "/usr/bin:/bin"],
        directory: "/", logPath: folder + "/pgbouncer.log"
      ).start()
      var ended = false
      try await eventually("the pooler listens or ends") {
        ended = DetachedProcess.reap(pid)
        return ended || canConnect(port)
      }
      if !ended {
        return (pid, Pooler(url: "postgresql://\(role)@127.0.0.1:\(port)/\(name)?sslmode=disable&gssencmode=disable"))
      }
    }
    throw TestSupportError("pgbouncer does not start: \(try project.text("pooler/pgbouncer.log"))")
  }

  /// Few connections to the server, so that transactions of one client run in sessions of others.
  private static func text(
    _ run: String, _ role: String, _ name: String, _ port: Int, _ ignored: [String]
  ) -> String {
    """
    [databases]
    \(name) = host=\(run) port=5432 dbname=\(name) user=\(role)

    [pgbouncer]
    listen_addr = 127.0.0.1
    listen_port = \(port)
    unix_socket_dir =
    auth_type = any
    pool_mode = transaction
    default_pool_size = 6
    max_client_conn = 200
    server_login_retry = 1
    ignore_startup_parameters = \(ignored.joined(separator: ", "))

    """
  }

  /// Another process may take it before the pooler does; then the next one is tried.
  private static func freePort() throws -> Int {
    let probe = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(probe) }
    var address = loopback(port: 0)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(probe, $0, length) == 0 && getsockname(probe, $0, &length) == 0
      }
    }
    guard isBound else { throw TestSupportError("no free port") }
    return Int(UInt16(bigEndian: address.sin_port))
  }

  private static func canConnect(_ port: Int) -> Bool {
    let probe = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(probe) }
    var address = loopback(port: port)
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(probe, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
  }

  private static func loopback(port: Int) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    return address
  }
}
