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
    let count = Double(due.jobs)
    jobs += due.jobs
    work += due.seconds.mean * count
    squares += (due.seconds.mean * due.seconds.mean + due.seconds.deviation * due.seconds.deviation) * count
    guard work > 0 else {
      slots = max(slots, 1)
      return
    }
    let left = Number.within(due.deadline - now, 0...Number.longestSeconds, otherwise: 0)
    let needed = slots(left: left)
    if needed > slots {
      slots = needed
      deadline = due.deadline
    }
  }

  /// The slots that the work so far needs to be done within `left` seconds.
  private mutating func slots(left: Double) -> Double {
    let queued = settings.headroom * (work + arrivals.due(within: left))
    let mean = work / Double(jobs)
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
