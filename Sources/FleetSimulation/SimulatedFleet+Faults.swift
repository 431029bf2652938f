extension SimulatedFleet {
  mutating func happen(_ event: ScalingTrace.Event) {
    switch event.kind {
    case .metricsGap: gapUntil = max(gapUntil, event.at + event.seconds)
    case .crash:
      let count = event.count ?? 1
      for number in 0..<count {
        events.plan(at: now + event.seconds * Double(number) / Double(count), .crash)
      }
    case .deploy:
      // Idle ones first: their replacement costs nothing.
      let old = alive.filter { workers[$0].phase != .draining }
      let ordered = old.filter { workers[$0].jobs.isEmpty } + old.filter { !workers[$0].jobs.isEmpty }
      let count = min(event.count ?? ordered.count, ordered.count)
      for (number, worker) in ordered.prefix(count).enumerated() {
        events.plan(at: now + event.seconds * Double(number) / Double(max(count, 1)), .replace(worker: worker))
      }
    }
  }

  /// One worker, whichever, ends without notice. Its jobs lose what came after their last checkpoint.
  mutating func crash() {
    guard !alive.isEmpty else { return }
    let worker = alive[chance.index(below: alive.count)]
    let lost = workers[worker].jobs
    // Not by `leave`, which would end it twice.
    workers[worker].phase = .draining
    for job in lost {
      stop(job)
      events.plan(at: now + Self.crashNoticeSeconds, .retry(job: job))
    }
    endWorker(worker)
    keepCount()
  }

  /// A worker of the release before: it drains, and one of the new release starts.
  mutating func replace(_ worker: Int) {
    guard workers[worker].phase == .starting || workers[worker].phase == .ready else { return }
    drain(worker)
    keepCount()
  }
}
