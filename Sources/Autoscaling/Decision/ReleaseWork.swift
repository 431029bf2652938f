/// The work of one release, checked and summed.
struct ReleaseWork: Sendable {
  let release: String
  /// Jobs that could run now, with the running ones.
  var runnable = 0
  /// Work without deadlines, in seconds, and its arrivals in seconds of work per second.
  var backlogSeconds = 0.0
  var backlogArrivals = 0.0
  /// Arrivals of work with deadlines: the slack that they come with, and seconds of work per second.
  var arrivals: [(slack: Double, work: Double)] = []
  /// What is left of each job on a worker that claims, ascending.
  var running: [Double] = []
  /// Slots of workers that can claim, and what is left of the start of those that cannot yet.
  var readySlots = 0
  var startingSlots = 0
  var startLeft = 0.0
  var workers = 0
  /// Of them those that run a job, start, or have been idle for a short time only.
  var keptWorkers = 0
  var busyWorkers = 0
  /// Some have been idle for longer than a claim takes though jobs are ready.
  var isIdleInVain = false

  init(release: String) { self.release = release }
}

/// Jobs of one lane with about the same deadline, checked.
struct DueWork: Sendable {
  /// Index of the release in ``WorkSummary/releases``, and of the lane in ``ScalingInputs/lanes``.
  var release: Int
  var lane: Int
  /// Endless: no deadline.
  var deadline: Double
  var priority: Int
  var jobs: Int
  /// How many of ``jobs`` may start now.
  var startable: Int
  var seconds: Estimate
  var memoryBytes: Estimate
}

/// All work, per release and in deadline order.
struct WorkSummary: Sendable {
  var releases: [ReleaseWork] = []
  var due: [DueWork] = []
  /// Positions in ``due``, in deadline order, those without a deadline last; within, the more important first.
  var order: [Int] = []
  var busySlots = 0
  /// Means over all waiting and running jobs.
  var meanSeconds = 0.0
  var meanBytes = 0.0
  /// How far single jobs are from ``meanSeconds``: by their estimates and among each other.
  var secondsWidth = 0.0
  private var indices: [String: Int] = [:]
  /// Busy workers of the releases whose other workers find nothing to claim.
  var filled: [String: Int] {
    releases.reduce(into: [:]) { if $1.isIdleInVain { $0[$1.release] = $1.busyWorkers } }
  }
  /// A claim is tried at least this often.
  private static let claimSeconds = 10.0

  init(_ inputs: ScalingInputs, now: Double, start: Double, settings: ScalingSettings) {
    var totals = (jobs: 0.0, seconds: 0.0, squares: 0.0, bytes: 0.0)
    due.reserveCapacity(inputs.lanes.reduce(0) { $0 + $1.queued.count })
    for (number, lane) in inputs.lanes.enumerated() {
      let release = index(of: lane.release)
      addArrivals(lane.arrivals, to: release)
      var startable =
        lane.maxRunning.map { max(0, max(0, min($0, Number.mostJobs)) - min(max(0, lane.running), Number.mostJobs)) }
        ?? Number.mostJobs
      for (waits, part) in [(false, lane.queued), (true, lane.waiting)] {
        for one in part where one.jobs > 0 {
          let jobs = min(one.jobs, Number.mostJobs)
          let seconds = one.seconds.sane(atMost: Number.longestSeconds)
          let memory = one.memoryBytes.sane(atMost: Number.mostBytes)
          let deadline = one.deadline.flatMap { $0.isNaN ? nil : $0 } ?? .infinity
          let starts = waits ? 0 : min(jobs, startable)
          startable -= starts
          releases[release].runnable += starts
          if deadline == .infinity, !waits { releases[release].backlogSeconds += seconds.mean * Double(jobs) }
          totals.jobs += Double(jobs)
          totals.seconds += seconds.mean * Double(jobs)
          totals.squares += seconds.square * Double(jobs)
          totals.bytes += memory.mean * Double(jobs)
          due.append(
            DueWork(
              release: release, lane: number, deadline: deadline, priority: lane.priority, jobs: jobs,
              startable: starts, seconds: seconds, memoryBytes: memory))
        }
      }
    }
    sort()
    addWorkers(inputs, start: start, idleHold: settings.idleStarts * start)
    for job in inputs.running {
      totals.jobs += 1
      let seconds = job.seconds.sane(atMost: Number.longestSeconds)
      totals.seconds += seconds.mean
      totals.squares += seconds.square
      totals.bytes += job.memoryBytes.sane(atMost: Number.mostBytes).mean
    }
    if totals.jobs > 0 {
      meanSeconds = totals.seconds / totals.jobs
      meanBytes = totals.bytes / totals.jobs
      secondsWidth = max(0, totals.squares / totals.jobs - meanSeconds * meanSeconds).squareRoot()
    }
  }

