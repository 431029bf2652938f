import JobModel
import JobStore
import JobWorker

/// A control process: makes due jobs ready and takes back what lost workers held. Several may run.
///
/// Promotion, revocation and reaping are three transactions here, so that control may die between any two.
final class SimulatedControl: SimulatedProcess {
  private static let tick = Duration.milliseconds(500)

  private unowned let world: Simulation
  private var session: SimulatedSession?
  private var rule: RevocationRule<SimulatedInstant>
  /// The first time that each suspect was seen, on the database's clock.
  private var suspicions: [Int64: Suspicion] = [:]

  init(name: String, world: Simulation) {
    self.world = world
    rule = RevocationRule(lease: Simulation.timing.lease)
    super.init(name: name)
  }

  func start() { connect() }

  private func connect() {
    world.plan(after: world.random.duration(5...500), for: self) { [unowned self] in
      guard world.isDatabaseUp else { return connect() }
      session = world.openSession()
      rule.connected()
      suspicions = [:]
      world.note(name, "connects")
      wait()
    }
  }

  private func wait() {
    world.plan(after: Self.tick, for: self) { [unowned self] in promote() }
  }

  private func promote() {
    guard let session else { return connect() }
    world.send("promotes what is due", from: self, over: session, mayRepeat: true) {
      $0.promoteDue(limit: 1000)
    } answer: { [unowned self] moved in
      if moved == nil { connect() } else { revoke(over: session) }
    }
  }

  private func revoke(over session: SimulatedSession) {
    world.send("looks for lost workers", from: self, over: session) { [unowned self] store in
      // The transaction needs its client to the end: one that died or stopped meanwhile is rolled back.
      guard isAlive, pausedUntil.map({ $0 <= world.now }) ?? true else { return false }
      return try look(at: &store)
    } answer: { [unowned self] mayReap in
      switch mayReap {
      case nil: connect()
      case true?: reap(over: session)
      case false?: wait()
      }
    }
  }

  /// Within the transaction. Returns whether leases may be taken back.
  private func look(at store: inout ModelledStore) throws -> Bool {
    let missing = store.suspects()
    let workers = missing.map(\.worker)
    suspicions = suspicions.filter { workers.contains($0.key) }
    for suspicion in missing where suspicions[suspicion.worker] == nil { suspicions[suspicion.worker] = suspicion }
    let clock = world.mistake == .reaperTrustsTheClock ? world.now : store.now
    var decision = rule.looked(
      at: world.now, databaseTime: .milliseconds(clock.milliseconds), missing: workers)
    if world.mistake == .reaperWithoutAge {
      let grace = RevocationRule<SimulatedInstant>.grace
      decision.mayRevoke = true
      decision.overdue = workers.filter { (suspicions[$0]?.seenAt ?? store.now).advanced(by: grace) <= store.now }
    }
    if world.mistake == .reaperWithoutGrace, decision.mayRevoke { decision.overdue = workers }
    guard decision.mayRevoke else { return false }
    for worker in decision.overdue {
      guard var suspicion = suspicions.removeValue(forKey: worker) else { continue }
      if world.mistake == .reaperWithoutGrace { suspicion.seenAt = store.now.advanced(by: .milliseconds(1)) }
      rule.settled(worker)
      if store.revoke(suspicion) { try world.revoked(worker, ranOut: false) }
    }
    for worker in store.expireBeats() { try world.revoked(worker, ranOut: true) }
    return true
  }

  private func reap(over session: SimulatedSession) {
    world.send("takes leases back", from: self, over: session, mayRepeat: true) {
      $0.reap(limit: 1000)
    } answer: { [unowned self] reaped in
      if reaped == nil { connect() } else { wait() }
    }
  }
}

extension Simulation {
  /// A worker was revoked: there must be a reason of its own, and its keeper must have known before its beat ran out.
  func revoked(_ worker: Int64, ranOut: Bool) throws {
    counts.revocations += 1
    note("queue", ranOut ? "revokes, as its beat ran out, worker" : "revokes, as its session is gone, worker", worker)
    guard let process = workers.first(where: { $0.worker == worker }), process.isAlive, !process.isLeaving else {
      return
    }
    let keeps = process.keeperHolds
    if ranOut, keeps, lastForwardJump.map({ $0.advanced(by: Self.timing.lease) < now }) ?? true {
      throw InvariantBroken(
        "keeper_knows_first", "worker \(worker) still believed in its leases when its beat had run out")
    }
    if keeps, !process.isTroubled(at: now) {
      throw InvariantBroken(
        "revoked_for_a_reason",
        "worker \(worker) was revoked without a fault of its own (restarts so far: \(counts.restarts))")
    }
  }

  /// A lease was taken back and charged: its worker, or the job itself, must have given cause.
  func crashed(_ change: ModelledStore.Change) throws {
    guard let before = change.before, let number = before.worker, let process = fleet[number] else { return }
    if before.deadline.map({ $0 < store.now }) ?? false { return }
    let holder = LeaseHolder(jobID: change.job, epoch: before.epoch)
    // A claim whose answer was lost, in a worker that could not give it back any more.
    guard invariants.hasBegun(holder) else { return }
    if process.attempts.contains(where: { $0.holder != holder }) {
      throw InvariantBroken(
        "not_charged_for_others", "job \(change.job) pays for the end of worker \(number), which had other jobs in hand"
      )
    }
    if process.gaveCause || process.isTroubled(at: now) { return }
    throw InvariantBroken(
      "charged_for_a_reason",
      "job \(change.job) pays for the end of worker \(number), which had no fault of its own (restarts so far: \(counts.restarts))"
    )
  }
}
