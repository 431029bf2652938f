import JobModel
import Logging
import Postgres
import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// One attempt of a job, in the hands of its handler: what it is, where it resumes, and the fenced ways to write.
///
/// Every write says `(job, epoch)` and throws ``LeaseLost`` once another attempt owns the job; the handler then stops.
public final class JobAttempt: Sendable {
  package let claim: Claim
  package let store: JobStore
  private let baseLogger: Logger
  private let acknowledger: (any Acknowledging)?

  private struct State {
    var progress = JobProgress()
    var movements = 0
    var hasMovedOn = false
    var waits = AttemptWaits<ContinuousClock.Instant>()
    /// The most that its worker's own process had in memory while it ran, and the largest child of its own.
    var ownMemory: Int64 = 0
    var childMemory: Int64 = 0
    var yieldRequested = false
    var isCancelled = false
    var isEnded = false
    var permits: Set<String>
    var passedOn: [Int64: JobID]?
  }
  private let state: Mutex<State>

  /// - Parameter acknowledger: Ends jobs that have nothing more to write, many in one exchange; nil: each by itself.
  package init(claim: Claim, store: JobStore, logger: Logger, acknowledger: (any Acknowledging)? = nil) {
    self.claim = claim
    self.store = store
    self.acknowledger = acknowledger
    baseLogger = logger
    state = Mutex(State(permits: claim.permits))
  }

  /// With the job's number in every line.
  public var logger: Logger {
    var logger = baseLogger
    logger[metadataKey: "job_id"] = "\(claim.jobID)"
    logger[metadataKey: "epoch"] = "\(claim.epoch)"
    logger[metadataKey: "kind"] = "\(claim.kind)"
    return logger
  }

  /// Whether a line of this level would be written; asked where jobs are many and lines few.
  package func logs(_ level: Logger.Level) -> Bool { baseLogger.logLevel <= level }

  public var jobID: JobID { claim.jobID }
  public var runID: RunID? { claim.runID }
  public var epoch: Int64 { claim.epoch }
  package var ticket: Int64 { claim.ticket }
  public var attempt: Int { claim.attempt }
  public var pipeline: String { claim.pipeline }
  public var payload: String { claim.payload }
  public var mark: JobMark? { claim.mark }

  /// Whether the worker drains: finish the chunk, checkpoint, then `throw JobYield()`.
  public var shouldYield: Bool { state.withLock { $0.yieldRequested } }
  package func requestYield() { state.withLock { $0.yieldRequested = true } }

  /// Whether someone cancelled the job: its task is cancelled as well.
  public var isCancelled: Bool { state.withLock { $0.isCancelled } }
  package func markCancelled() { state.withLock { $0.isCancelled = true } }

  /// Whether the job was ended by ``complete()`` or ``complete(_:)``.
  package var isEnded: Bool { state.withLock { $0.isEnded } }

  /// Commits results together with the checkpoint that describes them, in one transaction fenced by (job, epoch).
  ///
  /// - Throws: ``LeaseLost``, or what `also` throws; nothing is written then.
  public func checkpoint(
    format: CheckpointFormat, state: String, _ also: @Sendable (PostgresTransaction) async throws -> Void = { _ in }
  ) async throws {
    let holder = claim.holder
    // Once it has moved on, the first one is not sent again.
    let first = hasMovedOn ? nil : claim.mark
    let isNew = try await store.database.transaction { transaction in
      let isNew = try await store.checkpoint(
        holder, JobMark(format: format, state: state), since: first, in: transaction)
      try await also(transaction)
      return isNew
    }
    self.state.withLock {
      $0.movements += 1
      if isNew { $0.hasMovedOn = true }
    }
  }

