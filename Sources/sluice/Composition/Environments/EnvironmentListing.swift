import JobModel
import JobStore
import PipelineDefinition
import Postgres

/// What there is of environments that `env up` made.
struct EnvironmentListing {
  let server: EnvironmentServer

  struct Entry {
    var name: String
    var state: String
    var marker: EnvironmentMarker
    var database: String
    var sessions: Int64
    var databaseBytes: Int64
    var storageBytes: Int64
    /// When its newest run was asked for.
    var lastRunAt: String?
    var secondsLeft: Int64?
  }

  func entries() async throws -> [Entry] {
    let now = try await server.now()
    var entries: [Entry] = []
    for found in try await server.marked() {
      guard let marker = found.marker, found.isOwn, marker.sluice == .environment else { continue }
      entries.append(try await entry(marker, found, now))
    }
    return entries.sorted { $0.name < $1.name }
  }

  func entry(_ name: String) async throws -> Entry {
    guard let found = try await server.environment(name), let marker = found.marker else {
      throw StageFailure(
        code: "usage", message: "there is no environment \(name) that env up made", hint: "sluice env list")
    }
    return try await entry(marker, found, try await server.now())
  }

  private func entry(
    _ marker: EnvironmentMarker, _ found: EnvironmentServer.Found, _ now: Int64
  ) async throws -> Entry {
    let stateDirectory = Installation.stateDirectory(server.directory, environment: marker.name)
    let file = try? CopyFile.read(stateDirectory)
    let isKnown = file?.token == marker.token
    let state = marker.state == .removing ? "removing" : isKnown ? file?.state.rawValue ?? "" : "elsewhere"
    let storage = try? EnvironmentStorage(
      location: marker.storage, directory: server.directory, token: marker.token)
    return Entry(
      name: marker.name, state: state, marker: marker, database: found.name, sessions: found.sessions,
      databaseBytes: try await server.bytes(found.name),
      storageBytes: storage?.standing == .own ? storage?.size().bytes ?? 0 : 0,
      lastRunAt: marker.state == .ready ? try await lastRun(found.name) : nil,
      secondsLeft: marker.isProtected ? nil : marker.expires.map { max(0, $0 - now) })
  }

  /// Nil also where it cannot be read, as in a database that has another schema.
  private func lastRun(_ database: String) async throws -> String? {
    let pool = PostgresPool(try PostgresSettings(try server.url(database), applicationName: "sluice-env"), maximum: 1)
    let run: RunRecord?
    do { run = try await JobStore(database: pool, bell: LaneBell()).runs(limit: 1).first } catch {
      await pool.close()
      if error is CancellationError { throw error }
      return nil
    }
    await pool.close()
    return run?.createdAt
  }
}

extension EnvironmentListing.Entry {
  var json: JSONValue {
    .object([
      ("name", .text(name)), ("state", .text(state)), ("model", .text(marker.model)), ("scale", .double(marker.scale)),
      ("by", .text(marker.by)), ("made_at", .text(EnvironmentTime.text(marker.made))),
      ("expires_at", .optional(marker.isProtected ? nil : marker.expires.map { EnvironmentTime.text($0) })),
      ("seconds_left", .optional(secondsLeft)), ("protected", .bool(marker.isProtected)),
      ("extended", .bool(marker.isExtended)), ("database", .text(database)), ("storage", .text(marker.storage)),
      ("database_bytes", .int(databaseBytes)), ("storage_bytes", .int(storageBytes)), ("sessions", .int(sessions)),
      ("last_run_at", .optional(lastRunAt)),
    ])
  }
}
