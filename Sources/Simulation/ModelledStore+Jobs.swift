import JobModel
import JobStore

extension ModelledStore {
  package mutating func enqueue(_ batch: JobBatch) -> [JobID?] {
    var written: [JobID?] = []
    let stage = batch.isLoose ? "loose" : "run"
    let lane = lane(LanePlace(pipeline: batch.pipeline, stage: stage, urgencyClass: batch.urgencyClass))
    if !batch.isLoose { runs += 1 }
    let run = batch.isLoose ? nil : runs
    for order in batch.orders {
      if let key = order.uniqueKey, keys[key] != nil {
        written.append(nil)
        continue
      }
      let upstream = order.after.map { earlier in
        guard let id = written[earlier] else { preconditionFailure("a job waits for one that was left out") }
        return id
      }
      let id = add(
        Job(
          order: order, lane: lane, run: run, upstream: upstream, place: .blocked, pending: upstream.count))
      for earlier in upstream { jobs[earlier]?.dependents.append(id) }
      if let key = order.uniqueKey { keys[key] = id }
      if upstream.isEmpty { move(id, to: .ready, .enqueued) }
      written.append(id)
    }
    return written
  }

  package mutating func promoteDue(limit: Int) -> Int {
    let now = now
    let due = later.filter { (jobs[$0]?.runAt ?? now) <= now }.sorted { first, second in
      let times = (jobs[first]?.runAt ?? now, jobs[second]?.runAt ?? now)
      return times.0 == times.1 ? first < second : times.0 < times.1
    }.prefix(limit)
    for id in due { move(id, to: .ready, .promoted) { $0.runAt = nil } }
    return due.count
  }

  package mutating func retry(_ id: JobID) -> Bool {
    guard let job = jobs[id], job.place == .dead || job.place == .cancelled else { return false }
    if let key = job.order.uniqueKey, mistake != .retryWithoutKey {
      if let owner = keys[key], owner != id { return false }
      keys[key] = id
    }
    let pending = job.upstream.count { jobs[$0]?.place != .done }
    let resets = mistake == .epochResetAtRetry
    move(id, to: pending == 0 ? .ready : .blocked, .risen) {
      $0.attempt = 0
      $0.memoryKills = 0
      $0.pending = pending
      if resets { $0.epoch = 0 }
    }
    return true
  }

  package mutating func retryRun(of id: JobID) -> Int {
    guard let run = jobs[id]?.run else { return 0 }
    let named = jobs.filter { $0.value.run == run }.keys.sorted()
    let stopping = named.filter { jobs[$0]?.place == .leased && jobs[$0]?.isCancelRequested == true }
    for id in stopping { move(id, to: .leased, .cancelWithdrawn) { $0.isCancelRequested = false } }
    return stopping.count + named.count { retry($0) }
  }

  package mutating func cancel(_ id: JobID) -> Set<JobID> {
    guard let asked = jobs[id] else { return [] }
    let named = asked.run.map { run in jobs.filter { $0.value.run == run }.keys.sorted() } ?? [id]
    var met: Set<JobID> = []
    for id in named {
      guard let job = jobs[id], !job.place.isTerminal, !job.isCancelRequested else { continue }
      met.insert(id)
      if job.place == .leased {
        move(id, to: .leased, .cancelRequested) { $0.isCancelRequested = true }
      } else {
        move(id, to: .cancelled, .cancelled) { $0.pending = 0 }
        freeKey(of: id)
      }
    }
    return met
  }

  package func cancelledLeases(ofWorker worker: Int64) -> Set<LeaseHolder> {
    leases(ofWorker: worker).filter { jobs[$0.jobID]?.isCancelRequested == true }
  }
}
