import JobModel
import JobStore
import Logging
import Postgres
import ServiceLifecycle

/// Keeps the queue moving: jobs whose time has come become ready, and what dead workers held is taken back.
///
/// Any number may run; one acts, by an advisory lock of its session. It revokes only while that session is older than
/// one lease: a restart or a failover of the database ends every session at once and must not revoke the fleet.
package struct QueueMaintenance: Service {
  /// One constant for every version of the engine.
  private static let lockKey: Int64 = 7_351_904_229

  private let store: JobStore
  private let database: PostgresSettings
  private let timing: LeaseTiming
  private let tick: Duration
  private let logger: Logger
  private let clock = ContinuousClock()

  package init(
    store: JobStore, database: PostgresSettings, timing: LeaseTiming, tick: Duration = .milliseconds(250),
    logger: Logger
  ) {
    self.store = store
    self.database = database
    self.timing = timing
    self.tick = tick
    self.logger = logger
  }

  package func run() async throws {
    // A graceful shutdown ends the waiting by cancellation; that is no failure of the service.
    do { try await cancelWhenGracefulShutdown { try await keepServing() } } catch is CancellationError {}
  }

  private func keepServing() async throws {
    while !Task.isCancelled {
      do { try await serve() } catch let error as PostgresError where error.isTransient {
        logger.warning("queue maintenance lost its connection; trying again", metadata: ["error": "\(error)"])
        try await clock.sleep(for: .milliseconds(500))
      }
    }
  }

  /// Serves until its session ends.
  private func serve() async throws {
    let session = try await PostgresConnection.connect(database)
    let connectedAt = clock.now
    do {
      var suspects: [Int64: (suspect: JobStore.Suspect, seen: ContinuousClock.Instant)] = [:]
      while true {
        try await clock.sleep(for: tick)
        let leads = try await session.query("select pg_try_advisory_lock($1) as leads", [.int(Self.lockKey)])
        guard try leads.only.bool("leads") else { continue }
        let moved = try await store.promoteDue(on: session)
        if moved > 0 { logger.debug("jobs became ready", metadata: ["jobs": "\(moved)"]) }
        if connectedAt.duration(to: clock.now) > timing.lease {
          try await revoke(&suspects, on: session)
          try await reap(on: session)
        }
        // The lock is counted; give back what this tick took beyond the first.
        _ = try await session.query("select pg_advisory_unlock($1)", [.int(Self.lockKey)])
      }
    } catch {
      await session.close()
      throw error
    }
  }

  /// Revokes workers whose lease ran out, and those whose session is gone and that sent no beat for a second since.
  private func revoke(
    _ suspects: inout [Int64: (suspect: JobStore.Suspect, seen: ContinuousClock.Instant)],
    on session: PostgresConnection
  ) async throws {
    for worker in try await store.expireBeats(on: session) {
      logger.warning("worker revoked: its lease ran out", metadata: ["worker_id": "\(worker)"])
    }
    let missing = try await store.suspects(on: session)
    let now = clock.now
    for suspect in missing where suspects[suspect.worker] == nil { suspects[suspect.worker] = (suspect, now) }
    let missingNow = Set(missing.map(\.worker))
    for (worker, entry) in suspects {
      guard missingNow.contains(worker) else {
        suspects[worker] = nil
        continue
      }
      guard entry.seen.duration(to: now) >= .seconds(1) else { continue }
      suspects[worker] = nil
      if try await store.revoke(entry.suspect, on: session) {
        logger.warning("worker revoked: its session ended and no beat followed", metadata: ["worker_id": "\(worker)"])
      }
    }
  }

  private func reap(on session: PostgresConnection) async throws {
    for (job, isDead) in try await store.reapLeases(on: session) {
      logger.warning(
        isDead ? "job ended dead: its worker was lost too often" : "job taken back from a lost worker",
        metadata: ["job_id": "\(job)"])
    }
  }
}
