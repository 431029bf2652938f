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
    if found.contains(where: {
      $0.sluice == .environment && ($0.state == .removing || $0.isDue(at: now) || $0.due != nil)
    }) {
      return true
    }
    let files = CopyFile.all(directory).filter { $0.state != .removed }
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
        outcomes += try await each(database.name) { try await end(template: marker, database, now) }
      case .environment:
        guard marker.state == .removing || marker.isDue(at: now) else {
          if marker.due != nil { outcomes += try await each(marker.name) { try await clear(marker, database) } }
          continue
        }
        outcomes += try await each(marker.name) { try await end(marker, database, now) }
      }
    }
    let alive = Set(found.compactMap { $0.marker?.token })
    for file in CopyFile.all(server.directory) {
      guard Self.isLeft(file, of: server.place, alive: alive),
        !outcomes.contains(where: { $0.name == file.copy.name })
      else { continue }
      outcomes += try await each(file.copy.name) {
        // Its database is there with a comment that a person or a later engine wrote: it is not lost.
        if file.state == .ready, try await server.find(file.copy.database) != nil { return [] }
        return try await remove(file.copy.name, file.token, because: "it was half made or half removed")
      }
    }
    return outcomes
  }

  /// One that cannot be removed keeps no other from being removed.
  private func each(_ name: String, _ body: () async throws -> [Outcome]) async throws -> [Outcome] {
    do { return try await body() } catch is CancellationError { throw CancellationError() } catch {
      // Not every passing fault: a database with a prepared transaction is in use for as long as that stays.
      if Task.isCancelled || (error as? PostgresError)?.isOutage == true { throw error }
      return [Outcome(action: "kept", name: name, detail: "\(error)")]
    }
  }

  private func end(
    template marker: EnvironmentMarker, _ database: EnvironmentServer.Found, _ now: Int64
  ) async throws -> [Outcome] {
    guard marker.made < now - Self.templateRetention, try await server.template() != database.name else { return [] }
    try await server.drop(database.name)
    return [Outcome(action: "removed", name: database.name, detail: "a template of another schema")]
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
      extended.due = nil
      extended.expires = now + max(60, (marker.ttl ?? 0) / Self.extensionShare)
      try await server.mark(database.name, extended)
      return [
        Outcome(
          action: "extended", name: marker.name,
          detail: "its time is over and it is in use; it is removed at \(EnvironmentTime.text(extended.expires))")
      ]
    }
    let moment = Uptime.moment(at: now)
    if marker.state == .ready, !marker.isGraceOver(moment) {
      guard marker.due == nil else { return [] }
      var warned = marker
      warned.due = moment
      try await server.mark(database.name, warned)
      return [
        Outcome(
          action: "warned", name: marker.name,
          detail:
            "its time is over; it is removed in \(EnvironmentTime.span(marker.graceSeconds)), unless it stays: sluice env "
            + "extend \(marker.name) --ttl 8h")
      ]
    }
    return try await remove(marker.name, marker.token, because: "its time was over")
  }

  /// Its time is not over after all: it was given more, or the database's clock was set back.
  private func clear(_ marker: EnvironmentMarker, _ database: EnvironmentServer.Found) async throws -> [Outcome] {
    guard database.name == (try server.database(of: marker.name)) else { return [] }
    var cleared = marker
    cleared.due = nil
    try await server.mark(database.name, cleared)
    return []
  }

  /// - Parameter token: Another environment that had the same name stays.
  private func remove(_ name: String, _ token: String, because reason: String) async throws -> [Outcome] {
    guard let removal = try await EnvironmentRemoval.find(name, on: server), removal.token == token else { return [] }
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
    let (owner, url) = try await installation.environmentOwner()
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
  func environmentOwner() async throws -> (String, String) {
    guard isEmbedded else {
      let own = try await database.query("select current_database() as name", []).first?.string("name")
      return (own ?? "", databaseURL)
    }
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
