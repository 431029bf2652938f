/// Summarises single jobs into ``LaneLoad``: the counts and sums that the policy needs, whatever the number of jobs.
package struct QueueSummary: Sendable {
  /// A job that waits.
  package struct Job: Sendable, Equatable {
    package var release: String
    package var kind: String
    package var stage: String
    package var priority: Int = 0
    package var deadline: Double?
    package var seconds: Estimate
    package var memoryBytes: Estimate
    package var readySince: Double?
    package init(
      release: String, kind: String, stage: String, deadline: Double?, seconds: Estimate, memoryBytes: Estimate
    ) {
      self.release = release
      self.kind = kind
      self.stage = stage
      self.deadline = deadline
      self.seconds = seconds
      self.memoryBytes = memoryBytes
    }
  }

  private struct Lane: Hashable {
    var release: String
    var kind: String
    var stage: String
    var priority: Int
  }

  /// Classes of one lane: the exponent and the step of what is left until the deadline. 24 steps for each doubling: a class is at most 4 % wide.
  private struct Sums {
    var deadline: Double?
    var jobs = 0
    var seconds = Moments()
    var memoryBytes = Moments()
    var oldestReady: Double?
  }

  /// The mean of jobs, and how far single jobs are from it: of their estimates and between them.
  private struct Moments {
    var sum = 0.0
    var squares = 0.0
    var high = 0.0

    mutating func add(_ estimate: Estimate) {
      sum += estimate.mean
      squares += estimate.mean * estimate.mean + estimate.deviation * estimate.deviation
      high = max(high, estimate.mean)
    }

    func estimate(_ jobs: Int) -> Estimate {
      let mean = sum / Double(jobs)
      return Estimate(
        mean: mean, deviation: max(0, squares / Double(jobs) - mean * mean).squareRoot(), high: max(mean, high))
    }
  }

  private struct Arrived {
    var five = 0.0
    var thirty = 0.0
    var seconds = 0.0
    var slacks: [Double] = []
  }

  /// The time of the decision: deadlines are put into classes by what is left until then.
  package let seconds: Double
  private var classes: [Lane: [Int: Sums]] = [:]
  private var arrived: [Lane: Arrived] = [:]

  package init(seconds: Double) { self.seconds = seconds }

  /// Adds a job that a worker could claim now.
  package mutating func add(_ job: Job) {
    let lane = Lane(release: job.release, kind: job.kind, stage: job.stage, priority: job.priority)
    let deadline = job.deadline.flatMap { $0.isNaN ? nil : $0 }
    var sums = classes[lane, default: [:]][Self.deadlineClass(deadline, now: seconds)] ?? Sums()
    sums.jobs += 1
    sums.deadline = deadline.map { min($0, sums.deadline ?? $0) }
    sums.seconds.add(job.seconds.sane(atMost: Number.longestSeconds))
    sums.memoryBytes.add(job.memoryBytes.sane(atMost: Number.mostBytes))
    if let ready = job.readySince { sums.oldestReady = min(ready, sums.oldestReady ?? ready) }
    classes[lane, default: [:]][Self.deadlineClass(deadline, now: seconds)] = sums
  }

  /// Adds an arrival of the last 30 minutes, `ageSeconds` ago.
  package mutating func addArrival(
    release: String, kind: String, stage: String, priority: Int = 0, ageSeconds: Double, seconds: Double,
    slackSeconds: Double?
  ) {
    guard ageSeconds < 1800 else { return }
    let lane = Lane(release: release, kind: kind, stage: stage, priority: priority)
    arrived[lane, default: Arrived()].thirty += 1
    if ageSeconds < 300 { arrived[lane, default: Arrived()].five += 1 }
    arrived[lane, default: Arrived()].seconds += Number.within(seconds, 0...Number.longestSeconds, otherwise: 0)
    if let slackSeconds, !slackSeconds.isNaN { arrived[lane, default: Arrived()].slacks.append(slackSeconds) }
  }

  /// One element for each lane that has jobs or arrivals, ordered by release, kind, stage and priority.
  package func lanes() -> [LaneLoad] {
    let known = Set(classes.keys).union(arrived.keys).sorted {
      ($0.release, $0.kind, $0.stage, $0.priority) < ($1.release, $1.kind, $1.stage, $1.priority)
    }
    return known.map { lane in
      var load = LaneLoad(release: lane.release, kind: lane.kind, stage: lane.stage, priority: lane.priority)
      load.queued = (classes[lane] ?? [:]).sorted { $0.key < $1.key }.map { _, sums in
        QueuedClass(
          deadline: sums.deadline, jobs: sums.jobs, seconds: sums.seconds.estimate(sums.jobs),
          memoryBytes: sums.memoryBytes.estimate(sums.jobs), oldestReady: sums.oldestReady)
      }
      if let arrivals = arrived[lane] {
        let slacks = arrivals.slacks.sorted()
        load.arrivals = Arrivals(
          jobs5Minutes: arrivals.five, jobs30Minutes: arrivals.thirty,
          meanSeconds: arrivals.seconds / max(1, arrivals.thirty),
          slackSecondsP10: slacks.isEmpty ? nil : slacks[slacks.count / 10])
      }
      return load
    }
  }

  /// The number of a deadline's class; the same for deadlines of which about the same time is left. At most 4 % wide, and 2 s at least.
  private static func deadlineClass(_ deadline: Double?, now: Double) -> Int {
    guard let deadline else { return Int.max }
    let left = Number.within(deadline - now, -1...Number.longestSeconds, otherwise: -1)
    guard left > 0 else { return -1 }
    if left < 48 { return Int(left / 2) }
    // 48 s is where 4 % are 2 s: class 24. Each doubling has 24 classes.
    let exponent = (left / 48).exponent
    let fraction = left / 48 / Double(sign: .plus, exponent: exponent, significand: 1) - 1
    return 24 + Int(exponent) * 24 + Int(fraction * 24)
  }
}