  /// Writes a checkpoint that leaves parts of the work out, and gives these to new jobs of the run, in one transaction fenced by (job, epoch).
  ///
  /// What waits for this job waits for the new ones as well. They have its kind and payload, and differ by their checkpoints alone.
  ///
  /// - Throws: ``LeaseLost``; ``JobYield`` where the job is to be cancelled. Nothing is written then.
  package func split(format: CheckpointFormat, state: String, into parts: [JobPart]) async throws {
    guard let run = claim.runID else { preconditionFailure("a job without a run is not split") }
    let holder = claim.holder
    let lane = try await store.database.transaction { transaction in
      let lane = try await store.split(holder, of: run, format: format, into: parts, in: transaction)
      try await store.checkpoint(holder, JobMark(format: format, state: state), since: claim.mark, in: transaction)
      return lane
    }
    self.state.withLock {
      $0.movements += 1
      $0.hasMovedOn = true
    }
    store.bell?.ring([lane])
  }

  /// Ends the job as done, with nothing more to write.
  ///
  /// - Throws: ``LeaseLost``.
  public func complete() async throws {
    guard claim.runID == nil else { return try await complete { _ in } }
    let (progress, waited) = (currentProgress, waitedJSON)
    let isSilent = progress == JobProgress() && waited == nil
    let finished = FinishedJob(claim.holder, detail: isSilent ? nil : progress.json(waited: waited))
    let permits = state.withLock { $0.permits }
    if !permits.isEmpty {
      guard let lanes = try await store.finish(finished, passingOn: permits) else { throw LeaseLost(claim.holder) }
      state.withLock { $0.passedOn = lanes }
    } else if let acknowledger {
      try await acknowledger.acknowledge(finished)
    } else if try await !store.finish([finished], in: store.database).isEmpty {
      throw LeaseLost(claim.holder)
    }
    state.withLock { $0.isEnded = true }
  }

  /// Commits the last results and ends the job as done, in one transaction fenced by (job, epoch).
  ///
  /// - Throws: ``LeaseLost``, or what `also` throws; the job goes on as before then.
  public func complete(_ also: @Sendable (PostgresTransaction) async throws -> Void) async throws {
    let holder = claim.holder
    let progress = progressJSON
    let unblocked = try await store.database.transaction { transaction in
      let completion = try await store.complete(
        [holder], runs: claim.runID.map { [$0] } ?? [], detail: progress, in: transaction)
      guard completion.ended.contains(holder.jobID) else { throw LeaseLost(holder) }
      try await store.writeProgress([(holder, progress)], in: transaction)
      try await also(transaction)
      return completion.unblockedLanes
    }
    state.withLock { $0.isEnded = true }
    store.bell?.ring(unblocked)
  }

  /// Says how far the attempt is. Cheap, at any time; shown while it runs and kept when it ends. Counts as a sign of life.
  public func progress(_ progress: JobProgress) {
    state.withLock {
      if progress.bytes != $0.progress.bytes || progress.rows != $0.progress.rows || progress.units != $0.progress.units
      {
        $0.movements += 1
      }
      $0.progress = progress
    }
  }

  /// Says that the attempt waits, and for what, while the body runs: shown while it runs, and kept with the attempt as seconds by cause.
  ///
  /// No sign of life: an attempt that waits for too long without moving has hung.
  public func waiting<T>(
    for cause: WaitCause, isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> T
  ) async rethrows -> T {
    waits(for: cause, true)
    defer { waits(for: cause, false) }
    return try await body()
  }

  /// The same where a wait begins and ends in different places.
  package func waits(for cause: WaitCause, _ begins: Bool) {
    let now = ContinuousClock.now
    state.withLock { begins ? $0.waits.begin(cause, at: now) : $0.waits.end(cause, at: now) }
  }

  /// How long it has waited, as JSON; nil where it has not.
  package var waitedJSON: String? {
    let now = ContinuousClock.now
    return AttemptWaits<ContinuousClock.Instant>.json(state.withLock { $0.waits.waited(until: now) })
  }

  /// What is shown of it while it runs; nil where there is nothing to say. It changes only when something moves, begins or ends.
  package var shownProgress: String? {
    let (progress, waiting, ended) = state.withLock { ($0.progress, $0.waits.current, $0.waits.waited()) }
    let waited = AttemptWaits<ContinuousClock.Instant>.json(ended)
    guard progress != JobProgress() || waiting != nil || waited != nil else { return nil }
    return progress.json(waiting: waiting, waited: waited)
  }

