import Catalog
import JobModel
import JobStore
import PipelineDefinition
import Postgres

/// What there is of environments that `env up` made.
///
/// A list reads a bounded number of rows of each environment's catalog and history, and no data and no folders.
struct EnvironmentListing {
  let server: EnvironmentServer

  struct Entry {
    var name: String
    var state: String
    var marker: EnvironmentMarker
    var database: String
    var sessions: Int64
    /// A control process serves it.
    var isActive: Bool
    var databaseBytes: Int64
    /// Nil, with ``usage``, where the database cannot be read, as one that has another schema.
    var size: CatalogSize?
    var usage: SystemUsage?
    /// Of the files that lie in the storage; nil in a list, which reads no folders.
    var storage: (files: Int, bytes: Int64)?
    var secondsLeft: Int64?
  }

  func entries() async throws -> [Entry] {
    let now = try await server.now()
    let served = try await server.served()
    var entries: [Entry] = []
    for found in try await server.marked() {
      guard let marker = found.marker, found.isOwn, marker.sluice == .environment else { continue }
      entries.append(try await entry(marker, found, served, now))
    }
    return entries.sorted { $0.name < $1.name }
  }

  func entry(_ name: String) async throws -> Entry {
    guard let found = try await server.environment(name), let marker = found.marker else {
      throw StageFailure(
        code: "usage", message: "there is no environment \(name) that env up made", hint: "sluice env list")
    }
    var shown = try await entry(marker, found, try await server.served(), try await server.now())
    let storage = try? EnvironmentStorage(
      location: marker.storage, directory: server.directory, token: marker.token)
    if storage?.standing == .own { shown.storage = storage?.size() }
    return shown
  }

  private func entry(
    _ marker: EnvironmentMarker, _ found: EnvironmentServer.Found, _ served: Set<String>, _ now: Int64
  ) async throws -> Entry {
    let stateDirectory = Installation.stateDirectory(server.directory, environment: marker.name)
    let file = try? CopyFile.read(stateDirectory)
    let isKnown = file?.token == marker.token
    let state = marker.state == .removing ? "removing" : isKnown ? file?.state.rawValue ?? "" : "elsewhere"
    let (size, usage) = marker.state == .ready ? try await figures(found.name) : (nil, nil)
    return Entry(
      name: marker.name, state: state, marker: marker, database: found.name, sessions: found.sessions,
      isActive: served.contains(found.name), databaseBytes: try await server.bytes(found.name), size: size,
      usage: usage,
      secondsLeft: marker.isProtected ? nil : marker.expires.map { max(0, $0 - now) })
  }

  private func figures(_ database: String) async throws -> (CatalogSize?, SystemUsage?) {
    let pool = PostgresPool(try PostgresSettings(try server.url(database), applicationName: "sluice-env"), maximum: 1)
    do {
      let figures = (
        try await Catalog(database: pool).size(), try await JobStore(database: pool, bell: LaneBell()).usage()
      )
      await pool.close()
      return figures
    } catch {
      await pool.close()
      if error is CancellationError { throw error }
      return (nil, nil)
    }
  }
}

extension EnvironmentListing.Entry {
  /// Of raw objects and data files, by the catalog.
  var storageBytes: Int64? {
    guard let raw = size?.rawBytes, let curated = size?.curatedBytes else { return nil }
    return raw + curated
  }

  var storageText: String { storageBytes.map(ProgressDisplay.megabytes) ?? (size == nil ? "" : "many") }
  var rowsText: String { size.map { $0.rows.map { "\($0)" } ?? "many" } ?? "" }
  var hoursText: String {
    usage.map { $0.workerHours.map { String(($0 * 1000).rounded() / 1000) } ?? "many" } ?? ""
  }

  /// `ready, idle`.
  var standing: String {
    state + (state == CopyFile.State.ready.rawValue ? (isActive ? ", active" : ", idle") : "")
      + (marker.isProtected ? ", protected" : "")
  }

  var json: JSONValue {
    .object([
      ("name", .text(name)), ("state", .text(state)), ("model", .text(marker.model)), ("scale", .double(marker.scale)),
      ("by", .text(marker.by)), ("made_at", .text(EnvironmentTime.text(marker.made))),
      ("expires_at", .optional(marker.isProtected ? nil : marker.expires.map { EnvironmentTime.text($0) })),
      ("seconds_left", .optional(secondsLeft)), ("protected", .bool(marker.isProtected)),
      ("extended", .bool(marker.isExtended)), ("database", .text(database)), ("storage", .text(marker.storage)),
      ("database_bytes", .int(databaseBytes)), ("storage_bytes", .optional(storageBytes)),
      ("raw_bytes", .optional(size?.rawBytes)), ("curated_bytes", .optional(size?.curatedBytes)),
      ("files_bytes", .optional(storage?.bytes)), ("rows", .optional(size?.rows)),
      ("worker_hours", usage?.workerHours.map(JSONValue.double) ?? .null), ("sessions", .int(sessions)),
      ("active", .bool(isActive)),
      ("last_run_at", .optional(usage?.lastRunAt)), ("last_use_at", .optional(usage?.lastUseAt)),
    ])
  }
}
