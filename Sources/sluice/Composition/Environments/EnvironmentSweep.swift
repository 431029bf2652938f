import FoundationEssentials
import JobModel
import Logging
import PipelineDefinition
import Postgres
import ServiceLifecycle

/// Removes environments whose time is over, and what killed processes have left of environments.
///
/// It compares the marks of databases with the files in the project folder, and touches only what one of them says that `env up` made.
struct EnvironmentSweep {
  let server: EnvironmentServer

  /// One extension of an environment that is in use, as a part of its time to live.
  private static let extensionShare: Int64 = 4
  /// Templates of other versions of the schema are kept for engines of that version.
  private static let templateRetention: Int64 = 30 * 86_400

  struct Outcome {
    /// What became of it: removed, extended, or kept because a part could not be removed.
    var action: String
    var name: String
    var detail: String
  }

  /// Whether anything of an environment is to be removed, or was left half made; from one statement and the folder.
  static func isNeeded(owner: String, directory: String, _ session: some PostgresSession) async throws -> Bool {
    let now = try await session.query("select extract(epoch from now())::bigint as now", []).first?.int("now") ?? 0
    let found = try await EnvironmentServer.marked(by: owner, session).compactMap(\.marker)
    if found.contains(where: { $0.sluice == .environment && ($0.state == .removing || $0.isDue(at: now)) }) {
      return true
    }
    let files = try CopyFile.all(directory).filter { $0.state != .removed }
    guard !files.isEmpty else { return false }
    let tokens = Set(found.filter { $0.sluice == .environment }.map(\.token))
    let place = try await EnvironmentServer.place(session, owner: owner)
    return files.contains { isLeft($0, of: place, alive: tokens) }
  }

  /// Whether an environment is half made or half removed, or lost its database.
  ///
  /// - Parameter place: Of the server: the environments of another one are none of its business.
  private static func isLeft(_ file: CopyFile, of place: String, alive: Set<String>) -> Bool {
    guard file.place == place else { return false }
    switch file.state {
    case .making, .removing: return true
    case .ready: return !alive.contains(file.token)
    case .removed: return false
    }
  }

  func run() async throws -> [Outcome] {
    let now = try await server.now()
    var outcomes: [Outcome] = []
    let found = try await server.marked()
    for database in found {
      guard let marker = database.marker, database.isOwn else { continue }
      switch marker.sluice {
      case .template:
        guard marker.made < now - Self.templateRetention, try await server.template() != database.name else { continue }
        try await server.drop(database.name)
        outcomes.append(Outcome(action: "removed", name: database.name, detail: "a template of another schema"))
      case .environment:
        guard marker.state == .removing || marker.isDue(at: now) else { continue }
        outcomes += try await end(marker, database, now)
      }
    }
    let alive = Set(found.compactMap { $0.marker?.token })
    for file in try CopyFile.all(server.directory) {
      guard Self.isLeft(file, of: server.place, alive: alive),
        !outcomes.contains(where: { $0.name == file.copy.name })
      else { continue }
      outcomes += try await remove(file.copy.name, because: "it was half made or half removed")
    }
    return outcomes
  }

  private func end(
    _ marker: EnvironmentMarker, _ database: EnvironmentServer.Found, _ now: Int64
  ) async throws -> [Outcome] {
    if database.name == (try server.draft(marker.token)) {
      // Its maker was killed, and the file in the project folder is gone.
      try await server.drop(database.name)
      return [Outcome(action: "removed", name: marker.name, detail: "it was half made")]
    }
    // A database that is not where env up puts it was moved by a person.
    guard try await server.environment(marker.name)?.marker?.token == marker.token else { return [] }
    if marker.state == .ready, database.sessions > 0, !marker.isExtended {
      var extended = marker
      extended.isExtended = true
      extended.expires = now + max(60, (marker.ttl ?? 0) / Self.extensionShare)
      try await server.mark(database.name, extended)
      return [
        Outcome(
          action: "extended", name: marker.name,
          detail: "its time is over and it is in use; it is removed at \(EnvironmentTime.text(extended.expires))")
      ]
    }
    return try await remove(marker.name, because: "its time was over")
  }

  private func remove(_ name: String, because reason: String) async throws -> [Outcome] {
    guard let removal = try await EnvironmentRemoval.find(name, on: server) else { return [] }
    let left = try await removal.remove()
    guard left.isEmpty else {
      return [
        Outcome(action: "kept", name: name, detail: "\(left.map(\.place).joined(separator: ", ")) could not be removed")
      ]
    }
    return [Outcome(action: "removed", name: name, detail: reason)]
  }
}

/// Sweeps environments as long as control runs.
///
/// One look at the marks and at the project folder a minute: an eighth of the shortest time to live, rounded down.
struct EnvironmentKeeper: Service {
  static let shortestTTL = Duration.seconds(600)

  let installation: Installation
  var tick = Duration.seconds(60)

  func run() async throws {
    // A graceful shutdown ends the waiting by cancellation; that is no failure of the service.
    do { try await cancelWhenGracefulShutdown { try await keep() } } catch is CancellationError {}
  }

  private func keep() async throws {
    while true {
      do { try await look() } catch is CancellationError {
        throw CancellationError()
      } catch {
        // Away for a moment: the next look finds the database again, and other services tell of it.
        if (error as? any Failure)?.isTransient != true {
          installation.logger.warning("environments could not be swept", metadata: ["error": "\(error)"])
        }
      }
      try await ContinuousClock().sleep(for: tick)
    }
  }

  private func look() async throws {
    let (owner, url) = try installation.environmentOwner()
    guard
      try await EnvironmentSweep.isNeeded(
        owner: owner, directory: installation.directory, installation.database)
    else { return }
    let outcomes = try await EnvironmentServer.with(url: url, directory: installation.directory) {
      try await EnvironmentSweep(server: $0).run()
    }
    for outcome in outcomes {
      installation.logger.warning(
        "an environment was swept",
        metadata: ["environment": "\(outcome.name)", "action": "\(outcome.action)", "detail": "\(outcome.detail)"])
    }
  }
}

extension Installation {
  /// The control database next to which environments are made, and its URL.
  fileprivate func environmentOwner() throws -> (String, String) {
    guard isEmbedded else { return (settings["dbname"] ?? settings["user"] ?? "", databaseURL) }
    return ("sluice", try PostgresSettings.conninfo(databaseURL, database: "sluice"))
  }
}

/// Times of marks as people and scripts read them.
enum EnvironmentTime {
  static func text(_ seconds: Int64?) -> String {
    seconds.map { Date(timeIntervalSince1970: Double($0)).ISO8601Format() } ?? "never"
  }

  /// `3h 20m`, of a time that is left.
  static func span(_ seconds: Int64) -> String {
    let seconds = max(0, seconds)
    switch seconds {
    case ..<60: return "\(seconds)s"
    case ..<3600: return "\(seconds / 60)m"
    case ..<86_400: return "\(seconds / 3600)h \(seconds % 3600 / 60)m"
    default: return "\(seconds / 86_400)d \(seconds % 86_400 / 3600)h"
    }
  }
}
