import JobModel
import JobStore

extension ModelledStore {
  package mutating func enqueue(_ batch: JobBatch) -> [JobID?] {
    var written: [JobID?] = []
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
          order: order, urgencyClass: batch.urgencyClass, upstream: upstream, place: .blocked, pending: upstream.count))
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
      $0.pending = pending
      if resets { $0.epoch = 0 }
    }
    return true
  }

  package mutating func cancel(_ id: JobID) -> Bool {
    guard let job = jobs[id], !job.place.isTerminal, !job.isCancelRequested else { return false }
    if job.place == .leased {
      move(id, to: .leased, .cancelRequested) { $0.isCancelRequested = true }
    } else {
      move(id, to: .cancelled, .cancelled) { $0.pending = 0 }
      freeKey(of: id)
    }
    return true
  }

  /// Those of the leases that someone asked to stop.
  package func cancelRequested(among holders: [LeaseHolder]) -> [LeaseHolder] {
    holders.filter { holds($0) && jobs[$0.jobID]?.isCancelRequested == true }
  }
}
