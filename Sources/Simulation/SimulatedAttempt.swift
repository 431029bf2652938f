import JobModel
import JobStore
import JobWorker
import Postgres

/// One attempt of a job in a worker's hands: works through its chunks, commits each, and ends as `AttemptExecutor` says.
final class SimulatedAttempt {
  let holder: LeaseHolder
  private let number: Int
  private let maximumAttempts: Int
  private var chunksDone: Int
  private let script: JobScript
  private unowned let worker: SimulatedWorker
  private var world: Simulation { worker.world }

  private var movedAt: SimulatedInstant
  private var shouldYield = false
  private var isCancelled = false
  private var isStalled = false
  /// A transaction is on its way, or the end is being written.
  private var isWriting = false
  private var isFinishing = false

  init(
    holder: LeaseHolder, number: Int, chunksDone: Int, script: JobScript, worker: SimulatedWorker, maximumAttempts: Int
  ) {
    self.holder = holder
    self.number = number
    self.chunksDone = chunksDone
    self.script = script
    self.worker = worker
    self.maximumAttempts = maximumAttempts
    movedAt = worker.world.now
  }

  func start() {
    if script.temper == .hanging, number == 1 { return }
    work()
  }

  func requestYield() { shouldYield = true }

  /// Takes effect at once, or at the end of the chunk in a handler that does not listen.
  func cancel() {
    isCancelled = true
    let isHanging = script.temper == .hanging && number == 1
    if !isWriting, !isFinishing, script.isCooperative || isHanging { finish(.failure(CancellationError())) }
  }

  func cancelIfStalled() {
    guard !isStalled, movedAt.duration(to: world.now) >= Simulation.timing.stall else { return }
    isStalled = true
    cancel()
  }

  private func work() {
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
    let isLast = chunk == script.chunks
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
    chunksDone = chunk
    if isLast { return finish(.success(()), isEnded: true) }
    if isCancelled { return finish(.failure(CancellationError())) }
    if shouldYield { return finish(.failure(JobYield())) }
    if script.temper == .snoozing, world.random.happens(0.3) {
      return finish(.failure(JobSnooze(world.random.duration(100...5000))))
    }
    work()
  }

  /// Writes how the attempt ended, by the rule of the real worker.
  private func finish(_ result: Result<Void, any Error>, isEnded: Bool = false) {
    isFinishing = true
    let claim = Claim(
      jobID: holder.jobID, runID: nil, releaseID: nil, epoch: holder.epoch, ticket: 0, attempt: number,
      maximumAttempts: maximumAttempts, kind: script.temper.rawValue, label: "simulated", pipeline: "simulated",
      stage: "simulated", payload: "{}", runAt: nil, mark: nil)
    var end = AttemptExecutor.end(
      of: result, claim: claim, isEnded: isEnded, isStalled: isStalled, retry: Simulation.retry,
      jitter: world.random.fraction())
    var isOutage = false
    if case .failure(let error) = result, error is PostgresError, !isStalled { isOutage = true }
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
    case .yielded, .snoozed: return
    case .retried, .dead:
      throw InvariantBroken("outage_is_not_charged", "job \(holder.jobID) pays for an outage of the database")
    }
  }
}
