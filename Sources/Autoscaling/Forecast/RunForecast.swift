/// When a run is expected to end, and what it would take to end by its deadline.
///
/// Times are absolute, in seconds, as ``OpenRun/deadline``.
package struct RunForecast: Sendable, Equatable {
  /// One end in ten is expected before ``early``, and one after ``late``.
  package var early: Double
  package var mean: Double
  package var late: Double
  /// By how much ``mean`` is after the deadline; zero: it is not, or there is none.
  package var lateSeconds: Double
  /// How many more slots would end it by its deadline. Nil: it is not late, or no number of slots would.
  package var moreSlots: Int?
  /// The memory that as many more jobs of it need. Nil: not measured.
  package var moreBytes: Double?
  /// Why no number of slots would; nil: one does, or it is not late.
  package var obstacle: DeadlineObstacle?

  package init(
    early: Double, mean: Double, late: Double, lateSeconds: Double = 0, moreSlots: Int? = nil, moreBytes: Double? = nil,
    obstacle: DeadlineObstacle? = nil
  ) {
    self.early = early
    self.mean = mean
    self.late = late
    self.lateSeconds = lateSeconds
    self.moreSlots = moreSlots
    self.moreBytes = moreBytes
    self.obstacle = obstacle
  }
}

extension RunForecast {
  /// Why nothing is predicted.
  package enum Unknown: Error, Sendable, Equatable {
    /// No job of this kind of the pipeline has been done.
    case noHistory(kind: String)
    case noWorkers
  }

  /// Of a normal distribution: nine in ten are below the mean and so many deviations.
  private static let ninth = 1.2816
  /// More slots than that are no advice.
  private static let mostSlots = 10_000

  /// Forecasts one of the open runs.
  ///
  /// The work of each stage is shared by the slots and takes as long as its longest job at least; stages follow one another. Runs with an
  /// earlier deadline and of a higher priority come first; the others share the slots with it.
  ///
  /// - Parameters:
  ///   - others: All open runs; those of other releases do not matter.
  ///   - slots: Of the workers of the run's release.
  ///   - startSeconds: How long a new worker takes until it claims.
  package init(
    of run: OpenRun, among others: [OpenRun], histories: [String: StepHistory], slots: Int, startSeconds: Double,
    now: Double
  ) throws(Unknown) {
    let own = try RunWork(run, histories[run.pipeline] ?? StepHistory())
    let slots = max(slots, own.running)
    guard slots > 0 || own.seconds == 0 else { throw .noWorkers }
    let competition = Competition(run, own, others, histories)
    let usual = Double(max(1, slots))
    let width = Self.ninth * own.deviation(slots: usual)
    let mean = own.span(slots: usual) + competition.expected / usual
    early = now + max(0, own.shortest(slots: usual) - width)
    self.mean = max(early, now + mean)
    late = max(self.mean, now + own.span(slots: usual) + competition.most / usual + width)
    (lateSeconds, moreSlots, moreBytes, obstacle) = (0, nil, nil, nil)
    guard let deadline = run.deadline, self.mean > deadline + DeadlineObstacle.leastLateSeconds else { return }
    lateSeconds = self.mean - deadline
    func isInTime(_ count: Int, limit: Int?, start: Double = startSeconds) -> Bool {
      own.span(slots: Double(count), limit: limit) + competition.expected / Double(count) <= deadline - now - start
    }
    guard isInTime(Self.mostSlots, limit: run.maxRunning) else {
      obstacle =
        if deadline <= now {
          .passed
        } else if run.maxRunning != nil, isInTime(Self.mostSlots, limit: nil) {
          .limit
        } else if isInTime(Self.mostSlots, limit: run.maxRunning, start: 0) {
          .start
        } else {
          .chain
        }
      return
    }
    var (few, enough) = (slots, Self.mostSlots)
    while enough - few > 1 {
      let middle = (few + enough) / 2
      if isInTime(middle, limit: run.maxRunning) { enough = middle } else { few = middle }
    }
    moreSlots = enough - slots
    moreBytes = own.bytes.map { $0 * Double(enough - slots) }
  }
}

