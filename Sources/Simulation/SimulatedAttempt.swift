import JobModel
import JobStore
import JobWorker
import Postgres

/// One attempt of a job in a worker's hands: works through its chunks, commits each, and ends as `AttemptExecutor` says.
final class SimulatedAttempt {
  let claim: Claim
  private var chunksDone: Int
  private let script: JobScript
  private unowned let worker: SimulatedWorker
  private var world: Simulation { worker.world }

  private let startedAt: SimulatedInstant
  private var movedAt: SimulatedInstant
  private var shouldYield = false
  private var isCancelled = false
  private var stop: RunningAttempts.Stop?
  /// A transaction is on its way.
  private var isWriting = false
  private var isFinishing = false
  private var hasMovedOn = false

  init(claim: Claim, script: JobScript, worker: SimulatedWorker) {
    self.claim = claim
    self.script = script
    self.worker = worker
    chunksDone = claim.mark.flatMap { Int($0.state) } ?? 0
    startedAt = worker.world.now
    movedAt = worker.world.now
  }

  var holder: LeaseHolder { claim.holder }
  private var isHanging: Bool { script.temper == .hanging && claim.attempt == 1 }

  func start() {
    if !isHanging { work() }
  }

  func requestYield() { shouldYield = true }

  /// Takes effect at once, or at the end of the chunk in a handler that does not listen.
  func cancel(because reason: RunningAttempts.Stop?) {
    isCancelled = true
    if stop == nil { stop = reason }
    if !isWriting, !isFinishing, script.isCooperative || isHanging { finish(.failure(CancellationError())) }
  }

  /// Stops it when it stands still or ran out of time.
  func review() {
    if stop == nil, movedAt.duration(to: world.now) >= Simulation.timing.stall {
      cancel(because: .stalled)
    } else if let limit = claim.timeLimit, startedAt.duration(to: world.now) >= limit {
      cancel(because: .timeLimit)
    }
  }

  private func work() {
    // What an earlier attempt could not acknowledge.
    if chunksDone == script.chunks { return acknowledge() }
    let time = script.chunkTime * (0.5 + world.random.fraction())
    world.plan(after: time, for: worker) { [weak self] in try self?.endChunk() }
  }

  private func endChunk() throws {
    guard !isFinishing else { return }
    if isCancelled { return finish(.failure(CancellationError())) }
    switch script.temper {
    case .poison: return worker.crash()
    case .hopeless: return finish(.failure(StageFailure(code: "hopeless", message: "it will never do")))
    case .flaky where world.random.happens(0.25):
      return finish(.failure(StageFailure(code: "flaky", message: "not this time", isTransient: true)))
    default: try commit()
    }
  }

  /// Commits one chunk in the sink, with the checkpoint or the completion that fences it.
  private func commit() throws {
    if worker.isRevoked {
      throw InvariantBroken(
        "revoked_writes_nothing", "\(worker.name) writes to job \(holder.jobID) after its keeper said stop")
    }
    isWriting = true
    let chunk = chunksDone + 1
    let isLast = chunk == script.chunks && !script.acknowledges
    let (world, holder) = (self.world, holder)
    world.send(isLast ? "completes job" : "checkpoints job", from: worker, holder.jobID.rawValue) { store in
      let isHeld = isLast ? store.complete([holder]).contains(holder.jobID) : store.checkpoint(holder, state: chunk)
      if isHeld || world.mistake == .resultsApartFromCheckpoint {
        try world.invariants.committed(holder.jobID, chunk: chunk)
      }
      return isHeld
    } answer: { [weak self] isHeld in
      self?.committed(chunk, isLast: isLast, isHeld: isHeld)
    }
  }

  private func committed(_ chunk: Int, isLast: Bool, isHeld: Bool?) {
    isWriting = false
    guard let isHeld else {
      return finish(
        .failure(PostgresError(.commitUnknown, operation: "checkpoint", message: "the connection was lost")))
    }
    guard isHeld else { return finish(.failure(LeaseLost(holder))) }
    movedAt = world.now
    hasMovedOn = true
    chunksDone = chunk
    if isLast { return done() }
    if isCancelled { return finish(.failure(CancellationError())) }
    if shouldYield { return finish(.failure(JobYield())) }
    if script.temper == .snoozing, world.random.happens(0.3) {
      return finish(.failure(JobSnooze(world.random.duration(100...5000))))
    }
    work()
  }

  /// Ends a loose job whose results are written: the worker's loop takes it along.
  private func acknowledge() {
    isWriting = true
    worker.acknowledge(self)
  }

  func acknowledged(isHeld: Bool) {
    isWriting = false
    if isHeld { done() } else { finish(.failure(LeaseLost(holder))) }
  }

  private func done() {
    isFinishing = true
    worker.remove(self)
  }

  /// Writes how the attempt ended, by the rule of the real worker.
  private func finish(_ result: Result<Void, any Error>) {
    isFinishing = true
    var end = AttemptExecutor.end(
      of: result, claim: claim, hasMovedOn: hasMovedOn, stop: stop, retry: Simulation.retry,
      jitter: world.random.fraction())
    var isOutage = false
    if case .failure(let error) = result, error is PostgresError, stop == nil { isOutage = true }
    if isOutage, world.mistake == .chargedOutage { end = .retried(after: .seconds(1), failure: "{}") }
    guard let end else { return worker.remove(self) }
    let (world, holder) = (self.world, holder)
    world.send("ends its attempt of job", from: worker, holder.jobID.rawValue, mayRepeat: true) { store in
      let isWritten = store.endAttempt(holder, as: end)
      if isWritten, isOutage { try world.outageIsNotCharged(end, holder) }
      return isWritten
    } answer: { [weak self] _ in
      guard let self else { return }
      worker.remove(self)
    }
  }
}

extension Simulation {
  func outageIsNotCharged(_ end: JobStore.AttemptEnd, _ holder: LeaseHolder) throws {
    switch end {
    case .yielded, .snoozed, .interrupted, .cancelled, .lostSession, .brokenSession: return
    case .retried, .outOfMemory, .dead:
      throw InvariantBroken("outage_is_not_charged", "job \(holder.jobID) pays for an outage of the database")
    }
  }
}
