import JobStore

/// What the process that serves environments remembers of them between two looks, and what follows from a look: no clock, no process and no
/// database of its own.
///
/// An environment is asked for its work over a short session when something was written into its database, when a process of it has ended,
/// when a job that was put off is due, and when a verb says so. Otherwise it costs one row of one statement.
struct ServingState {
  typealias Instant = ContinuousClock.Instant

  /// Jobs run there, by workers that this process did not start: they may be lost.
  static let recheck = Duration.seconds(10)
  static let longestPause = Duration.seconds(300)

  /// An environment as a look finds it.
  struct Seen: Equatable {
    var name: String
    /// Drawn for this one: another environment may get its name.
    var token: String
    var database: String
    /// Changes with everything that is written into its database.
    var writes: String
    /// A process says that it serves it.
    var isServed: Bool
  }

  struct Environment: Equatable {
    var seen: Seen
    var isAsked = true
    /// It has a process, or had one at the last look.
    var isActive = false
    /// That process was started for it by this one, or by one before this.
    var isOwn = false
    var dueAt: Instant?
    /// Since when it has work and no process.
    var wantedSince: Instant?
    /// Ends in a row of its process by a failure.
    var failures = 0
    var pausedUntil: Instant?
  }

  /// Processes at a time: each has workers, which share the machine and the server.
  var most: Int
  private(set) var environments: [String: Environment] = [:]

  init(most: Int) { self.most = most }

  /// Whether something is under way: then a look follows sooner.
  var isBusy: Bool { environments.values.contains { $0.isOwn || $0.wantedSince != nil } }

  /// Which environments are to be asked for their work.
  ///
  /// - Parameter running: Names of those that have a process which was started for them.
  mutating func looked(_ found: [Seen], running: Set<String>, at now: Instant) -> [Seen] {
    var next: [String: Environment] = [:]
    for seen in found {
      var environment = environments[seen.token] ?? Environment(seen: seen)
      let isActive = seen.isServed || running.contains(seen.name)
      if isActive {
        environment.wantedSince = nil
      } else if environment.isActive || environment.seen.writes != seen.writes
        || environment.dueAt.map({ $0 <= now }) ?? false
      {
        environment.isAsked = true
      }
      environment.isActive = isActive
      environment.isOwn = running.contains(seen.name)
      environment.seen = seen
      next[seen.token] = environment
    }
    environments = next
    return next.values.filter { $0.isAsked && !$0.isActive }.map(\.seen).sorted { $0.name < $1.name }
  }

  /// A verb has written into the database of one of this name.
  mutating func woken(_ name: String) {
    for token in environments.keys where environments[token]?.seen.name == name {
      environments[token]?.isAsked = true
    }
  }

  /// What one has to do. One that could not be asked is asked again at the next look.
  mutating func asked(_ token: String, _ demand: QueueDemand, at now: Instant) {
    guard var environment = environments[token] else { return }
    environment.isAsked = false
    environment.dueAt = demand.dueSeconds.map { now + .seconds(max(0, min($0, 86_400))) }
    if demand.isReady || demand.isLost || demand.dueSeconds.map({ $0 <= 0 }) ?? false {
      environment.wantedSince = environment.wantedSince ?? now
      environment.dueAt = nil
    } else {
      environment.wantedSince = nil
      if demand.isRunning { environment.dueAt = min(environment.dueAt ?? now + Self.recheck, now + Self.recheck) }
    }
    environments[token] = environment
  }

  /// Which environments get a process now, those first that have waited longest.
  mutating func starts(at now: Instant) -> [Seen] {
    let room = max(0, most - environments.values.count { $0.isOwn })
    let waiting = environments.values.filter { environment in
      environment.wantedSince != nil && !environment.isActive && environment.pausedUntil.map { $0 <= now } ?? true
    }
    .sorted { ($0.wantedSince ?? now, $0.seen.name) < ($1.wantedSince ?? now, $1.seen.name) }
    let chosen = waiting.prefix(room).map(\.seen)
    for seen in chosen {
      environments[seen.token]?.wantedSince = nil
      environments[seen.token]?.isActive = true
      environments[seen.token]?.isOwn = true
    }
    return chosen
  }

  /// How many have work and wait for others to end.
  var waiting: Int { environments.values.count { $0.wantedSince != nil } }

  /// A process of one has ended, or could not be started. One that fails is not started ten times a minute.
  mutating func ended(_ name: String, well: Bool, at now: Instant) {
    for token in environments.keys where environments[token]?.seen.name == name {
      guard !well else {
        environments[token]?.failures = 0
        environments[token]?.pausedUntil = nil
        continue
      }
      let failures = (environments[token]?.failures ?? 0) + 1
      environments[token]?.failures = failures
      environments[token]?.pausedUntil = now + min(Self.longestPause, .seconds(1 << min(failures, 9)))
    }
  }
}