  package var currentProgress: JobProgress { state.withLock { $0.progress } }

  /// Grows whenever bytes, rows or a checkpoint moved: an attempt where it stands still has hung.
  package var movements: Int { state.withLock { $0.movements } }
  /// Whether it has committed a checkpoint that is another one than it began with.
  package var hasMovedOn: Bool { state.withLock { $0.hasMovedOn } }

  private var progressJSON: String {
    let (progress, memory) = state.withLock { ($0.progress, $0.ownMemory + $0.childMemory) }
    return progress.json(peakMemory: memory > 0 ? memory : nil, waited: waitedJSON)
  }

  /// Says what its worker's process has in memory now, in bytes: of all its attempts together.
  package func noteMemory(ofWorker bytes: Int64) { state.withLock { $0.ownMemory = max($0.ownMemory, bytes) } }

  /// Says what a child process of the attempt took at most so far, in bytes.
  package func noteMemory(ofChild bytes: Int64) { state.withLock { $0.childMemory = max($0.childMemory, bytes) } }

  /// Keeps a line with the job, for `sluice logs`. A failure to keep it is logged and stops nothing.
  public func log(_ level: Logger.Level, _ message: String) async {
    do { try await store.log(claim.holder, level: level.rawValue, message: message) } catch {
      logger.warning("a job's log line was not kept", metadata: ["error": "\(error)"])
    }
  }

  /// Makes every later claim draw a ticket above this one; does nothing once the lease is lost.
  package func raiseTickets(above ticket: Int64) async throws {
    try await store.raiseTickets(above: ticket, for: claim.holder)
  }

  /// Takes all of these permits, which end with this attempt.
  ///
  /// - Throws: ``JobWaits`` where one of them is short: the job is put off until it is free, and that is not charged.
  ///   ``LeaseLost``.
  package func takePermits(_ needs: Set<PermitNeed>) async throws {
    switch try await store.takePermits(needs, for: claim.holder) {
    case .given(let keys): state.withLock { $0.permits.formUnion(keys) }
    case .ending: throw JobSnooze(.zero)
    case .waits(let key):
      // What it had before is free again with its lease.
      state.withLock { $0.isEnded = true }
      throw JobWaits(key: key)
    }
  }

  /// After the end of the attempt: lets those go on who wait for its permits.
  ///
  /// - Returns: The lanes where jobs became ready, and the lowest of them.
  package func passPermitsOn() async throws -> [Int64: JobID] {
    let (permits, done) = state.withLock { ($0.permits, $0.passedOn) }
    if let done { return done }
    return try await store.passOn(permits)
  }

  /// Ends the process with SIGKILL here when a test armed this point.
  package func killPoint(_ point: KillPoint) { ArmedKillPoint.shared?.pass(point) }
}

/// Ends jobs that are done and have nothing more to write.
package protocol Acknowledging: Sendable {
  /// Returns once the end is committed.
  ///
  /// - Throws: ``LeaseLost``.
  func acknowledge(_ finished: FinishedJob) async throws
}

/// The handler stops at a checkpoint because the worker drains; not charged.
public struct JobYield: Error, Equatable { public init() {} }

/// The handler wants to be called again later; not charged.
public struct JobSnooze: Error, Equatable {
  public var delay: Duration
  public init(_ delay: Duration) { self.delay = delay }
}

/// The job was put off until a permit is free; not charged. Its lease is gone: there is nothing left to do.
package struct JobWaits: Error, Equatable {
  package var key: String
  package init(key: String) { self.key = key }
}

/// What does the work of one kind of job.
public protocol JobHandler: Sendable {
  /// Does the job and ends it with ``JobAttempt/complete(_:)``.
  ///
  /// Throws ``JobYield``, ``JobSnooze``, or a ``Failure``: a transient one is tried again, a terminal one ends the job.
  func run(_ attempt: JobAttempt) async throws
}
