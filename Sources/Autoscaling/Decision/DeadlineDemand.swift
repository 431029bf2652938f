/// How many slots of one release its deadlines ask for: the largest of what each deadline asks for.
///
/// It is fed with the release's work in deadline order. For each deadline d it knows the work due by then, and compares it with the seconds
/// that the slots have until then: those that exist now from now on, less what their running jobs take; those that start when they will
/// have started; new ones after a whole start.
struct DeadlineDemand: Sendable {
  private(set) var slots = 0.0
  /// The deadline that asks for them.
  private(set) var deadline: Double?
  private(set) var jobs = 0
  private var work = 0.0
  private var squares = 0.0
  private var variance = 0.0
  private var nextArrival = 0
  private var passed = 0.0
  private var running: GrowingSum
  private var arrivals: ArrivingWork
  private let release: ReleaseWork
  private let now: Double
  private let start: Double
  private let settings: ScalingSettings

  init(_ release: ReleaseWork, now: Double, start: Double, settings: ScalingSettings) {
    self.release = release
    self.now = now
    self.start = start
    self.settings = settings
    running = GrowingSum(release.running)
    arrivals = ArrivingWork(release.arrivals)
  }

  /// Takes the next work of this release; deadlines never go down from one call to the next.
  mutating func add(_ due: DueWork) {
    let left = Number.within(due.deadline - now, 0...Number.longestSeconds, otherwise: 0)
    lookAhead(upTo: left)
    let count = Double(due.jobs)
    jobs += due.jobs
    work += due.seconds.mean * count
    squares += (due.seconds.mean * due.seconds.mean + due.seconds.deviation * due.seconds.deviation) * count
    variance += due.seconds.deviation * due.seconds.deviation * count
    if work > 0 { ask(for: due.deadline, left: left) } else { slots = max(slots, 1) }
  }

  /// Looks at arrivals that are due after all waiting work too.
  mutating func finish() { lookAhead(upTo: .infinity) }

  /// Work that will have arrived when a worker that is asked for now has started is due one slack later: by then it must be done, with all
  /// that is due before.
  private mutating func lookAhead(upTo left: Double) {
    while nextArrival < release.arrivals.count, release.arrivals[nextArrival].slack + start < left {
      let horizon = release.arrivals[nextArrival].slack + start
      nextArrival += 1
      // Without waiting work nothing runs late: the first arrival asks by itself.
      if jobs > 0, horizon > passed { ask(for: now + horizon, left: horizon) }
    }
  }

  private mutating func ask(for deadline: Double, left: Double) {
    passed = left
    let needed = slots(left: left)
    if needed > slots {
      slots = needed
      self.deadline = deadline
    }
  }

  /// The slots that the work so far needs to be done within `left` seconds.
  private mutating func slots(left: Double) -> Double {
    let coming = arrivals.due(within: left)
    let mean = work / Double(jobs)
    let chance = (variance + coming * max(mean, 1)).squareRoot()
    let queued = settings.headroom * (work + coming) + settings.chanceWidths * chance
    // Half a job of the usual size, weighted by work: what the last job of each slot reaches beyond the deadline on average.
    let grain = min(0.5 * squares / work, max(mean, left * 0.5))
    let occupied = running.sum(upTo: left)
    let ready = Double(release.readySlots)
    let starting = Double(release.startingSlots)
    let free =
      max(0, ready * max(0, left - grain) - occupied) + starting * max(0, left - release.startLeft - grain)
    let asked: Double
    if queued <= free {
      asked = min(ready + starting, (queued + occupied) / max(left - grain, 1))
    } else if left < start + mean {
      // A new worker comes too late. It still shortens the delay.
      asked = ready + starting + (queued - free) / max(settings.lateCatchUpSeconds, 2 * mean)
    } else {
      asked = ready + starting + (queued - free) / max(left - start - grain, mean, 1)
    }
    return min(asked, Double(jobs + release.running.count))
  }
}

/// Σ min(value, limit) over ascending values, for limits that only grow.
struct GrowingSum: Sendable {
  private let values: [Double]
  private var passed = 0
  private var passedSum = 0.0

  init(_ ascending: [Double]) { values = ascending }

  mutating func sum(upTo limit: Double) -> Double {
    while passed < values.count, values[passed] <= limit {
      passedSum += values[passed]
      passed += 1
    }
    return passedSum + Double(values.count - passed) * limit
  }
}

/// The work that will arrive and be due within a time that only grows: λ·ŝ·max(0, time − slack), over all lanes.
struct ArrivingWork: Sendable {
  private let lanes: [(slack: Double, work: Double)]
  private var passed = 0
  private var rate = 0.0
  private var offset = 0.0

  init(_ ascending: [(slack: Double, work: Double)]) { lanes = ascending }

  mutating func due(within time: Double) -> Double {
    while passed < lanes.count, lanes[passed].slack < time {
      rate += lanes[passed].work
      offset += lanes[passed].work * lanes[passed].slack
      passed += 1
    }
    return max(0, rate * time - offset)
  }
}
