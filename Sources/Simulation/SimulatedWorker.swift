import JobModel
import JobStore
import JobWorker

/// A worker process as a state machine: registers, beats, claims, works, gives back, leaves.
///
/// It follows `Worker`, `LeaseGuard` and `WorkerSession` step by step, each step one event.
final class SimulatedWorker: SimulatedProcess {
  private static let look = Duration.milliseconds(200)
  private static let poll = Duration.milliseconds(500)

  unowned let world: Simulation
  private let slots: Int
  /// Its number in the queue; 0 before it is registered.
  private(set) var worker: Int64 = 0
  private var keeper: LeaseKeeper<SimulatedInstant>
  private(set) var session: SimulatedSession?
  private var hasLock = true
  private(set) var attempts: [SimulatedAttempt] = []
  private var suspected: Set<LeaseHolder> = []
  private var isClaiming = false
  private(set) var isDraining = false
  /// Its keeper said that its leases no longer hold: it must write no more results.
  private(set) var isRevoked = false
  private(set) var isLeaving = false

  init(name: String, slots: Int, world: Simulation) {
    self.world = world
    self.slots = slots
    keeper = LeaseKeeper(lease: Simulation.timing.lease, registeredAt: world.now)
    super.init(name: name)
  }

  /// What it takes for time that only goes on.
  private var clock: SimulatedInstant {
    world.mistake == .keeperByTheWallClock ? world.now.advanced(by: wallLead) : world.now
  }

  /// Whether it still believes in its leases.
  var keeperHolds: Bool {
    var keeper = keeper
    return keeper.holds(at: clock)
  }

  func start() {
    guard world.isDatabaseUp else { return exit() }
    let session = world.openSession()
    self.session = session
    let sent = clock
    world.send("registers", from: self, over: session, provesLife: true) {
      $0.registerWithoutLock(lease: Simulation.timing.lease)
    } answer: { [unowned self] worker in
      guard let worker else { return exit() }
      self.worker = worker
      let counted = world.mistake == .keeperCountsFromTheAnswer ? clock : sent
      keeper = LeaseKeeper(lease: Simulation.timing.lease, registeredAt: counted)
      world.send("takes its session lock", from: self, worker, over: session, provesLife: true) {
        $0.takeSessionLock(worker: worker, session: session.number)
      } answer: { [unowned self] taken in
        guard taken != nil else { return exit() }
        beat()
        watch()
        claim()
        review()
      }
    }
  }

  // MARK: The lease

  private func beat() {
    guard !isLeaving else { return }
    let session = self.session ?? world.openSession()
    self.session = session
    let sent = clock
    let (worker, draining, hasLock) = (worker, isDraining, hasLock)
    world.send("beats", from: self, worker, over: session, provesLife: true, mayRepeat: true) {
      $0.beat(worker: worker, lease: Simulation.timing.lease, draining: draining, hasSessionLock: hasLock)
    } answer: { [unowned self] accepted in
      guard let accepted else { return loseSession(sent) }
      keeper.answered(sentAt: world.mistake == .keeperCountsFromTheAnswer ? clock : sent, accepted: accepted)
      if accepted, !hasLock { takeLock(over: session, sent) } else { giveBackUnknown(over: session, sent) }
    }
  }

  private func takeLock(over session: SimulatedSession, _ sent: SimulatedInstant) {
    let worker = worker
    world.send("takes its session lock again", from: self, worker, over: session, provesLife: true) {
      $0.takeSessionLock(worker: worker, session: session.number)
    } answer: { [unowned self] taken in
      guard let taken else { return loseSession(sent) }
      hasLock = taken
      giveBackUnknown(over: session, sent)
    }
  }

  /// Gives back leases that nobody here has in hand, once they were unknown at two beats.
  private func giveBackUnknown(over session: SimulatedSession, _ sent: SimulatedInstant) {
    guard world.mistake != .noGiveBack else { return awaitNextBeat(sent) }
    let worker = worker
    // The next beat waits for this answer.
    world.send("asks for its leases", from: self, worker, over: session, provesLife: true) {
      $0.leases(ofWorker: worker)
    } answer: { [unowned self] leases in
      guard let leases else { return loseSession(sent) }
      let unknown = leases.subtracting(attempts.map(\.holder))
      for holder in unknown.intersection(suspected).sorted(by: { $0.jobID < $1.jobID }) {
        world.send("gives back a lease that it does not know, of job", from: self, holder.jobID.rawValue) {
          $0.endAttempt(holder, as: .yielded)
        } answer: { _ in
        }
      }
      suspected = unknown.subtracting(suspected)
      awaitNextBeat(sent)
    }
  }

  private func awaitNextBeat(_ sent: SimulatedInstant) {
    world.plan(after: Self.look, for: self) { [unowned self] in
      if sees(sessionOf: session), sent.duration(to: clock) < Simulation.timing.beat { return awaitNextBeat(sent) }
      if !sees(sessionOf: session) { discardSession() }
      beat()
    }
  }

