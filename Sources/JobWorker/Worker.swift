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

    let lease = LeaseGuard(
      session, running: running, timing: settings.timing, registeredAt: sent, logger: logger)

    let outcome: Result<Void, any Error>
    do {
      try await withGracefulShutdownHandler {
        try await withThrowingTaskGroup(of: Void.self) { group in
          group.addTask { try await lease.beat() }
          group.addTask { try await lease.watch() }
          group.addTask { try await reportProgress() }
          group.addTask { [logger] in
            try await claimUntilDrained(session.worker, executor, logger: logger)
          }
          // The claim loop returns when the drain is done; the others only fail, and then no attempt may go on.
          do { try await group.waitUntilClaimLoopEnds() } catch {
            running.drain()
            running.cancelAll()
            throw error
          }
          group.cancelAll()
        }
      } onGracefulShutdown: {
        running.drain()
      }
      outcome = .success(())
    } catch {
      outcome = .failure(error)
    }
    await session.leave(logger: logger)
    logger.info("worker stopped")
    try outcome.get()
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
            for claim in claims {
              running.reserve(claim.holder)
              attempts.addTask { await executor.perform(claim) }
            }
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
      // A cancelled task cannot wait; the group then waits for the attempts, which were cancelled as well.
      while running.freeSlots < settings.slots, !Task.isCancelled { await pause(settings.poll) }
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
