extension SimulatedFleet {
  func queued(_ job: Int) -> FleetJob {
    let given = trace.jobs[job]
    return FleetJob(
      number: job, at: given.at, kind: given.kind, deadline: given.deadline, predictedSeconds: given.predictedSeconds,
      predictedMemoryGB: given.predictedMemoryGB, doneSeconds: jobs[job].doneSeconds,
      memoryKills: jobs[job].memoryKills)
  }

  func attempts() -> [FleetAttempt] {
    let step = trace.header.checkpointSeconds
    return alive.flatMap { worker in
      workers[worker].jobs.map { job in
        let seconds = now - jobs[job].begunAt
        return FleetAttempt(
          job: queued(job), worker: worker, seconds: seconds,
          sinceCheckpointSeconds: step > 0 ? max(0, seconds - (seconds / step + 1e-9).rounded(.down) * step) : seconds,
          memoryGB: trace.jobs[job].memoryGB, isYielding: jobs[job].isYielding)
      }
    }
  }

  /// Free slots take waiting jobs. The oldest workers first, so that the youngest become idle.
  mutating func dispatch(_ policy: inout some FleetPolicy) {
    while !queue.isEmpty, !policy.admits || now >= nextChoice {
      var slots = 0
      for worker in alive where workers[worker].phase == .ready { slots += freeSlots(worker) }
      guard slots > 0 else { return }
      let begun = policy.admits ? chosen(&policy, slots: slots) : firstWaiting(slots)
      guard !begun.isEmpty else {
        nextChoice = now + Self.choiceSeconds
        return
      }
      for job in begun { begin(job) }
      killForMemory()
    }
  }

  private func freeSlots(_ worker: Int) -> Int {
    workers[worker].isForOneJob
      ? (workers[worker].jobs.isEmpty ? 1 : 0) : trace.header.slots - workers[worker].jobs.count
  }

  private mutating func firstWaiting(_ slots: Int) -> [Int] {
    var begun: [Int] = []
    while begun.count < slots, let job = queue.popFirst() { begun.append(job) }
    return begun
  }

  private mutating func chosen(_ policy: inout some FleetPolicy, slots: Int) -> [Int] {
    let candidates = firstWaiting(candidates)
    let positions = Set(
      policy.choose(candidates.map { queued($0) }, running: attempts(), slots: slots, now: now)
        .filter(candidates.indices.contains).prefix(slots))
    for index in candidates.indices where !positions.contains(index) {
      queue.add(candidates[index], deadline: trace.jobs[candidates[index]].deadline)
    }
    return positions.sorted().map { candidates[$0] }
  }

  private mutating func begin(_ job: Int) {
    guard let worker = alive.first(where: { workers[$0].phase == .ready && freeSlots($0) > 0 }) else { return }
    workers[worker].jobs.append(job)
    jobs[job].attempt += 1
    jobs[job].begunAt = now
    jobs[job].worker = worker
    jobs[job].isYielding = false
    running += 1
    runningMemory += trace.jobs[job].memoryGB
    let rest = max(0, trace.jobs[job].seconds - jobs[job].doneSeconds)
    events.plan(at: now + rest, .jobEnds(job: job, attempt: jobs[job].attempt))
  }

  mutating func end(_ job: Int) {
    let given = trace.jobs[job]
    jobs[job].hasEnded = true
    open -= 1
    if let deadline = given.deadline, now > deadline {
      score.misses += 1
      score.lateSeconds += now - deadline
    }
    view.finished.append(
      FleetResult(
        number: job, kind: given.kind, at: given.at, endedAt: now, seconds: given.seconds, memoryGB: given.memoryGB,
        predictedSeconds: given.predictedSeconds, predictedMemoryGB: given.predictedMemoryGB))
    leave(job)
  }

  /// The job keeps what its last checkpoint has, and waits again.
  mutating func stop(_ job: Int) {
    let step = trace.header.checkpointSeconds
    if step > 0 {
      jobs[job].doneSeconds += ((now - jobs[job].begunAt) / step + 1e-9).rounded(.down) * step
    }
    leave(job)
  }

  mutating func yield(_ job: Int) {
    stop(job)
    queue.add(job, deadline: trace.jobs[job].deadline)
  }

  /// Its worker ends with its last job where it is being ended, or was for one job.
  private mutating func leave(_ job: Int) {
    let worker = jobs[job].worker
    jobs[job].worker = -1
    running -= 1
    runningMemory = running == 0 ? 0 : runningMemory - trace.jobs[job].memoryGB
    workers[worker].jobs.removeAll { $0 == job }
    guard workers[worker].jobs.isEmpty else { return }
    workers[worker].since = now
    if workers[worker].phase == .draining || workers[worker].isForOneJob { endWorker(worker) }
  }

  /// When the job has a checkpoint next: now, where it stands at one.
  func nextCheckpoint(_ job: Int) -> Double? {
    let step = trace.header.checkpointSeconds
    guard step > 0 else { return nil }
    return max(now, jobs[job].begunAt + ((now - jobs[job].begunAt) / step - 1e-9).rounded(.up) * step)
  }

  /// The kernel kills the job that uses most, until the rest fits.
  private mutating func killForMemory() {
    while runningMemory > trace.header.memoryGB * (1 + 1e-9) {
      var largest = -1
      for worker in alive {
        for job in workers[worker].jobs where largest < 0 || isWorse(job, largest) { largest = job }
      }
      guard largest >= 0 else { return }
      score.memoryKills += 1
      jobs[largest].memoryKills += 1
      stop(largest)
      let kills = jobs[largest].memoryKills
      if trace.jobs[largest].memoryGB > trace.header.memoryGB, kills >= Self.maximumAttempts {
        // Dead: it is counted as unfinished.
        open -= 1
        continue
      }
      var wait = Self.memoryBackoffSeconds
      for _ in 1..<max(kills, 1) where wait < Self.maximumBackoffSeconds { wait *= 2 }
      events.plan(at: now + min(wait, Self.maximumBackoffSeconds), .retry(job: largest))
    }
  }

  private func isWorse(_ job: Int, _ other: Int) -> Bool {
    let (one, two) = (trace.jobs[job].memoryGB, trace.jobs[other].memoryGB)
    return one == two ? jobs[job].begunAt >= jobs[other].begunAt : one > two
  }
}
