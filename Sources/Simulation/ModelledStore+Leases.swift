import JobModel
import JobStore

extension ModelledStore {
  /// The lanes with ready work, and the lowest job of each.
  package func survey() -> [ReadyLane] {
    var lowest: [Int64: Int64] = [:]
    for id in ready {
      guard let lane = jobs[id]?.lane else { continue }
      lowest[lane] = min(lowest[lane] ?? .max, id.rawValue)
    }
    return lanes.values.compactMap { lane in
      guard let low = lowest[lane.id] else { return nil }
      var lane = lane
      lane.lowest = low
      return lane
    }.sorted { $0.id < $1.id }
  }

  /// Claims of each lane that the request names, from its job on, oldest first.
  package mutating func claim(_ request: ClaimRequest, worker: Int64) -> [LeaseHolder] {
    let now = now
    let isAlive = beats[worker].map { !$0.isDraining && $0.expiresAt > now } ?? false
    guard isAlive || mistake == .claimWithoutBeat else { return [] }
    var holders: [LeaseHolder] = []
    for (lane, from) in request.lanes {
      let picked = ready.filter { jobs[$0]?.lane == lane.id && $0.rawValue >= from }.sorted()
        .prefix(request.each.rawValue)
      for id in picked {
        move(id, to: .leased, .claimed) {
          $0.epoch += 1
          $0.attempt += 1
          $0.worker = worker
          $0.deadline = $0.order.timeLimit.map { now.advanced(by: $0) }
        }
        holders.append(LeaseHolder(jobID: id, epoch: jobs[id]?.epoch ?? 0))
      }
    }
    return holders
  }

  /// A lease as its worker gets it.
  package func claimed(_ holder: LeaseHolder) -> Claim? {
    guard let job = jobs[holder.jobID], let lane = lanes.values.first(where: { $0.id == job.lane }) else { return nil }
    return Claim(
      jobID: holder.jobID, runID: job.run.map { RunID(Int64($0)) }, releaseID: nil, epoch: holder.epoch, ticket: 0,
      attempt: job.attempt, maximumAttempts: job.order.maximumAttempts, kind: lane.stage, label: lane.stage,
      laneID: lane.id, pipeline: lane.pipeline, stage: lane.stage, payload: "{}", timeLimit: job.order.timeLimit,
      runAt: nil, mark: job.mark.map { JobMark(format: CheckpointFormat("simulated", 1), state: "\($0.state)") })
  }

  /// Surveys, then claims, most urgent lane and oldest first.
  package mutating func claim(worker: Int64, limit: Int) -> [LeaseHolder] {
    let lanes = survey().sorted { ($0.urgencyClass, $0.lowest) < ($1.urgencyClass, $1.lowest) }
    var holders: [LeaseHolder] = []
    for lane in lanes {
      while holders.count < limit {
        let found = claim(ClaimRequest(lanes: [(lane, 0)], each: .one), worker: worker)
        if found.isEmpty { break }
        holders += found
      }
    }
    return holders
  }

  /// Whether the pair holds its lease: the one question of every write.
  package func holds(_ holder: LeaseHolder) -> Bool {
    guard let job = jobs[holder.jobID], job.place == .leased else { return false }
    return job.epoch == holder.epoch || mistake == .noEpochCheck
  }

  package func held(_ holders: [LeaseHolder]) -> Set<LeaseHolder> { Set(holders.filter(holds)) }

  package func leases(ofWorker worker: Int64) -> Set<LeaseHolder> {
    Set(
      leased.compactMap { id in
        guard let job = jobs[id], job.worker == worker else { return nil }
        return LeaseHolder(jobID: id, epoch: job.epoch)
      })
  }

  package mutating func complete(_ holders: [LeaseHolder]) -> Set<JobID> {
    var ended: Set<JobID> = []
    for holder in holders where holds(holder) {
      move(holder.jobID, to: .done, .completed)
      freeKey(of: holder.jobID)
      ended.insert(holder.jobID)
    }
    var freed: Set<JobID> = []
    for id in ended.sorted() {
      for dependent in jobs[id]?.dependents ?? [] where jobs[dependent]?.place == .blocked {
        jobs[dependent]?.pending -= 1
        if mistake == .unblocksAtTheFirst || jobs[dependent]?.pending == 0 { freed.insert(dependent) }
      }
    }
    for id in freed.sorted() {
      move(id, to: .ready, .unblocked) { $0.pending = 0 }
    }
    return ended
  }

  package mutating func finish(_ holders: [LeaseHolder]) -> Set<JobID> {
    var ended: Set<JobID> = []
    for holder in holders where holds(holder) && jobs[holder.jobID]?.run == nil {
      move(holder.jobID, to: .done, .completed)
      freeKey(of: holder.jobID)
      ended.insert(holder.jobID)
    }
    return Set(holders.map(\.jobID)).subtracting(ended)
  }

  package mutating func endAttempt(_ holder: LeaseHolder, as end: JobStore.AttemptEnd) -> Bool {
    guard holds(holder) else { return false }
    let id = holder.jobID
    if jobs[id]?.isCancelRequested == true {
      bury(id, as: .cancelled, .cancelled)
      return true
    }
    let charge = mistake == .chargedYield ? 0 : 1
    let now = now
    switch end {
    // Nobody asks for the cancellation any more: someone took the run up again.
    case .yielded, .cancelled: move(id, to: .ready, .yielded) { $0.attempt -= charge }
    case .snoozed(let delay):
      move(id, to: .later, .snoozed) {
        $0.attempt -= charge
        $0.runAt = now.advanced(by: delay)
      }
    case .retried(let delay, _): move(id, to: .later, .retried) { $0.runAt = now.advanced(by: delay) }
    case .dead: bury(id, as: .dead, .died)
    }
    return true
  }

  /// Ends a job without success.
  private mutating func bury(_ id: JobID, as place: JobState, _ cause: Cause) {
    move(id, to: place, cause)
    if !(mistake == .keyKeptByTheDead && cause == .crashed) { freeKey(of: id) }
  }

  package mutating func checkpoint(_ holder: LeaseHolder, state: Int) -> Bool {
    guard holds(holder) else { return false }
    if let mark = jobs[holder.jobID]?.mark, mark.epoch > holder.epoch, mistake != .noEpochCheck { return false }
    jobs[holder.jobID]?.mark = (holder.epoch, state)
    return true
  }

  package mutating func reap(limit: Int) -> [ReapedJob] {
    let now = now
    let lost = leased.filter { id in
      guard let job = jobs[id] else { return false }
      return job.deadline.map { $0 < now } ?? false || job.worker.map { beats[$0] == nil } ?? true
    }.sorted().prefix(limit)
    return lost.map { id in
      guard let job = jobs[id] else { return ReapedJob(job: id, isDead: false) }
      if job.isCancelRequested, mistake != .reapForgetsCancel {
        bury(id, as: .cancelled, .cancelled)
        return ReapedJob(job: id, isDead: false)
      }
      let isDead = job.attempt >= job.order.maximumAttempts && mistake != .unchargedCrash
      if isDead {
        bury(id, as: .dead, .crashed)
      } else {
        let charge = mistake == .unchargedCrash ? 1 : 0
        move(id, to: .ready, .crashed) { $0.attempt -= charge }
      }
      return ReapedJob(job: id, isDead: isDead)
    }
  }
}
