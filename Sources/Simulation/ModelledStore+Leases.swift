import JobModel
import JobStore

extension ModelledStore {
  /// The lanes with ready work, the lowest job of each, and the lowest that must run alone.
  package func survey() -> [ReadyLane] {
    var lowest: [Int64: Int64] = [:]
    var suspects: [Int64: Int64] = [:]
    for id in ready {
      guard let job = jobs[id] else { continue }
      if isKeptAlone(job) {
        suspects[job.lane] = min(suspects[job.lane] ?? .max, id.rawValue)
      } else {
        lowest[job.lane] = min(lowest[job.lane] ?? .max, id.rawValue)
      }
    }
    return lanes.values.compactMap { lane in
      guard lowest[lane.id] != nil || suspects[lane.id] != nil else { return nil }
      var lane = lane
      lane.lowest = lowest[lane.id] ?? .max
      lane.suspect = suspects[lane.id].map { JobID($0) }
      return lane
    }.sorted { $0.id < $1.id }
  }

  /// Whether this worker alone may keep slots free for a job that must run alone.
  package mutating func wait(for job: JobID, worker: Int64) -> Bool {
    guard jobs[job]?.isSuspect == true else { return false }
    if let (other, at) = jobs[job]?.waiting, other != worker, at <= now.advanced(by: .seconds(5)),
      at >= now.advanced(by: .seconds(-5))
    {
      return false
    }
    jobs[job]?.waiting = (worker, now)
    return true
  }

  private func isKeptAlone(_ job: Job) -> Bool { job.isSuspect && mistake != .suspectsInCompany }

