import JobModel
import JobStore
import Logging
import Postgres
import ServiceLifecycle

/// A process of one release with a number of slots: claims jobs, does them, and proves all the while that it lives.
///
/// A graceful shutdown drains it: no more claims, every attempt stops at its next checkpoint and gives its job back,
/// then the worker says goodbye. A worker that could not renew its lease stops its attempts by its own clock.
package struct Worker: Service {
  private let settings: WorkerSettings
  private let database: PostgresSettings
  private let store: JobStore
  private let handlers: [String: any JobHandler]
  private let logger: Logger
  private let running: RunningAttempts
  private let clock = ContinuousClock()

  /// - Parameters:
  ///   - database: For the worker's own session, whose advisory lock tells the reaper of a crash.
  ///   - handlers: By job kind. A job of another kind ends dead with a failure that says so.
  package init(
    settings: WorkerSettings, database: PostgresSettings, store: JobStore, handlers: [String: any JobHandler],
    logger: Logger
  ) {
    self.settings = settings
    self.database = database
    self.store = store
    self.handlers = handlers
    self.logger = logger
    running = RunningAttempts(slots: settings.slots)
  }

  /// Asks the worker to finish its chunks, give its jobs back and return from ``run()``.
  package func drain() { running.drain() }

  package func run() async throws {
    let sent = clock.now
    let session = try await WorkerSession.open(settings, database: database, store: store, logger: logger)
    var logger = logger
    logger[metadataKey: "worker_id"] = "\(session.worker)"
    logger.info("worker started", metadata: ["slots": "\(settings.slots)", "pid": "\(settings.pid)"])
    let executor = AttemptExecutor(
      store: store, handlers: handlers, retry: settings.retry, running: running, logger: logger)

    try await withGracefulShutdownHandler {
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await keepLease(session, registeredAt: sent) }
        group.addTask { try await reportProgress() }
        group.addTask { [logger] in
          try await claimUntilDrained(session.worker, executor, logger: logger)
        }
        // The claim loop returns when the drain is done; the other two only fail.
        try await group.waitUntilClaimLoopEnds()
        group.cancelAll()
      }
    } onGracefulShutdown: {
      running.drain()
    }
    try await store.workerLeaves(session.worker)
    await session.close()
    logger.info("worker stopped")
  }

  /// Claims while there are free slots and no drain; returns once every attempt has ended.
  private func claimUntilDrained(_ worker: Int64, _ executor: AttemptExecutor, logger: Logger) async throws {
    try await withThrowingDiscardingTaskGroup { attempts in
      while !running.isDraining {
        let free = min(running.freeSlots, JobStore.longestClaim)
        var claimed = 0
        if free > 0 {
          do {
            let claims = try await store.claim(worker: worker, release: settings.release, limit: free)
            claimed = claims.count
            for claim in claims { attempts.addTask { await executor.perform(claim) } }
          } catch let error as PostgresError where error.isTransient {
            logger.warning("the queue did not answer a claim; trying again", metadata: ["error": "\(error)"])
          }
        }
        if claimed == 0 || running.freeSlots == 0 { await pause(settings.poll * Double.random(in: 0.75...1)) }
      }
      let grace = Task {
        try await clock.sleep(for: settings.stopGrace)
        running.cancelAll()
      }
      defer { grace.cancel() }
      while running.freeSlots < settings.slots { await pause(settings.poll) }
    }
    throw ClaimLoopEnded()
  }

  /// Waits for a slot to become free, a drain, or the time to pass.
  private func pause(_ time: Duration) async {
    await withTaskGroup(of: Void.self) { group in
      group.addTask { try? await clock.sleep(for: time) }
      group.addTask { await running.changed.wait() }
      await group.next()
      group.cancelAll()
    }
  }

  /// Beats; on a lost session beats at once on another. Throws when the worker is revoked.
  private func keepLease(_ session: WorkerSession, registeredAt: ContinuousClock.Instant) async throws {
    var keeper = LeaseKeeper(lease: settings.timing.lease, registeredAt: registeredAt)
    while true {
      let sent = clock.now
      do {
        let accepted = try await session.beat(draining: running.isDraining)
        keeper.answered(sentAt: sent, accepted: accepted)
        try await session.verifySchema()
      } catch let error as PostgresError where error.isTransient {
        logger.warning("a beat was not accepted; trying another connection", metadata: ["error": "\(error)"])
        await session.discardConnection()
      }
      guard keeper.holds(at: clock.now) else {
        running.drain()
        running.cancelAll()
        throw WorkerRevoked()
      }
      try await clock.sleep(for: session.isConnected ? settings.timing.beat : .milliseconds(200))
    }
  }

  private func reportProgress() async throws {
    while true {
      try await clock.sleep(for: .milliseconds(500))
      let changes = running.review(now: clock.now, stall: settings.timing.stall)
      do { try await store.writeProgress(changes) } catch let error as PostgresError where error.isTransient {
        logger.debug("progress was not written", metadata: ["error": "\(error)"])
      }
    }
  }
}

/// The worker was declared dead, by the reaper or by its own clock: its jobs belong to others.
package struct WorkerRevoked: Failure, Equatable {
  package init() {}
  package var code: String { "worker_revoked" }
  package var message: String { "this worker could not renew its lease and has stopped its attempts" }
  package var hint: String? { "look for a database outage or a stopped process; start a new worker" }
  package var isTransient: Bool { true }
}

/// Carries the end of the claim loop out of the group whose other tasks never end.
private struct ClaimLoopEnded: Error {}

extension ThrowingTaskGroup where ChildTaskResult == Void, Failure == any Error {
  fileprivate mutating func waitUntilClaimLoopEnds() async throws {
    do { while try await next() != nil {} } catch is ClaimLoopEnded {}
  }
}
