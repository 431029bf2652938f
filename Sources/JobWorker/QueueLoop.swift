import JobModel
import JobStore
import Logging
import Postgres
import Synchronization

/// The worker's exchange with the queue: turn by turn it takes along what is done, and claims what the planner asks for.
///
/// On a connection of its own, so that no handler's transaction stands before a claim.
final class QueueLoop: Sendable {
  /// After a turn that the database did not answer.
  private static let pauseAfterFailure = Duration.milliseconds(250)

  private let worker: Int64
  private let settings: WorkerSettings
  private let store: JobStore
  private let database: PostgresSettings
  private let running: RunningAttempts
  private let logger: Logger
  private let planner: Mutex<ClaimPlanner<ContinuousClock.Instant>>
  private let setAsides = Mutex(SetAsideRule())
  private let clock = ContinuousClock()
  private let alarm: Alarm
  let acknowledger: Acknowledger

  init(
    worker: Int64, settings: WorkerSettings, store: JobStore, database: PostgresSettings, running: RunningAttempts,
    logger: Logger
  ) {
    self.worker = worker
    self.settings = settings
    self.store = store
    self.database = database
    self.running = running
    self.logger = logger
    planner = Mutex(ClaimPlanner(now: clock.now, claimsByMemory: settings.memory != nil))
    alarm = Alarm(running.changed)
    acknowledger = Acknowledger { [changed = running.changed] in changed.set() }
  }

  /// Jobs became ready in these lanes.
  func rung(_ lanes: Set<Int64>) {
    planner.withLock { $0.rung(lanes, now: clock.now) }
    running.changed.set()
  }

  /// Everything is to be looked at.
  func lookAnew() {
    planner.withLock { $0.forget(now: clock.now) }
    running.changed.set()
  }

  /// - Parameter passedOn: Where others became ready by its end, and the lowest of them.
  func ended(_ claim: Claim, passedOn: [Int64: JobID]) {
    let isTurn = planner.withLock {
      $0.passedOn(passedOn)
      return $0.ended(claim)
    }
    // The slot was free before: the loop has looked once already.
    if isTurn { running.changed.set() }
    guard !passedOn.isEmpty else { return }
    running.changed.set()
    // Only now: a claim before the watermark was set back would not find them.
    store.bell?.ring(passedOn.keys)
  }

  /// Goes on until the worker drains and every attempt has ended.
  ///
  /// - Parameter start: Begins the attempt of a claim.
  func run(_ start: @escaping @Sendable (Claim) -> Void) async throws {
    defer {
      alarm.stop()
      acknowledger.close()
    }
    var session: PostgresConnection?
    var uncertain: Set<LeaseHolder> = []
    var patienceEndsAt: ContinuousClock.Instant?
    var isPatient = true
    do {
      while !(running.isDraining && running.isEmpty) {
        try Task.checkCancellation()
        if running.isDraining, isPatient {
          let end = patienceEndsAt ?? clock.now + settings.stopGrace
          patienceEndsAt = end
          if clock.now >= end {
            running.cancelAll()
            isPatient = false
          }
        }
        let action = next()
        let entries = acknowledger.take()
        if entries.isEmpty, case .wait(let until) = action {
          // Also a time that has passed since it was looked up: it is rung for at once.
          await pause(until: [until, isPatient ? patienceEndsAt : nil].compactMap { $0 }.min())
          continue
        }
        do {
          let connection: PostgresConnection
          if let session { connection = session } else { connection = try await store.queueSession(database) }
          session = connection
          try await turn(action, entries, &uncertain, connection, start)
        } catch let error as PostgresError where error.isTransient || error.mayBeOfOneRow {
          running.heard(error, at: clock.now)
          logger.warning("the queue did not answer; trying again", metadata: ["error": "\(error)"])
          await session?.close()
          session = nil
          try await clock.sleep(for: Self.pauseAfterFailure)
        }
      }
    } catch {
      await session?.close()
      throw error
    }
    await session?.close()
  }

  private func next() -> ClaimPlanner<ContinuousClock.Instant>.Action {
    guard !running.isDraining else { return .wait(until: nil) }
    let free = running.freeSlots
    return planner.withLock { $0.next(free: free, now: clock.now) }
  }

