extension SimulatedFleet {
  /// Workers that start or claim, and are not being ended.
  var committed: Int { alive.count { workers[$0].phase == .starting || workers[$0].phase == .ready } }

  mutating func measure(_ policy: inout some FleetPolicy) {
    view.measuredAt = now
    view.queued = queue.count
    view.memoryKills = score.memoryKills
    view.running = running
    view.starting = alive.count { workers[$0].phase == .starting }
    view.ready = alive.count { workers[$0].phase == .ready }
    view.busy = alive.count { workers[$0].phase == .ready && !workers[$0].jobs.isEmpty }
    view.draining = alive.count { workers[$0].phase == .draining }
    view.queue = policy.wantsQueue(queue.count, now: now) ? queue.numbers.map { queued($0) } : []
    guard policy.wantsAttempts else { return }
    view.attempts = attempts()
    view.fleet = alive.map { worker in
      let phase: FleetWorker.Phase =
        switch workers[worker].phase {
        case .starting: .starting
        case .ready: .ready
        case .draining, .ended: .draining
        }
      return FleetWorker(
        worker: worker, phase: phase, jobs: workers[worker].jobs.count, sinceSeconds: now - workers[worker].since)
    }
  }

  mutating func apply(_ decision: FleetDecision) {
    switch decision {
    case .hold: break
    case .start(let count):
      keepsCount = false
      for _ in 0..<max(0, count) { start(forOneJob: true) }
    case .count(let count, let way):
      keepsCount = true
      target = min(max(0, count), trace.header.maxWorkers)
      scaleIn = way
      keepCount()
      shrink()
    }
  }

  /// Starts what is missing: after a decision, a crash and a deploy, and when a worker that drained makes room for its successor.
  mutating func keepCount() {
    guard keepsCount else { return }
    for _ in 0..<max(0, target - committed) { start(forOneJob: false) }
  }

  private mutating func start(forOneJob: Bool) {
    guard alive.count < trace.header.maxWorkers else { return }
    workers.append(Worker(launchedAt: now, since: now, isForOneJob: forOneJob))
    let worker = workers.count - 1
    alive.append(worker)
    score.peakWorkers = max(score.peakWorkers, alive.count)
    events.plan(at: now + trace.header.startSeconds, .workerReady(worker))
  }

  mutating func becomeReady(_ worker: Int) {
    guard workers[worker].phase == .starting else { return }
    workers[worker].phase = .ready
    workers[worker].since = now
  }

  private mutating func shrink() {
    switch scaleIn {
    case .youngest:
      let excess = committed - target
      guard excess > 0 else { return }
      let starting = alive.reversed().filter { workers[$0].phase == .starting }
      let ready = alive.reversed().filter { workers[$0].phase == .ready }
      for worker in (starting + ready).prefix(excess) { terminate(worker) }
    case .named(let stops, let drains, let yields):
      for worker in stops where isAlive(worker) && workers[worker].jobs.isEmpty { endWorker(worker) }
      for worker in drains where isAlive(worker) && workers[worker].phase == .ready { drain(worker) }
      for job in yields where jobs.indices.contains(job) && jobs[job].worker >= 0 && !jobs[job].isYielding {
        askToYield(job)
      }
    }
  }

  private func isAlive(_ worker: Int) -> Bool {
    workers.indices.contains(worker) && workers[worker].phase != .ended
  }

  /// A worker for one job ends where there is none.
  mutating func retireUnneeded() {
    guard !keepsCount, queue.isEmpty else { return }
    for worker in alive where workers[worker].isForOneJob && workers[worker].phase == .ready {
      if workers[worker].jobs.isEmpty { endWorker(worker) }
    }
  }

  /// The platform ends a worker: it has the grace to come to a checkpoint.
  private mutating func terminate(_ worker: Int) {
    guard !workers[worker].jobs.isEmpty else { return endWorker(worker) }
    drain(worker)
    events.plan(at: now + trace.header.graceSeconds, .graceEnds(worker: worker))
  }

  /// The worker takes no more jobs, and gives those that it has back at their next checkpoint.
  mutating func drain(_ worker: Int) {
    guard !workers[worker].jobs.isEmpty else { return endWorker(worker) }
    workers[worker].phase = .draining
    for job in workers[worker].jobs where !jobs[job].isYielding { askToYield(job) }
  }

  private mutating func askToYield(_ job: Int) {
    jobs[job].isYielding = true
    guard let at = nextCheckpoint(job) else { return }
    events.plan(at: at, .jobYields(job: job, attempt: jobs[job].attempt))
  }

  /// The grace is over.
  mutating func kill(_ worker: Int) {
    for job in workers[worker].jobs {
      score.runningKilled += 1
      yield(job)
    }
  }

  mutating func endWorker(_ worker: Int) {
    guard workers[worker].phase != .ended else { return }
    workers[worker].phase = .ended
    score.workerSeconds += now - workers[worker].launchedAt
    alive.removeAll { $0 == worker }
  }
}