/// What is left of one run, in seconds of work.
private struct RunWork {
  private struct Stage {
    var seconds = 0.0
    var longest = 0.0
    var deviations = 0.0
    var longestDeviation = 0.0
    var jobs = 0
  }

  private var stages: [Int: Stage] = [:]
  private let limit: Int?
  private(set) var running = 0
  /// Mean memory of a job that has not begun. Nil: not measured.
  private(set) var bytes: Double?
  var seconds: Double { stages.values.reduce(0) { $0 + $1.seconds } }

  init(_ run: OpenRun, _ history: StepHistory) throws(RunForecast.Unknown) {
    limit = run.maxRunning
    var memory = (sum: 0.0, jobs: 0)
    for work in run.work where work.jobs > 0 {
      guard let estimate = history.seconds(kind: work.kind, label: work.label) else {
        throw .noHistory(kind: work.kind)
      }
      var stage = stages[work.stage] ?? Stage()
      var (seconds, wait) = (estimate.mean, 0.0)
      switch work.place {
      case .blocked, .ready: break
      case .later(let left): wait = Number.within(left, 0...Number.longestSeconds, otherwise: 0)
      case .running(let elapsed, let progress):
        seconds = Remaining.seconds(of: estimate, elapsed: elapsed, progress: progress)
        running += work.jobs
      }
      let jobs = Double(work.jobs)
      stage.seconds += seconds * jobs
      stage.deviations += estimate.deviation * jobs
      stage.jobs += work.jobs
      if seconds + wait > stage.longest {
        (stage.longest, stage.longestDeviation) = (seconds + wait, estimate.deviation)
      }
      stages[work.stage] = stage
      if case .running = work.place { continue }
      if let peak = history.bytes(kind: work.kind, label: work.label) {
        memory = (memory.sum + peak * jobs, memory.jobs + work.jobs)
      }
    }
    if memory.jobs > 0 { bytes = memory.sum / Double(memory.jobs) }
  }

  private func usable(_ slots: Double, _ limit: Int?) -> Double { max(1, min(slots, limit.map(Double.init) ?? slots)) }

  /// Stage after stage.
  func span(slots: Double) -> Double { span(slots: slots, limit: limit) }

  func span(slots: Double, limit: Int?) -> Double {
    let slots = usable(slots, limit)
    return stages.values.reduce(0) { $0 + max($1.seconds / slots, $1.longest) }
  }

  /// Where stages overlap as far as they can.
  func shortest(slots: Double) -> Double {
    max(seconds / usable(slots, limit), stages.values.reduce(0) { $0 + $1.longest })
  }

  /// Jobs of a stage are larger or smaller together, for their input is that of one day; stages are independent.
  func deviation(slots: Double) -> Double {
    let slots = usable(slots, limit)
    return stages.values.reduce(0) { sum, stage in
      let share = max(stage.deviations / min(slots, Double(max(1, stage.jobs))), stage.longestDeviation)
      return sum + share * share
    }.squareRoot()
  }
}

/// The work of other runs that takes slots from a run, in seconds.
private struct Competition {
  /// As it is expected, and all of it.
  var expected = 0.0
  var most = 0.0

  init(_ run: OpenRun, _ own: RunWork, _ others: [OpenRun], _ histories: [String: StepHistory]) {
    for other in others where other.id != run.id && other.release == run.release {
      // What cannot be predicted is left out: it would make every forecast unknown.
      guard let work = try? RunWork(other, histories[other.pipeline] ?? StepHistory()) else { continue }
      switch Self.order(other, run) {
      case .first:
        expected += work.seconds
        most += work.seconds
      case .shares:
        expected += min(work.seconds, own.seconds)
        most += work.seconds
      case .after: continue
      }
    }
  }

  private enum Order { case first, shares, after }

  /// As workers claim: by priority, then by deadline, then in turns.
  private static func order(_ other: OpenRun, _ run: OpenRun) -> Order {
    if other.priority != run.priority { return other.priority > run.priority ? .first : .after }
    let (theirs, own) = (other.deadline ?? .infinity, run.deadline ?? .infinity)
    if theirs != own { return theirs < own ? .first : .after }
    return .shares
  }
}
