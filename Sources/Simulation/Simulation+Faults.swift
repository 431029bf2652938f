import JobStore

extension Simulation {
  private enum Fault: CaseIterable {
    case crash, pause, longPause, sessionCut, sessionLostInSilence, restart, outage, clockForward, clockBack, wallClock
    case badNetwork, silence, drain, controlCrash, controlPause
  }

  private static let weights: [(weight: Int, value: Fault)] = [
    (12, .crash), (8, .pause), (8, .longPause), (10, .sessionCut), (4, .sessionLostInSilence), (8, .restart),
    (4, .outage),
    (4, .clockForward), (4, .clockBack), (6, .wallClock), (8, .badNetwork), (6, .silence), (8, .drain),
    (4, .controlCrash),
    (4, .controlPause),
  ]

  /// The next fault, and all after it.
  func planFault() {
    plan(after: random.duration(500...9000)) { [unowned self] in
      guard areFaultsOn else { return }
      let fault = random.weighted(Self.weights)
      if [.controlCrash, .controlPause].contains(fault) {
        befall(control: fault)
      } else if [.restart, .outage, .clockForward, .clockBack].contains(fault) {
        befall(database: fault)
      } else {
        befall(worker: fault)
      }
      planFault()
    }
  }

  private func befall(worker fault: Fault) {
    guard let worker = random.element(of: workers.filter(\.isAlive)) else { return }
    switch fault {
    case .pause: pause(worker, random.duration(200...12_000))
    case .longPause: pause(worker, random.duration(16_000...50_000))
    case .sessionCut:
      note(worker.name, "loses its session")
      worker.cutSession(isSeen: true)
    case .sessionLostInSilence:
      note(worker.name, "loses its session and does not see it")
      worker.trouble(until: now)
      worker.cutSession(isSeen: false)
    case .wallClock:
      worker.wallLead = .milliseconds(random.integer(in: -600_000...600_000))
      note(worker.name, "has its wall clock set, ahead by", worker.wallLead.inMilliseconds)
    case .badNetwork:
      note(worker.name, "has a bad network")
      worker.badNetworkUntil = now.advanced(by: random.duration(2000...25_000))
    case .silence:
      let from = now.advanced(by: random.duration(3000...8000))
      worker.silence = (from, from.advanced(by: random.duration(16_000...30_000)))
      note(
        worker.name, "hears late, and soon nothing, for",
        worker.silence.map { now.duration(to: $0.until).inMilliseconds } ?? 0)
      worker.trouble(until: worker.silence?.until ?? now)
    case .drain:
      note(worker.name, "is asked to stop")
      worker.drain()
    default: worker.crash()
    }
  }

  private func pause(_ process: SimulatedProcess, _ time: Duration) {
    counts.pauses += 1
    note(process.name, "is stopped for", time.inMilliseconds)
    let end = now.advanced(by: time)
    process.pausedUntil = max(process.pausedUntil ?? end, end)
    process.trouble(until: end)
  }

  private func befall(control fault: Fault) {
    guard let control = random.element(of: controls.filter(\.isAlive)) else { return }
    if fault == .controlPause { return pause(control, random.duration(200...30_000)) }
    note(control.name, "is killed")
    counts.crashes += 1
    control.isAlive = false
    births += 1
    let successor = SimulatedControl(name: "control-\(births + 2)", world: self)
    controls.removeAll { $0 === control }
    controls.append(successor)
    plan(after: random.duration(100...5000)) { successor.start() }
  }

  private func befall(database fault: Fault) {
    switch fault {
    case .clockForward, .clockBack:
      counts.clockJumps += 1
      let jump = random.duration(200...90_000)
      if fault == .clockForward { lastForwardJump = now }
      let lead = fault == .clockForward ? databaseLead + jump : databaseLead - jump
      databaseLead = max(.seconds(-120), min(lead, .seconds(120)))
      note("database", "has its clock set, ahead by", databaseLead.inMilliseconds)
    default:
      guard isDatabaseUp else { return }
      counts.restarts += 1
      // Every backend terminated, a restart, or an outage that outlives the leases.
      let time = fault == .outage ? random.duration(5000...40_000) : random.duration(0...4000)
      note("database", "restarts and is away for", time.inMilliseconds)
      databaseStarts += 1
      store.endAllSessions()
      isDatabaseUp = false
      plan(after: time) { [unowned self] in
        isDatabaseUp = true
        note("database", "is back")
      }
    }
  }

  // MARK: The fleet

  func launchWorker() {
    births += 1
    let worker = SimulatedWorker(name: "worker-\(births)", slots: random.integer(in: 1...6), world: self)
    workers.append(worker)
    worker.start()
  }

  /// A launcher starts another worker for one that ended.
  func replace(_ worker: SimulatedWorker) {
    plan(after: random.duration(300...3000)) { [unowned self] in
      workers.removeAll { $0 === worker }
      launchWorker()
    }
  }
}
