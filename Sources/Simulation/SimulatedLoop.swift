import JobModel
import JobStore
import JobWorker

/// A worker's exchange with the queue, as `QueueLoop` has it: turn by turn it takes along what is done, and claims what the
/// real planner asks for.
final class SimulatedLoop {
  private static let poll = Duration.milliseconds(200)
  private static let pauseAfterFailure = Duration.milliseconds(250)

  private unowned let worker: SimulatedWorker
  private var world: Simulation { worker.world }
  private var planner: ClaimPlanner<SimulatedInstant>
  private var waiting: [SimulatedAttempt] = []
  /// Acknowledged in a turn whose answer was lost.
  private var uncertain: Set<LeaseHolder> = []
  /// Counts the pauses, so that the end of an old one wakes nobody.
  private var pauses = 0
  private var isPausing = false
  private var isEnded = false

  init(worker: SimulatedWorker) {
    self.worker = worker
    planner = ClaimPlanner(now: worker.world.now)
  }

  // MARK: What happens to it

  func rung(_ lane: Int64) {
    planner.rung([lane], now: world.now)
    wake()
  }

  func acknowledge(_ attempt: SimulatedAttempt) {
    guard !isEnded else { return attempt.acknowledged(isHeld: false) }
    waiting.append(attempt)
    wake()
  }

  func ended(_ claim: Claim) {
    planner.ended(claim)
    wake()
  }

  /// The worker stops in disorder: whoever waits gives its job up.
  func end() {
    isEnded = true
    let entries = waiting
    waiting = []
    for attempt in entries { attempt.acknowledged(isHeld: false) }
  }

  func wake() {
    guard isPausing else { return }
    isPausing = false
    world.plan(after: .zero, for: worker) { [weak self] in self?.step() }
  }

  private func pause(until time: SimulatedInstant?) {
    isPausing = true
    pauses += 1
    let number = pauses
    // The real loop waits for an end of an attempt or a drain, both of which wake it.
    guard let time else { return }
    world.plan(after: max(.zero, world.now.duration(to: time)), for: worker) { [weak self] in
      guard let self, isPausing, pauses == number else { return }
      isPausing = false
      step()
    }
  }

  // MARK: Turns

  func step() {
    guard !isEnded else { return }
    if worker.isDraining, worker.attempts.isEmpty {
      isEnded = true
      return worker.leave()
    }
    let action: ClaimPlanner<SimulatedInstant>.Action =
      worker.isDraining ? .wait(until: nil) : planner.next(free: worker.freeSlots, now: world.now)
    if waiting.isEmpty, case .wait(let until) = action { return pause(until: until) }
    let entries = waiting
    waiting = []
    var request: ClaimRequest?
    if case .claim(let asked) = action { request = asked }
    guard case .survey(let job) = action else { return turn(entries, request) }
    if entries.isEmpty {
      survey(waitingFor: job)
    } else {
      turn(entries, nil) { [weak self] in self?.survey(waitingFor: job) }
    }
  }

  /// - Parameter survey: What follows; nil: the next step.
  private func turn(_ entries: [SimulatedAttempt], _ request: ClaimRequest?, then survey: (() -> Void)? = nil) {
    let number = worker.worker
    let finished = entries.map(\.holder)
    let revoked = worker.isRevoked
    world.send(
      entries.isEmpty ? "claims" : "acknowledges and claims", from: worker, Int64(finished.count), mayRepeat: true
    ) { store in
      if revoked, !finished.isEmpty {
        throw InvariantBroken("revoked_writes_nothing", "worker \(number) acknowledges after its keeper said stop")
      }
      let unmatched = finished.isEmpty ? [] : store.finish(finished)
      let holders = request.map { store.claim($0, worker: number) } ?? []
      return (unmatched, holders.compactMap { store.claimed($0) })
    } answer: { [weak self] outcome in
      guard let self else { return }
      guard let (unmatched, claims) = outcome else {
        uncertain.formUnion(finished)
        return fail(entries)
      }
      guard !isEnded else { return fail(entries) }
      if let request { planner.claimed(request, claims) }
      for claim in claims { try worker.begin(claim) }
      settle(entries, unmatched)
      if let survey { survey() } else { step() }
    }
  }

  private func fail(_ entries: [SimulatedAttempt]) {
    guard !isEnded else {
      for attempt in entries { attempt.acknowledged(isHeld: false) }
      return
    }
    waiting = entries + waiting
    world.plan(after: Self.pauseAfterFailure, for: worker) { [weak self] in self?.step() }
  }

  /// Tells those who wait; of those whose lease is gone and that were in a turn without an answer, the history knows.
  private func settle(_ entries: [SimulatedAttempt], _ unmatched: Set<JobID>) {
    var doubtful: [SimulatedAttempt] = []
    for attempt in entries {
      let isUncertain = uncertain.remove(attempt.holder) != nil
      if !unmatched.contains(attempt.holder.jobID) {
        attempt.acknowledged(isHeld: true)
      } else if isUncertain {
        doubtful.append(attempt)
      } else {
        attempt.acknowledged(isHeld: false)
      }
    }
    guard !doubtful.isEmpty else { return }
    world.send("asks what is done", from: worker, Int64(doubtful.count)) { store in
      doubtful.map { store.job($0.holder.jobID) }.map { $0?.state == .done }
    } answer: { done in
      for (attempt, isDone) in zip(doubtful, done ?? doubtful.map { _ in false }) {
        attempt.acknowledged(isHeld: isDone)
      }
    }
  }

  private func survey(waitingFor job: JobID?) {
    let asked = world.now
    let number = worker.worker
    world.send("surveys", from: worker) { store in
      let isGranted = job.map { store.wait(for: $0, worker: number) } ?? false
      return JobStore.Survey(lanes: store.survey(), waitingFor: isGranted ? job : nil)
    } answer: { [weak self] survey in
      guard let self else { return }
      guard let survey else { return fail([]) }
      planner.surveyed(
        survey.lanes, waitingFor: survey.waitingFor, took: asked.duration(to: world.now), poll: Self.poll,
        now: world.now)
      step()
    }
  }
}
