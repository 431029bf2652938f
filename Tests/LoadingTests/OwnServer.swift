import Foundation
import Postgres

#if canImport(Glibc)
  import Glibc
#endif

/// A PostgreSQL server of a test's own, which the test may crash and whose settings it may change.
struct OwnServer: Sendable {
  let directory: String

  struct Failed: Error, CustomStringConvertible {
    var description: String
  }

  var url: String { "postgresql://postgres@/postgres?host=\(directory)/socket&port=5432" }

  /// Runs a server as long as `body` runs.
  static func with<T: Sendable>(_ body: @Sendable (OwnServer) async throws -> T) async throws -> T {
    // A socket's path may have 107 bytes, which the usual temporary directory can exceed.
    let server = OwnServer(directory: "/tmp/sluice-own-\(getpid())-\(UInt32.random(in: 0...UInt32.max))")
    try FileManager.default.createDirectory(atPath: server.directory + "/socket", withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: server.directory) }
    if geteuid() == 0 { try server.run("/bin/chown", ["-R", "postgres", server.directory]) }
    try server.postgres("initdb", ["-D", "\(server.directory)/data", "-U", "postgres", "-A", "trust", "-N", "--no-locale", "-E", "UTF8"])
    try server.start()
    let result: T
    do { result = try await body(server) } catch {
      try server.stop("immediate")
      throw error
    }
    try server.stop("immediate")
    return result
  }

  func start() throws {
    let options = "-c listen_addresses='' -k \(directory)/socket -c max_connections=30"
    try postgres("pg_ctl", ["-D", "\(directory)/data", "-l", "\(directory)/log", "-o", options, "-w", "start"])
  }

  /// `immediate` is a crash: no checkpoint, and unlogged tables are empty when it starts again.
  func stop(_ mode: String) throws {
    try postgres("pg_ctl", ["-D", "\(directory)/data", "-m", mode, "-w", "stop"])
  }

  private func postgres(_ program: String, _ arguments: [String]) throws {
    let versions = try FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql")
    guard let version = versions.max(by: { (Int($0) ?? 0) < (Int($1) ?? 0) }) else {
      throw Failed(description: "no PostgreSQL server is installed")
    }
    let path = "/usr/lib/postgresql/\(version)/bin/\(program)"
    if geteuid() == 0 {
      // The server refuses to run as root.
      try run("/usr/bin/setpriv", ["--reuid=postgres", "--regid=postgres", "--clear-groups", path] + arguments)
    } else {
      try run(path, arguments)
    }
  }

  private func run(_ path: String, _ arguments: [String]) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    process.currentDirectoryURL = URL(fileURLWithPath: "/tmp")
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw Failed(description: "\(path) \(arguments.joined(separator: " ")) ended with \(process.terminationStatus)")
    }
  }
}