  private func turn(
    _ action: ClaimPlanner<ContinuousClock.Instant>.Action, _ entries: [Acknowledger.Entry],
    _ uncertain: inout Set<LeaseHolder>, _ session: PostgresConnection, _ start: @Sendable (Claim) -> Void
  ) async throws {
    var request: ClaimRequest?
    if case .claim(let asked) = action { request = asked }
    if request != nil { running.turned() }
    defer { if request != nil { running.turned() } }
    if !entries.isEmpty || request != nil {
      let turn = QueueTurn(finished: entries.map(\.finished), request: request)
      let outcome: QueueTurn.Outcome
      do {
        outcome = try await store.take(turn, worker: worker, release: settings.release, on: session)
      } catch let error as PostgresError where !error.isTransient && !entries.isEmpty {
        await settleSingly(entries, session)
        return
      } catch let error as PostgresError where error.mayBeOfOneRow {
        outcome = try await claimSingly(request, after: error, session)
      } catch {
        // Committed or not: the next turn finds out.
        uncertain.formUnion(entries.map(\.finished.holder))
        acknowledger.putBack(entries)
        throw error
      }
      if !outcome.claims.isEmpty { setAsides.withLock { $0.claimed() } }
      if let request { planner.withLock { $0.claimed(request, outcome.claims) } }
      for claim in outcome.claims { start(claim) }
      if outcome.unmatched.isEmpty {
        uncertain.subtract(entries.map(\.finished.holder))
        // Beside the next turn: the server has something to do meanwhile.
        Task { for entry in entries { entry.waiter.resume() } }
      } else {
        await answer(entries, unmatched: outcome.unmatched, &uncertain)
      }
    }
    guard case .survey(let job) = action else { return }
    let asked = clock.now
    let survey = try await store.survey(
      release: settings.release, stages: settings.stages, worker: worker, waitingFor: job, on: session)
    let look = try await lookAtMemory(survey.lanes, session)
    let now = clock.now
    let poll = settings.poll * Double.random(in: 0.75...1)
    planner.withLock {
      $0.surveyed(
        survey.lanes, waitingFor: survey.waitingFor, memory: look, memoryOf: settings.memory,
        took: asked.duration(to: now), poll: poll, now: now)
    }
  }

  /// What the host's memory has room for; nil where nothing is to be claimed, or the worker does not claim by memory.
  private func lookAtMemory(
    _ lanes: [ReadyLane], _ session: PostgresConnection
  ) async throws -> JobStore.MemoryLook? {
    guard settings.memory != nil, !lanes.isEmpty else { return nil }
    let jobs = lanes.flatMap { lane in
      (lane.hasWork ? [(lane.id, JobID(lane.lowest))] : []) + (lane.suspect.map { [(lane.id, $0)] } ?? [])
    }
    return try await store.memoryLook(
      worker: worker, jobs: jobs, waitingFor: planner.withLock { $0.keepsRoomFor }, on: session)
  }

  /// One of the jobs cannot be claimed: it must not keep the others from running.
  private func claimSingly(
    _ request: ClaimRequest?, after error: PostgresError, _ session: PostgresConnection
  ) async throws -> QueueTurn.Outcome {
    guard let request else { throw error }
    // Of one loop alone: no other changes it in between.
    var rule = setAsides.withLock { $0 }
    let result: Result<JobStore.SingleClaims, any Error>
    do {
      result = .success(
        try await store.claimSingly(
          request, worker: worker, release: settings.release, rule: &rule, at: clock.now, on: session))
    } catch { result = .failure(error) }
    setAsides.withLock { [rule] in $0 = rule }
    let found = try result.get()
    for (job, reason) in found.setAside {
      logger.error(
        "job set aside: no worker can claim it", metadata: ["job_id": "\(job)", "reason": "\(reason.message)"])
    }
    return QueueTurn.Outcome(claims: found.claims)
  }

  private func answer(
    _ entries: [Acknowledger.Entry], unmatched: Set<JobID>, _ uncertain: inout Set<LeaseHolder>
  ) async {
    var done: Set<LeaseHolder> = []
    let doubtful = entries.map(\.finished.holder).filter { unmatched.contains($0.jobID) && uncertain.contains($0) }
    if !doubtful.isEmpty {
      do { done = try await store.areDone(doubtful) } catch {
        logger.warning("whether jobs ended as done is not known", metadata: ["error": "\(error)"])
      }
    }
    for entry in entries {
      let holder = entry.finished.holder
      uncertain.remove(holder)
      if unmatched.contains(holder.jobID), !done.contains(holder) {
        entry.waiter.resume(throwing: LeaseLost(holder))
      } else {
        entry.waiter.resume()
      }
    }
  }

  /// One of them is refused by the database: it must not take the others along.
  private func settleSingly(_ entries: [Acknowledger.Entry], _ session: PostgresConnection) async {
    for entry in entries {
      let result: Result<Void, any Error>
      do {
        let lost = try await store.finish([entry.finished], in: session)
        result = lost.isEmpty ? .success(()) : .failure(LeaseLost(entry.finished.holder))
      } catch { result = .failure(error) }
      entry.waiter.resume(with: result)
    }
  }

  /// Waits until something changed, or this time.
  private func pause(until time: ContinuousClock.Instant?) async {
    if let time { alarm.set(time) }
    await running.changed.wait()
  }
}
