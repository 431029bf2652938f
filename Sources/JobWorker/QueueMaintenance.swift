import JobModel
import JobStore
import Logging
import Postgres
import ServiceLifecycle

/// Keeps the queue moving: jobs whose time has come become ready, what dead workers held is taken back, other processes
/// hear of ready jobs, and history goes with its time. One in a process; any number of processes.
///
/// One at a time acts, by an advisory lock of each round's transaction. It revokes only while its own session is older than
/// one lease: a restart or a failover of the database ends every session at once and must not revoke the fleet.
public struct QueueMaintenance: Service {
  /// How long the history of ended jobs is kept, where nothing else is said.
  public static let standardRetention = Duration.seconds(30 * 86_400)
  private static let retentionEvery = Duration.seconds(60)
  /// No history is deleted for so long after the database's clock has jumped.
  private static let pauseAfterJump = Duration.seconds(3600)
  private static let smallestJump = Duration.seconds(60)
  private static let pauseAfterRefusal = Duration.seconds(5)
  private static let lanesEvery = Duration.seconds(3600)

  private let store: JobStore
  private let database: PostgresSettings
  private let timing: LeaseTiming
  private let tick: Duration
  private let retention: Duration
  private let logger: Logger
  private let clock = ContinuousClock()

  public init(
    store: JobStore, database: PostgresSettings, timing: LeaseTiming, tick: Duration = .milliseconds(250),
    retention: Duration = standardRetention, logger: Logger
  ) {
    self.store = store
    self.database = database
    self.timing = timing
    self.tick = tick
    self.retention = retention
    self.logger = logger
  }

  public func run() async throws {
    // Handlers of this process that block every thread must not stop a round half-way: it holds the lock of maintenance.
    let thread = BeatThread()
    defer { thread.stop() }
    // A graceful shutdown ends the waiting by cancellation; that is no failure of the service.
    do {
      try await cancelWhenGracefulShutdown {
        try await withThrowingTaskGroup(of: Void.self) { group in
          group.addTask(executorPreference: thread) { try await keepServing(thread) }
          if let bell = store.bell, !database.isPooled {
            group.addTask {
              try await LaneNotifier(bell, store: store, database: database, logger: logger).run()
            }
          }
          // The notifier alone is not worth an end.
          while try await group.next() != nil {}
        }
      }
    } catch is CancellationError {}
  }

  private func keepServing(_ thread: BeatThread) async throws {
    // Of the clocks and of retention all sessions know: a new one may be a new server's, and is no reason to begin again.
    var judge = Judge(lease: timing.lease)
    var seldom = Seldom()
    while !Task.isCancelled {
      do { try await serve(thread, &judge, &seldom) } catch let error as PostgresError where error.isTransient {
        logger.warning("queue maintenance lost its connection; trying again", metadata: ["error": "\(error)"])
        try await thread.pause(for: .milliseconds(500))
      } catch let error as PostgresError where error.mayBeOfOneRow {
        // The process that maintains the queue does jobs too; they go on.
        logger.error("queue maintenance failed; trying again", metadata: ["error": "\(error)"])
        try await thread.pause(for: Self.pauseAfterRefusal)
      }
    }
  }

  /// When what is not for every round was begun last.
  private struct Seldom {
    var retainedAt: ContinuousClock.Instant?
    var lanesAt: ContinuousClock.Instant?
  }

  /// Serves until its session ends.
  private func serve(_ thread: BeatThread, _ judge: inout Judge, _ seldom: inout Seldom) async throws {
    let session = try await store.queueSession(database)
    judge.connected()
    do {
      while true {
        try await thread.pause(for: tick)
        guard try await round(&judge, on: session) else { continue }
        // A clock that has jumped may come back: what it says is old may be new.
        let mayDelete = judge.jumpedAt.map { $0.duration(to: clock.now) >= Self.pauseAfterJump } ?? true
        if seldom.retainedAt.map({ $0.duration(to: clock.now) >= Self.retentionEvery }) ?? true {
          seldom.retainedAt = clock.now
          let rules = QueueRetention(store: store, keep: retention, logger: logger)
          try await rules.recover(on: session)
          if mayDelete { try await rules.run(on: session) }
          if mayDelete, seldom.lanesAt.map({ $0.duration(to: clock.now) >= Self.lanesEvery }) ?? true {
            seldom.lanesAt = clock.now
            try await rules.runSeldom(on: session)
          }
        }
      }
    } catch {
      await session.close()
      throw error
    }
  }

