import JobModel
import JobStore
import JobWorker

/// A worker process as a state machine: registers, beats, claims, works, gives back, leaves.
///
/// It follows `Worker`, `LeaseGuard`, `QueueLoop` and `WorkerSession` step by step, each step one event.
final class SimulatedWorker: SimulatedProcess {
  private static let look = Duration.milliseconds(200)
  private static let review = Duration.milliseconds(500)
  private static let stopGrace = Duration.seconds(30)
  private static let farewellPatience = Duration.seconds(60)

  unowned let world: Simulation
  let slots: Int
  /// Its number in the queue; 0 before it is registered.
  private(set) var worker: Int64 = 0
  private var keeper: LeaseKeeper<SimulatedInstant>
  private(set) var session: SimulatedSession?
  private var hasLock = true
  private(set) var attempts: [SimulatedAttempt] = []
  private var suspected: Set<LeaseHolder> = []
  private var loop: SimulatedLoop?
  private(set) var isDraining = false
  /// Its keeper said that its leases no longer hold: it must write no more results.
  private(set) var isRevoked = false
  private(set) var isLeaving = false
  /// It was killed, or stopped after a fault of its own: what it held may be charged, whenever the reaper comes to it.
  private(set) var gaveCause = false

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
    world.send("registers", from: self, over: session, provesLife: true) { [slots] in
      $0.registerWithoutLock(lease: Simulation.timing.lease, slots: slots)
    } answer: { [unowned self] worker in
      guard let worker else { return exit() }
      self.worker = worker
      world.fleet[worker] = self
      let counted = world.mistake == .keeperCountsFromTheAnswer ? clock : sent
      keeper = LeaseKeeper(lease: Simulation.timing.lease, registeredAt: counted)
      world.send("takes its session lock", from: self, worker, over: session, provesLife: true) {
        $0.takeSessionLock(worker: worker, session: session.number)
      } answer: { [unowned self] taken in
        guard taken != nil else { return exit() }
        let loop = SimulatedLoop(worker: self)
        self.loop = loop
        beat()
        watch()
        loop.step()
        lookAfterAttempts()
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
          $0.endAttempt(holder, as: .interrupted(after: .zero))
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
    // Behind a silent network the server waits for a word of it.
    let silence = isSilent(at: world.now) ? silence.map { world.now.duration(to: $0.until) } ?? .zero : .zero
    world.plan(after: silence + world.random.duration(0...1500)) { [unowned world] in
      world.store.endSession(session.number)
    }
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
      gaveCause = gaveCause || isTroubled(at: world.now)
      world.note(name, "knows that its leases are gone, worker", worker)
      guard world.mistake != .workerIgnoresItsKeeper else { return }
      isDraining = true
      for attempt in attempts { attempt.cancel(because: nil) }
      loop?.end()
      leave()
    }
  }

  // MARK: Jobs

  var freeSlots: Int { slots - attempts.count }

  /// Jobs became ready in a lane; a hint, that may be lost.
  func rung(_ lane: Int64) { loop?.rung(lane) }

  func begin(_ claim: Claim) throws {
    guard let script = world.scripts[claim.jobID] else { return }
    try world.invariants.began(claim.holder, by: name, store: world.store)
    try beganAlone(claim)
    let attempt = SimulatedAttempt(claim: claim, script: script, worker: self)
    attempts.append(attempt)
    if isDraining { attempt.requestYield() }
    attempt.start()
  }

  /// A job that must run alone has the worker to itself.
  private func beganAlone(_ claim: Claim) throws {
    let runsAlone = world.store.runsAlone(claim.jobID)
    let inHand = attempts.filter { world.store.holds($0.holder) }
    guard slots > 1, let other = inHand.first(where: { runsAlone || world.store.runsAlone($0.holder.jobID) }) else {
      return
    }
    throw InvariantBroken(
      "suspects_run_alone",
      "\(name) runs job \(claim.jobID) next to job \(other.holder.jobID), and one of them must be alone")
  }

  func acknowledge(_ attempt: SimulatedAttempt) {
    guard let loop else { return attempt.acknowledged(isHeld: false) }
    loop.acknowledge(attempt)
  }

  func remove(_ attempt: SimulatedAttempt) {
    attempts.removeAll { $0 === attempt }
    world.invariants.ended(attempt.holder)
    loop?.ended(attempt.claim)
  }

  /// Cancels attempts that stand still or ran out of time, and those whose jobs were cancelled.
  private func lookAfterAttempts() {
    world.plan(after: Self.review, for: self) { [unowned self] in
      guard !isLeaving else { return }
      for attempt in attempts { attempt.review() }
      guard !attempts.isEmpty else { return lookAfterAttempts() }
      let worker = worker
      world.send("looks for cancelled jobs", from: self) {
        $0.cancelledLeases(ofWorker: worker)
      } answer: { [unowned self] cancelled in
        for attempt in attempts where (cancelled ?? []).contains(attempt.holder) { attempt.cancel(because: .cancelled) }
        lookAfterAttempts()
      }
    }
  }

  // MARK: The end

  /// A deploy or a scale-in: every attempt stops at its next checkpoint, or at the end of the patience.
  func drain() {
    guard !isDraining, worker != 0 else { return }
    isDraining = true
    for attempt in attempts { attempt.requestYield() }
    loop?.wake()
    world.plan(after: Self.stopGrace, for: self) { [unowned self] in
      for attempt in attempts { attempt.cancel(because: nil) }
    }
  }

  /// Gives back what is still held and says goodbye; where the database does not answer, again and again for a while.
  func leave() {
    guard !isLeaving else { return }
    isLeaving = true
    farewell(until: world.now.advanced(by: Self.farewellPatience))
  }

  private func farewell(until giveUpAt: SimulatedInstant) {
    let worker = worker
    let again: () -> Void = { [unowned self] in
      guard world.now < giveUpAt else { return exit() }
      world.plan(after: .milliseconds(500), for: self) { [unowned self] in farewell(until: giveUpAt) }
    }
    world.send("asks what it still holds, worker", from: self, worker, provesLife: true) {
      $0.leases(ofWorker: worker)
    } answer: { [unowned self] leases in
      guard let leases else { return again() }
      giveBack(leases.sorted { $0.jobID < $1.jobID }, orElse: again)
    }
  }

  private func giveBack(_ leases: [LeaseHolder], orElse again: @escaping () -> Void) {
    let worker = worker
    let givesBack = ![.goodbyeWithoutGivingBack, .goodbyeDropsLeases].contains(world.mistake)
    guard givesBack, let holder = leases.first else {
      world.send("says goodbye, worker", from: self, worker, provesLife: true) {
        $0.leave(worker: worker)
      } answer: { [unowned self] done in
        if done == nil { again() } else { exit() }
      }
      return
    }
    world.send("gives back job", from: self, holder.jobID.rawValue, provesLife: true) {
      $0.endAttempt(holder, as: .interrupted(after: .zero))
    } answer: { [unowned self] written in
      if written == nil { again() } else { giveBack(Array(leases.dropFirst()), orElse: again) }
    }
  }

  private func exit() {
    isAlive = false
    gaveCause = gaveCause || isTroubled(at: world.now)
    for attempt in attempts { world.invariants.ended(attempt.holder) }
    discardSession()
    world.replace(self)
  }

  /// As by SIGKILL.
  func crash() {
    guard isAlive else { return }
    world.note(name, "is killed, worker", worker)
    world.counts.crashes += 1
    gaveCause = true
    exit()
  }
}