  private mutating func index(of release: String) -> Int {
    if let known = indices[release] { return known }
    indices[release] = releases.count
    releases.append(ReleaseWork(release: release))
    return releases.count - 1
  }

  /// Sorts small keys: the work itself is ten times as large.
  private mutating func sort() {
    struct Key {
      var deadline: Double
      var priority: Int
      var position: Int
    }
    var keys = due.indices.map { Key(deadline: due[$0].deadline, priority: due[$0].priority, position: $0) }
    keys.sort { left, right in
      if left.deadline != right.deadline { return left.deadline < right.deadline }
      return left.priority == right.priority ? left.position < right.position : left.priority > right.priority
    }
    order = keys.map(\.position)
  }

  /// The rate of arrivals: that of 30 minutes, or that of 5 where these are fewer than chance explains. A surge is not expected to continue: what
  /// has come of it is in the queue.
  private mutating func addArrivals(_ arrivals: Arrivals, to release: Int) {
    let most = Double(Number.mostJobs)
    let short = Number.within(arrivals.jobs5Minutes, 0...most, otherwise: 0)
    let long = max(short, Number.within(arrivals.jobs30Minutes, 0...most, otherwise: 0))
    let expected = long / 6
    let rate = short < expected - 2 * expected.squareRoot() ? short / 300 : long / 1800
    let work = rate * Number.within(arrivals.meanSeconds, 0...Number.longestSeconds, otherwise: 0)
    guard work > 0 else { return }
    if let slack = arrivals.slackSecondsP10, !slack.isNaN {
      releases[release].arrivals.append((Number.within(slack, 0...Number.longestSeconds, otherwise: 0), work))
    } else {
      releases[release].backlogArrivals += work
    }
  }

  private mutating func addWorkers(_ inputs: ScalingInputs, start: Double, idleHold: Double) {
    var claiming: Set<Int64> = []
    for worker in inputs.workers where worker.state != .draining {
      let release = index(of: worker.release)
      let slots = min(max(worker.slots, 1), 1_000)
      releases[release].workers += 1
      claiming.insert(worker.worker)
      if worker.state == .starting || worker.busySlots > 0 || worker.sinceSeconds < idleHold {
        releases[release].keptWorkers += 1
      }
      if worker.busySlots > 0 { releases[release].busyWorkers += 1 }
      let couldClaim = worker.state == .ready && worker.busySlots <= 0 && worker.sinceSeconds >= Self.claimSeconds
      if couldClaim, releases[release].runnable > 0 { releases[release].isIdleInVain = true }
      if worker.state == .ready {
        releases[release].readySlots += slots
      } else {
        let since = Number.within(worker.sinceSeconds, 0...Number.longestSeconds, otherwise: 0)
        releases[release].startingSlots += slots
        releases[release].startLeft += max(start - since, start * 0.1) * Double(slots)
      }
    }
    for job in inputs.running {
      busySlots += 1
      let release = index(of: job.release)
      releases[release].runnable += 1
      guard claiming.contains(job.worker) else { continue }
      releases[release].running.append(
        Remaining.seconds(of: job.seconds, elapsed: job.elapsedSeconds, progress: job.progress))
    }
    for index in releases.indices {
      releases[index].running.sort()
      releases[index].arrivals.sort { $0.slack < $1.slack }
      if releases[index].startingSlots > 0 { releases[index].startLeft /= Double(releases[index].startingSlots) }
    }
  }
}
