import JobModel
import JobStore
import Logging
import Postgres
import ServiceLifecycle

/// A process of one release with a number of slots: claims jobs, does them, and proves all the while that it lives.
///
/// A graceful shutdown drains it: no more claims, every attempt stops at its next checkpoint and gives its job back,
/// then the worker says goodbye. A worker that could not renew its lease stops its attempts by its own clock.
public struct Worker: Service {
  private let settings: WorkerSettings
  private let database: PostgresSettings
  private let store: JobStore
  private let handlers: [String: any JobHandler]
  private let logger: Logger
  private let running: RunningAttempts
  private let clock = ContinuousClock()

  /// - Parameters:
  ///   - database: For the worker's own session, whose advisory lock tells the reaper of a crash.
  ///   - handlers: By job kind. A job of another kind in a lane of the worker's stages is put off, uncharged.
  public init(
    settings: WorkerSettings, database: PostgresSettings, store: JobStore, handlers: [String: any JobHandler],
    logger: Logger
  ) {
    var settings = settings
    settings.stages = settings.stages ?? handlers.keys.sorted()
    self.settings = settings
    self.database = database
    self.store = store
    self.handlers = handlers
    self.logger = logger
    running = RunningAttempts(slots: settings.slots)
  }

  /// Asks the worker to finish its chunks, give its jobs back and return from ``run()``.
  public func drain() { running.drain() }

  public func run() async throws {
    let sent = clock.now
    let session = try await WorkerSession.open(settings, database: database, store: store, logger: logger)
    var logger = logger
    logger[metadataKey: "worker_id"] = "\(session.worker)"
    logger.info("worker started", metadata: ["slots": "\(settings.slots)", "pid": "\(settings.pid)"])
    let thread = BeatThread()
    defer { thread.stop() }
    let lease = LeaseGuard(
      session, running: running, timing: settings.timing, registeredAt: sent, thread: thread, logger: logger)
    let loop = QueueLoop(
      worker: session.worker, settings: settings, store: store, database: database, running: running, logger: logger)

    let outcome: Result<Void, any Error>
    do {
      try await withGracefulShutdownHandler {
        try await withThrowingTaskGroup(of: Void.self) { group in
          group.addTask(executorPreference: thread) { try await lease.beat() }
          group.addTask(executorPreference: thread) { try await lease.watch() }
          group.addTask { try await lookAfterAttempts(of: session.worker) }
          group.addTask { try await listen(for: loop) }
          group.addTask { [logger] in
            try await serve(loop, logger: logger)
            throw LoopEnded()
          }
          // The loop ends when the drain is done; the others only fail, and then no attempt may go on.
          do { try await group.waitUntilLoopEnds() } catch {
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
    await session.leave(running, logger: logger)
    logger.info("worker stopped")
    try outcome.get()
  }

  /// Claims and acknowledges until the worker has drained.
  private func serve(_ loop: QueueLoop, logger: Logger) async throws {
    let executor = AttemptExecutor(
      store: store, handlers: handlers, retry: settings.retry, running: running, logger: logger)
    try await loop.run { claim in
      let attempt = JobAttempt(claim: claim, store: store, logger: logger, acknowledger: loop.acknowledger)
      running.start(attempt, now: clock.now) {
        let passedOn = await executor.perform(attempt)
        loop.ended(claim, passedOn: passedOn)
      }
    }
  }

  /// Hears of ready jobs: from this process, and from others where sessions stay.
  private func listen(for loop: QueueLoop) async throws {
    let number = store.bell?.listen { loop.rung($0) }
    defer { if let number { store.bell?.remove(number) } }
    if database.isPooled {
      while true { try await clock.sleep(for: .seconds(3600)) }
    }
    try await LaneListener(store: store, settings: database, logger: logger).run {
      loop.rung($0)
    } began: {
      loop.lookAnew()
    } lost: {
      running.heard($0, at: clock.now)
    }
  }

  /// Writes progress, stops attempts that hang or ran out of time, those whose jobs were cancelled, and at their next
  /// checkpoint those whose jobs another engine does from now on.
  private func lookAfterAttempts(of worker: Int64) async throws {
    try await withThrowingDiscardingTaskGroup { group in
      while true {
        try await clock.sleep(for: .milliseconds(500))
        // Never waits for the database: handlers that hang may be what holds all of its connections.
        let changes = running.review(now: clock.now, stall: settings.timing.stall)
        guard !running.isEmpty, group.isEmpty else { continue }
        group.addTask {
          do {
            try await store.writeProgress(changes)
            let asked = try await store.askedLeases(ofWorker: worker, release: settings.release)
            running.cancelJobs(asked.cancelled)
            running.handOver(asked.handedOver)
          } catch let error as PostgresError {
            // Also one that stays: what is shown of an attempt must not end its worker.
            logger.log(
              level: error.isTransient ? .debug : .warning, "running attempts were not looked after",
              metadata: ["error": "\(error)"])
          }
        }
      }
    }
  }
}

/// The worker was declared dead, by the reaper or by its own clock: its jobs belong to others.
public struct WorkerRevoked: Failure, Equatable {
  public init() {}
  public var code: String { "worker_revoked" }
  public var message: String { "this worker could not renew its lease and has stopped its attempts" }
  public var hint: String? { "look for a database outage or a stopped process; start a new worker" }
  public var isTransient: Bool { true }
}

/// Carries the end of the queue's loop out of the group whose other tasks never end.
private struct LoopEnded: Error {}

extension ThrowingTaskGroup where ChildTaskResult == Void, Failure == any Error {
  fileprivate mutating func waitUntilLoopEnds() async throws {
    do { while try await next() != nil {} } catch is LoopEnded {}
  }
}