  /// Claims of each lane that the request names, from its job on, oldest first.
  package mutating func claim(_ request: ClaimRequest, worker: Int64) -> [LeaseHolder] {
    let now = now
    let isAlive = beats[worker].map { !$0.isDraining && $0.expiresAt > now } ?? false
    guard isAlive || mistake == .claimWithoutBeat else { return [] }
    var holders: [LeaseHolder] = []
    for (lane, from) in request.lanes {
      let picked = ready.filter { id in
        guard let job = jobs[id], job.lane == lane.id, id.rawValue >= from else { return false }
        return request.alone.map { $0 == id } ?? !isKeptAlone(job)
      }.sorted().prefix(request.each.rawValue)
      let isAlone = request.alone != nil || slots[worker] == 1
      for id in picked {
        move(id, to: .leased, .claimed) {
          $0.epoch += 1
          $0.attempt += 1
          $0.worker = worker
          $0.isAlone = isAlone
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
    var claim = Claim(
      jobID: holder.jobID, runID: job.run.map { RunID(Int64($0)) }, releaseID: nil, epoch: holder.epoch, ticket: 0,
      attempt: job.attempt, maximumAttempts: job.order.maximumAttempts, kind: lane.stage, label: lane.stage,
      laneID: lane.id, pipeline: lane.pipeline, stage: lane.stage, payload: "{}", timeLimit: job.order.timeLimit,
      runAt: nil, mark: job.mark.map { JobMark(format: CheckpointFormat("simulated", 1), state: "\($0.state)") })
    claim.isAlone = isKeptAlone(job)
    return claim
  }

  /// Surveys, then claims, most urgent lane and oldest first.
  package mutating func claim(worker: Int64, limit: Int) -> [LeaseHolder] {
    let lanes = survey().filter(\.hasWork).sorted { ($0.urgencyClass, $0.lowest) < ($1.urgencyClass, $1.lowest) }
    var holders: [LeaseHolder] = []
    for lane in lanes {
      while holders.count < limit {
        let found = claim(ClaimRequest(lanes: [(lane, 0)], each: .one), worker: worker)
        if found.isEmpty { break }
        holders += found
      }
    }
    guard holders.isEmpty, leases(ofWorker: worker).isEmpty else { return holders }
    let alone = survey().filter { $0.suspect != nil }
      .min { ($0.urgencyClass, $0.suspect?.rawValue ?? 0) < ($1.urgencyClass, $1.suspect?.rawValue ?? 0) }
    return alone.flatMap(ClaimRequest.init(alone:)).map { claim($0, worker: worker) } ?? []
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
    case .cancelled, .interrupted(after: .zero): move(id, to: .ready, .yielded) { $0.attempt -= charge }
    case .yielded:
      move(id, to: .ready, .yielded) {
        $0.attempt -= charge
        ($0.lostSession, $0.losses) = (false, 0)
      }
    case .snoozed(let delay):
      move(id, to: .later, .snoozed) {
        $0.attempt -= charge
        $0.runAt = now.advanced(by: delay)
        ($0.lostSession, $0.losses) = (false, 0)
      }
    case .interrupted(let delay):
      move(id, to: .later, .snoozed) {
        $0.attempt -= charge
        $0.runAt = now.advanced(by: delay)
      }
    case .retried(let delay, _): retry(id, after: delay)
    case .lostSession(let delay, _):
      guard let job = jobs[id] else { return false }
      if !job.lostSession {
        move(id, to: .later, .snoozed) {
          $0.attempt -= charge
          $0.runAt = now.advanced(by: delay)
          $0.lostSession = true
        }
      } else if job.attempt < job.order.maximumAttempts {
        move(id, to: .later, .retried) { $0.runAt = now.advanced(by: delay) }
      } else {
        bury(id, as: .dead, .died)
      }
    case .brokenSession(let delay, _):
      guard let losses = jobs[id]?.losses else { return false }
      if losses + 1 < JobStore.lossLimit {
        move(id, to: .later, .snoozed) {
          $0.attempt -= charge
          $0.runAt = now.advanced(by: min(delay * (1 << losses), max(delay, .seconds(600))))
          $0.losses += 1
        }
      } else {
        bury(id, as: .dead, .died)
        jobs[id]?.lostSession = false
        jobs[id]?.losses = 0
      }
    case .outOfMemory(let delay, _):
      retry(id, after: delay)
      jobs[id]?.isSuspect = true
      jobs[id]?.memoryKills += 1
    case .dead: bury(id, as: .dead, .died)
    }
    return true
  }

  /// A charged attempt that the job survived: it is suspected no more, but for the memory that it needs.
  private mutating func retry(_ id: JobID, after delay: Duration) {
    let now = now
    move(id, to: .later, .retried) {
      $0.runAt = now.advanced(by: delay)
      ($0.isSuspect, $0.lostSession, $0.losses) = ($0.memoryKills > 0 && $0.isSuspect, false, 0)
    }
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

  package mutating func split(_ holder: LeaseHolder, state: Int, parts: Int) -> [JobID] {
    guard let job = jobs[holder.jobID], job.run != nil, !job.isCancelRequested, checkpoint(holder, state: state) else {
      return []
    }
    return (0..<parts).map { _ in
      // As one that was claimed before: its first claim reads the checkpoint.
      let id = add(
        Job(
          order: job.order, lane: job.lane, run: job.run, upstream: [], dependents: job.dependents, place: .blocked,
          epoch: 1, mark: (1, state)))
      for dependent in job.dependents {
        jobs[dependent]?.upstream.append(id)
        if jobs[dependent]?.place == .blocked { jobs[dependent]?.pending += 1 }
      }
      move(id, to: .ready, .enqueued)
      return id
    }
  }

  package mutating func reap(limit: Int) -> [ReapedJob] {
    let now = now
    let lost = leased.filter { id in
      guard let job = jobs[id] else { return false }
      return job.deadline.map { $0 < now } ?? false || job.worker.map { beats[$0] == nil } ?? true
    }.sorted().prefix(limit)
    let held = leased.reduce(into: [Int64: Int]()) { $0[jobs[$1]?.worker ?? 0, default: 0] += 1 }
    return lost.map { id in
      guard let job = jobs[id] else { return ReapedJob(job: id, isDead: false) }
      if job.isCancelRequested, mistake != .reapForgetsCancel {
        bury(id, as: .cancelled, .cancelled)
        return ReapedJob(job: id, isDead: false)
      }
      let isCrash = job.worker.map { beats[$0] == nil } ?? true
      let isConvicted = job.isAlone && held[job.worker ?? 0] == 1 || mistake == .chargedForOthers
      let isShared = isCrash && !isConvicted
      let isDead = job.attempt >= job.order.maximumAttempts && !isShared && mistake != .unchargedCrash
      if isDead {
        bury(id, as: .dead, .crashed)
      } else {
        let refund = isShared || mistake == .unchargedCrash ? 1 : 0
        move(id, to: .ready, isShared ? .suspected : .crashed) {
          $0.attempt -= refund
          if isCrash {
            $0.isSuspect = true
          } else if $0.memoryKills == 0 {
            ($0.isSuspect, $0.lostSession, $0.losses) = (false, false, 0)
          }
        }
      }
      return ReapedJob(job: id, isDead: isDead)
    }
  }
}