  /// Who is missing, as far as this session has seen, and what all sessions have seen of the database's clock.
  struct Judge: Sendable {
    var rule: RevocationRule<ContinuousClock.Instant>
    /// As each was seen first, with the database's time of it.
    var suspects: [Int64: JobStore.Suspect] = [:]

    private var lastLook: (at: ContinuousClock.Instant, databaseTime: Duration)?
    /// When the database's clock was seen to jump last.
    private(set) var jumpedAt: ContinuousClock.Instant?

    init(lease: Duration) { rule = RevocationRule(lease: lease) }

    /// There is a new session. Its server's clock is compared with the one before.
    mutating func connected() {
      rule.connected()
      suspects = [:]
    }

    mutating func watchClock(_ databaseTime: Duration, at now: ContinuousClock.Instant) {
      if let lastLook {
        let jump = (databaseTime - lastLook.databaseTime) - lastLook.at.duration(to: now)
        if max(jump, .zero - jump) > QueueMaintenance.smallestJump { jumpedAt = now }
      }
      lastLook = (now, databaseTime)
    }
  }

  /// One round, in one transaction. Returns whether it led.
  private func round(_ judge: inout Judge, on session: PostgresConnection) async throws -> Bool {
    let before = judge
    let (after, lanes, leads) = try await session.transaction { transaction in
      var judge = before
      var lanes: Set<Int64> = []
      let lead = try await store.leadMaintenance(in: transaction)
      judge.watchClock(lead.databaseTime, at: clock.now)
      guard lead.leads else {
        // Who does not lead watches the clocks, so as to be ready when the one who leads is gone.
        _ = judge.rule.looked(at: clock.now, databaseTime: lead.databaseTime, missing: [])
        return (judge, lanes, false)
      }
      if try await revoke(lead, &judge, in: transaction) {
        for (job, lane, isDead) in try await store.reapLeases(on: transaction) {
          lanes.insert(lane)
          logger.warning(
            isDead ? "job ended dead: its worker was lost too often" : "job taken back from a lost worker",
            metadata: ["job_id": "\(job)"])
        }
      }
      let due = try await store.promoteDue(on: transaction)
      if !due.isEmpty { logger.debug("jobs became ready", metadata: ["jobs": "\(due.values.reduce(0, +))"]) }
      lanes.formUnion(due.keys)
      // Last, because nothing may be waited for once permits are locked.
      lanes.formUnion(try await store.passOnAll(in: transaction).keys)
      return (judge, lanes, true)
    }
    judge = after
    store.bell?.ring(lanes)
    return leads
  }

  /// Revokes whom the rule allows. Returns whether leases may be taken back at all.
  private func revoke(
    _ lead: JobStore.MaintenanceLead, _ judge: inout Judge, in transaction: PostgresTransaction
  ) async throws -> Bool {
    let missing = try await store.suspects(on: transaction)
    judge.suspects = Dictionary(
      uniqueKeysWithValues: missing.map { ($0.worker, judge.suspects[$0.worker] ?? $0) })
    let decision = judge.rule.looked(
      at: clock.now, databaseTime: lead.databaseTime, missing: missing.map(\.worker))
    guard decision.mayRevoke, lead.sessionAge > timing.lease else { return false }
    for worker in try await store.expireBeats(on: transaction) {
      logger.warning("worker revoked: its lease ran out", metadata: ["worker_id": "\(worker)"])
    }
    for worker in decision.overdue {
      guard let suspect = judge.suspects.removeValue(forKey: worker) else { continue }
      judge.rule.settled(worker)
      guard try await store.revoke(suspect, on: transaction) else { continue }
      logger.warning(
        "worker revoked: its session ended and no beat followed", metadata: ["worker_id": "\(worker)"])
    }
    return true
  }
}