  /// Whether the session is there and its server has not hung up, as far as this end can see.
  private func sees(sessionOf session: SimulatedSession?) -> Bool {
    guard let session else { return false }
    return !session.isClosed && session.start == world.databaseStarts
  }

  private func loseSession(_ sent: SimulatedInstant) {
    discardSession()
    world.plan(after: Self.look, for: self) { [unowned self] in beat() }
  }

  /// The server finds out a little later.
  private func discardSession() {
    guard let session else { return }
    self.session = nil
    hasLock = false
    world.plan(after: world.random.duration(0...1500)) { [unowned world] in world.store.endSession(session.number) }
  }

  /// The server ended the session, or a box between did; this end sees it at once or not until it writes.
  func cutSession(isSeen: Bool) {
    guard let session else { return }
    world.store.endSession(session.number)
    if isSeen { self.session?.isClosed = true } else { self.session?.start = -1 }
  }

  /// Stops the attempts as soon as the keeper no longer believes in the lease.
  private func watch() {
    world.plan(after: Self.look, for: self) { [unowned self] in
      if keeper.holds(at: clock) { return watch() }
      isRevoked = true
      world.note(name, "knows that its leases are gone, worker", worker)
      guard world.mistake != .workerIgnoresItsKeeper else { return }
      isDraining = true
      for attempt in attempts { attempt.cancel() }
      leaveIfDone()
    }
  }

  // MARK: Jobs

  private func claim() {
    guard !isDraining else { return leaveIfDone() }
    let free = slots - attempts.count
    guard free > 0 else { return claimLater() }
    isClaiming = true
    let worker = worker
    world.send("claims up to", from: self, Int64(free)) { store in
      let holders = store.claim(worker: worker, limit: free)
      return holders.map { ($0, store.job($0.jobID)?.attempt ?? 0) }
    } answer: { [unowned self] claims in
      isClaiming = false
      for (holder, number) in claims ?? [] { try begin(holder, attempt: number) }
      if isDraining { return leaveIfDone() }
      if (claims ?? []).isEmpty { claimLater() } else { claim() }
    }
  }

  private func claimLater() {
    world.plan(after: Self.poll, for: self) { [unowned self] in claim() }
  }

  private func begin(_ holder: LeaseHolder, attempt number: Int) throws {
    guard let script = world.scripts[holder.jobID], let job = world.store.job(holder.jobID) else { return }
    try world.invariants.began(holder, by: name, store: world.store)
    let attempt = SimulatedAttempt(
      holder: holder, number: number, chunksDone: job.mark ?? 0, script: script, worker: self,
      maximumAttempts: world.orders[holder.jobID]?.maximumAttempts ?? 1)
    attempts.append(attempt)
    if isDraining { attempt.requestYield() }
    attempt.start()
    // A claim that was on its way when the leases went.
    if isRevoked, world.mistake != .workerIgnoresItsKeeper { attempt.cancel() }
  }

  func remove(_ attempt: SimulatedAttempt) {
    attempts.removeAll { $0 === attempt }
    world.invariants.ended(attempt.holder)
    leaveIfDone()
  }

  /// Cancels attempts that stand still and those that someone asked to stop.
  private func review() {
    world.plan(after: Self.poll, for: self) { [unowned self] in
      guard !isLeaving else { return }
      for attempt in attempts { attempt.cancelIfStalled() }
      let holders = attempts.map(\.holder)
      guard !holders.isEmpty else { return review() }
      world.send("looks for cancelled jobs", from: self) {
        $0.cancelRequested(among: holders)
      } answer: { [unowned self] cancelled in
        for attempt in attempts where (cancelled ?? []).contains(attempt.holder) { attempt.cancel() }
        review()
      }
    }
  }

  // MARK: The end

  /// A deploy or a scale-in: every attempt stops at its next checkpoint.
  func drain() {
    guard !isDraining, worker != 0 else { return }
    isDraining = true
    for attempt in attempts { attempt.requestYield() }
    leaveIfDone()
  }

  private func leaveIfDone() {
    guard isDraining, attempts.isEmpty, !isClaiming, !isLeaving else { return }
    isLeaving = true
    let worker = worker
    world.send("says goodbye, worker", from: self, worker) {
      $0.leave(worker: worker)
    } answer: { [unowned self] _ in
      exit()
    }
  }

  private func exit() {
    isAlive = false
    discardSession()
    world.replace(self)
  }

  /// As by SIGKILL.
  func crash() {
    guard isAlive else { return }
    world.note(name, "is killed, worker", worker)
    world.counts.crashes += 1
    for attempt in attempts { world.invariants.ended(attempt.holder) }
    exit()
  }
}
