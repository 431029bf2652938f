import JobModel
import JobStore

/// One simulated world: a database, workers, control and a client, and whatever can befall them, all drawn from one seed.
///
/// A single thread takes one event after the other, so that the same seed gives the same trace. What decides in the real
/// worker and reaper decides here: `LeaseKeeper`, `RevocationRule`, `RetryPolicy`, `AttemptExecutor.end`.
package final class Simulation {
  /// How long faults happen; then all that is open must end.
  static let faultTime = Duration.seconds(120)
  /// How long the world may take to finish its work once no fault happens any more.
  static let patience = Duration.seconds(1800)
  static let timing = LeaseTiming(beat: .seconds(5), lease: .seconds(15), stall: .seconds(60))
  static let retry = RetryPolicy(firstDelay: .seconds(1), longestDelay: .seconds(20))

  package let seed: UInt64
  let mistake: SeededMistake?
  var random: SeededGenerator
  var now = SimulatedInstant(milliseconds: 0)
  var store: ModelledStore
  var invariants = Invariants()
  var scripts: [JobID: JobScript] = [:]
  var orders: [JobID: JobBatch.Order] = [:]
  var counts = Counts()
  private(set) var trace = SimulationTrace()
  private var events = EventQueue()

  // The database.
  /// What its clock shows above the truth.
  var databaseLead = Duration.zero
  var isDatabaseUp = true
  /// One more at each restart, which ends every session.
  var databaseStarts = 0
  var lastForwardJump: SimulatedInstant?
  private var sessions = 0

  var workers: [SimulatedWorker] = []
  /// Every worker that ever registered, by its number.
  var fleet: [Int64: SimulatedWorker] = [:]
  var controls: [SimulatedControl] = []
  var births = 0
  var areFaultsOn = true

  package struct Counts: Sendable {
    package var steps = 0, crashes = 0, pauses = 0, restarts = 0, clockJumps = 0
    package var lostRequests = 0, lostReplies = 0, lateMessages = 0, duplicates = 0
    package var revocations = 0, yields = 0, jobs = 0, retries = 0, cancels = 0
  }

  package init(seed: UInt64, mistake: SeededMistake? = nil) {
    self.seed = seed
    self.mistake = mistake
    random = SeededGenerator(seed: seed)
    store = ModelledStore(mistake: mistake)
  }

  /// Runs until every job has ended.
  package func run() -> SimulationReport {
    do {
      begin()
      while let event = events.next() {
        now = event.at
        if let process = event.process {
          if !process.isAlive { continue }
          if let end = process.pausedUntil, end > now {
            events.putOff(event, to: end)
            continue
          }
        }
        counts.steps += 1
        try event.action()
        if isOver { break }
      }
      return SimulationReport(seed: seed, counts: counts, digest: trace.digest, failure: nil, lastLines: [])
    } catch {
      let broken = error as? InvariantBroken ?? InvariantBroken("simulator", "\(error)")
      return SimulationReport(
        seed: seed, counts: counts, digest: trace.digest, failure: broken, lastLines: trace.lastLines)
    }
  }

  private var isOver = false

  private func begin() {
    for number in 1...2 {
      let control = SimulatedControl(name: "control-\(number)", world: self)
      controls.append(control)
      control.start()
    }
    for _ in 0..<random.integer(in: 2...4) { launchWorker() }
    beginClient()
    planFault()
    plan(after: Self.faultTime) { [unowned self] in try endFaults() }
  }

  private func endFaults() throws {
    note("world", "no more faults")
    areFaultsOn = false
    survey()
  }

  /// Looks each second whether the work is done; a job that stays open is lost.
  private func survey() {
    plan(after: .seconds(1)) { [unowned self] in
      let open = invariants.open(in: store)
      if open.isEmpty {
        isOver = true
        return
      }
      if now > SimulatedInstant(milliseconds: 0).advanced(by: Self.faultTime + Self.patience) {
        let told = open.prefix(5).map { "job \($0) \(store.job($0).map { "\($0)" } ?? "")" }
        throw InvariantBroken("I2_nothing_lost", "these never end: \(told.joined(separator: "; "))")
      }
      survey()
    }
  }

  // MARK: Events

  func plan(after time: Duration, for process: SimulatedProcess? = nil, _ action: @escaping () throws -> Void) {
    events.plan(at: now.advanced(by: time), for: process, action)
  }

  func note(_ who: String, _ what: StaticString, _ first: Int64 = 0, _ second: Int64 = 0) {
    trace.note(at: now, who, what, first, second)
  }

  // MARK: The database

  var databaseTime: SimulatedInstant { now.advanced(by: databaseLead) }

  /// A session's number and the start of the server that it belongs to.
  func openSession() -> SimulatedSession {
    sessions += 1
    return SimulatedSession(number: sessions, start: databaseStarts)
  }

  /// One transaction, now; every change of it is checked.
  func transaction<Answer>(_ body: (inout ModelledStore) throws -> Answer) throws -> Answer {
    store.turnClock(to: databaseTime)
    let answer = try body(&store)
    let changes = store.takeChanges()
    for change in changes {
      trace.note(at: now, "queue", change.cause.told, change.job.rawValue, change.after.epoch)
      try invariants.take(change, store: store)
      if change.cause == .crashed { try crashed(change) }
    }
    try invariants.settled(changes, store: store)
    for change in changes where change.after.state == .ready { ring(store.lane(of: change.job)) }
    return answer
  }

  /// Workers hear of a lane with ready work, most of the time.
  private func ring(_ lane: Int64) {
    for worker in workers where worker.isAlive && random.happens(areFaultsOn ? 0.7 : 0.95) {
      plan(after: random.duration(1...50), for: worker) { [unowned worker] in worker.rung(lane) }
    }
  }
}

/// A connection, as its client sees it.
struct SimulatedSession {
  var number: Int
  /// Which start of the server it belongs to.
  var start: Int
  /// The server hung up, or the network did, and the client can see it.
  var isClosed = false
}

extension ModelledStore.Cause {
  /// For the trace, which keeps no text of its own.
  var told: StaticString {
    switch self {
    case .enqueued: "enqueued job"
    case .claimed: "claimed job, epoch"
    case .completed: "completed job, epoch"
    case .yielded: "yielded job, epoch"
    case .snoozed: "snoozed job, epoch"
    case .retried: "retried job, epoch"
    case .died: "buried job, epoch"
    case .crashed: "took back job, epoch"
    case .promoted: "promoted job, epoch"
    case .unblocked: "unblocked job"
    case .risen: "raised job, epoch"
    case .cancelled: "cancelled job, epoch"
    case .cancelRequested: "asks to cancel job, epoch"
    case .cancelWithdrawn: "no longer asks to cancel job, epoch"
    case .dropped: "dropped job, epoch"
    case .suspected: "took back uncharged job, epoch"
    }
  }
}
