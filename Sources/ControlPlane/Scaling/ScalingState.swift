import Autoscaling
import FoundationEssentials
import JobModel
import JobStore

/// What the process that decides remembers between two looks, and what follows from a look: no clock, no process and no database.
struct ScalingState: Sendable {
  /// What follows from one look.
  struct Outcome: Sendable {
    var decision: ScalingDecision
    /// Workers by release; 0: of none.
    var counts: [Int64: Int]
    /// To be stored; nil: nothing has changed since the last one that was.
    var record: JobStore.NewScalingDecision?
    var settled: [JobStore.SettledPrediction]
    /// What workers are asked to do under memory pressure.
    var rule: JobStore.PressureRule
    /// What jobs are expected to need, where it is to be stored.
    var estimates: [JobStore.NeedEstimate]
    /// Nothing is queued and nothing runs.
    var isQuiet: Bool
  }

  /// Of controls, the command line and the superuser.
  private static let reservedConnections = 20
  /// Of a worker for itself: its session, the queue's, the one that listens, and one for maintenance.
  private static let ownConnections = 4
  /// A worker's jobs share so many at most.
  private static let pooledConnections = 8
  /// How long a staged release keeps a worker without becoming anything.
  private static let staging = PoolState.staging

  private let policy: ScalingPolicy
  /// With what the month has cost so far.
  var limits: ScalingLimits
  /// Stages that the workers serve; jobs of others are for programs that embed the queue.
  private let stages: Set<String>
  private(set) var predictor: Predictor
  private var history: ScalingHistory
  private var arrivals = ArrivalWindow()
  private var watch = FleetWatch()
  private var ledger = PredictionLedger()
  private var hasLooked = false
  private var book = EstimateBook()
  private var yields = YieldRequests()
  /// Predicted seconds of what has finished.
  private var doneSeconds = 0.0
  private(set) var workSeconds = 0.0
  private var records = DecisionRecords()
  private var lanePredictions = LanePredictions()

  /// - Parameters:
  ///   - history: JSON that the decision before left, perhaps of another process or engine: what cannot be read is left out.
  ///   - settled: Earlier predictions, the oldest first.
  init(
    limits: ScalingLimits, stages: Set<String>, settings: ScalingSettings = ScalingSettings(), history: String? = nil,
    settled: [JobStore.SettledPrediction] = []
  ) {
    policy = ScalingPolicy(settings: settings)
    self.limits = limits
    self.stages = stages
    predictor = Predictor(settings: settings)
    let earlier = history.flatMap { try? JSONDecoder().decode(ScalingHistory.self, from: Data($0.utf8)) }
    self.history = earlier ?? ScalingHistory()
    learnWidths(settled)
  }

  /// Starts from what another process had learned.
  mutating func remember(_ estimates: [JobStore.NeedEstimate]) {
    for each in estimates {
      let expected = each.expected
      predictor.remember(
        kind: each.kind, pipeline: each.pipeline.isEmpty ? nil : each.pipeline, size: each.size,
        seconds: Estimate(mean: expected.secondsMean, deviation: expected.secondsDeviation),
        memoryBytes: Estimate(mean: expected.bytesMean, deviation: expected.bytesDeviation))
    }
  }

  /// The estimates of the last outcome were not stored.
  mutating func forgetStored() { book.forget() }

  mutating func decide(_ look: ScalingMeasurement) throws -> Outcome {
    let now = look.moment.seconds
    for each in look.arrivals where stages.contains(each.lane.stage) { arrivals.add(each.jobs, to: each.lane, at: now) }
    arrivals.forget(at: now)
    let running = look.running.filter { stages.contains($0.stage) }
    let settled = ledger.settle(
      look.finished, by: hasLooked ? predictor : nil, workerBytes: limits.workerBytes)
    hasLooked = true
    learn(look)
    learnWidths(settled)
    let predictions = running.map { ledger.prediction(of: $0, by: predictor) }
    measureWork(look, running: running, predictions: predictions)
    ledger.forget(look.finished, running: look.running)

    var bases: [String: Prediction.Basis] = [:]
    let inputs = inputs(look, running: running, predictions: predictions, bases: &bases)
    let decision = policy.decide(inputs)
    history = decision.history
    let counts = decision.wanted.reduce(into: [Int64: Int]()) { counts, each in
      if let release = Int64(each.release) { counts[release] = each.workers }
    }
    return Outcome(
      decision: decision, counts: counts,
      record: try records.record(of: decision, counts: counts, inputs: inputs, look: look, bases: bases),
      settled: settled,
      rule: JobStore.PressureRule(
        heaviestBytes: decision.claims.heaviestBytes,
        yields: yields.ask(decision.yields, running: look.running, at: now)),
      estimates: book.due(predictor, at: now),
      isQuiet: inputs.isQuiet)
  }

  // MARK: - What was learned

  /// Codes of failures for lack of memory.
  private static let shortages: Set = ["memory_limit", "duckdb_killed"]

  /// An attempt that yielded or was put off says nothing of a whole one; one that ran out of memory says that it takes more than expected.
  private mutating func learn(_ look: ScalingMeasurement) {
    for attempt in look.finished where !attempt.kind.isEmpty {
      let isShortage = attempt.code.map(Self.shortages.contains) ?? false
      guard attempt.status == "done" || isShortage else { continue }
      var job = Autoscaling.FinishedJob(kind: attempt.kind, release: "\(attempt.release)", seconds: attempt.seconds)
      job.pipeline = attempt.pipeline
      job.inputBytes = attempt.input
      if isShortage {
        job.end = .outOfMemory
        let expected = predictor.predict(
          kind: attempt.kind, release: "\(attempt.release)", pipeline: attempt.pipeline,
          inputBytes: attempt.input)
        // Nothing was known: what the attempt had is not known either.
        guard expected.basis != .coldStart else { continue }
        job.reservedBytes = expected.memoryBytes.mean
      }
      // The measured peak is the worker's process and the job's child; the process is counted for itself.
      job.peakBytes = attempt.memory.map { max(0, $0 - limits.workerBytes) }
      predictor.learn(job)
    }
  }

  /// What was predicted before anything was known says nothing of the widths of what is.
  private mutating func learnWidths(_ settled: [JobStore.SettledPrediction]) {
    for each in settled where each.basis != Prediction.Basis.coldStart.rawValue {
      for (amount, of) in [(PredictionWidths.Amount.seconds, each.seconds), (.memory, each.bytes)] {
        guard let actual = of.actual else { continue }
        predictor.widths.add(
          amount, of: each.kind, predicted: Estimate(mean: of.mean, deviation: of.deviation, high: of.high),
          width: of.width, actual: actual)
      }
    }
  }

  /// The predicted seconds of all that was done: of attempts that ended, and of the part that is done of those that run. Where too little is known of the
  /// pipeline's own jobs it is the seconds that they took: a wrong prediction is no lost work.
  private mutating func measureWork(
    _ look: ScalingMeasurement, running: [JobStore.RunningAttempt], predictions: [Prediction]
  ) {
    guard look.isFinishedWhole else {
      // What is not known whole says nothing of a rate: it is counted from new.
      (doneSeconds, workSeconds) = (0, 0)
      return
    }
    for attempt in look.finished {
      let seen = ledger.prediction(of: attempt)
      // What a slot did was counted in seconds while it ran: it stays counted, however the attempt ended.
      guard attempt.status == "done" || seen.map({ $0.basis != .pipeline }) ?? false else { continue }
      let prediction =
        seen
        ?? predictor.predict(kind: attempt.kind, release: "\(attempt.release)", pipeline: attempt.pipeline)
      doneSeconds += prediction.basis == .pipeline ? prediction.seconds.mean : attempt.seconds
    }
    let partly = zip(running, predictions).reduce(0.0) { sum, each in
      guard each.1.basis == .pipeline else { return sum + each.0.seconds }
      let mean = each.1.seconds.mean
      return sum + mean * min(1, each.0.progress ?? (mean > 0 ? each.0.seconds / mean : 0))
    }
    workSeconds = max(workSeconds, doneSeconds + partly)
  }

  // MARK: - Inputs

  private mutating func inputs(
    _ look: ScalingMeasurement, running: [JobStore.RunningAttempt], predictions: [Prediction],
    bases: inout [String: Prediction.Basis]
  ) -> ScalingInputs {
    let now = look.moment.seconds
    var inputs = ScalingInputs(seconds: now)
    inputs.ageSeconds = look.ageSeconds
    let due = DueJobs(look.due, histories: look.histories) { lane in
      predictor.predict(kind: lane.kind, release: "\(lane.engine)", pipeline: lane.pipeline).seconds
    }
    inputs.lanes = lanes(look, due: due, bases: &bases)
    inputs.running = zip(running, predictions).map { attempt, prediction in
      var job = Self.runningJob(attempt, prediction)
      job.deadline = due.running[attempt.job]?.deadline
      job.seconds = due.running[attempt.job]?.seconds ?? job.seconds
      return job
    }
    inputs.workers = workers(look, now: now)
    let current = look.releases.first { $0.state == .current }?.id ?? 0
    inputs.currentRelease = "\(current)"
    inputs.pinnedReleases = pinned(look, current: current, running: running)
    inputs.startSeconds = look.startSeconds
    inputs.memory.pressure = look.memory.pressure
    inputs.database = ConnectionLoad(
      maximum: look.moment.connections, reserve: Self.reservedConnections,
      perWorker: Self.ownConnections + min(limits.slotsPerWorker, Self.pooledConnections))
    inputs.throughput = Throughput(
      workSeconds: look.isFinishedWhole ? workSeconds : nil, waits: Self.waits(watch.waits(of: running, now: now)))
    inputs.limits = limits
    inputs.limits.memoryBytes = memoryLimit(look, running: predictions)
    inputs.override = look.override.map {
      ScalingOverride(workers: $0.workers, expires: $0.expiresSeconds, reason: $0.reason)
    }
    inputs.history = history
    return inputs
  }

  /// Lanes that differ in nothing that a decision looks at are one: thousands of pipelines are a few loads. Each of their jobs counts with what its
  /// own pipeline is expected to need.
  private struct Load: Hashable {
    var engine: Int64
    var kind: String
    var stage: String
    var urgencyClass: Int
    /// Nil: the pipeline has no limit.
    var limitedPipeline: String?
    /// Whether an open run of the pipeline has a deadline.
    var isDue: Bool

    init(_ lane: JobStore.LaneKind, isLimited: Bool, isDue: Bool) {
      self.isDue = isDue
      engine = lane.engine
      kind = lane.kind
      stage = lane.stage
      urgencyClass = lane.urgencyClass
      limitedPipeline = isLimited ? lane.pipeline : nil
    }

    static func inOrder(_ left: Load, _ right: Load) -> Bool {
      (left.engine, left.kind, left.stage, left.urgencyClass, left.limitedPipeline ?? (left.isDue ? "" : " "))
        < (right.engine, right.kind, right.stage, right.urgencyClass, right.limitedPipeline ?? (right.isDue ? "" : " "))
    }
  }

  private mutating func lanes(
    _ look: ScalingMeasurement, due: DueJobs, bases: inout [String: Prediction.Basis]
  ) -> [LaneLoad] {
    let engines = Self.servable(look.releases)
    func isServed(_ lane: JobStore.LaneKind) -> Bool { engines.contains(lane.engine) && stages.contains(lane.stage) }
    let limited = Set(look.lanes.lazy.filter { $0.maxRunning != nil }.map(\.lane))
    func load(of lane: JobStore.LaneKind, isLimited: Bool) -> Load {
      Load(lane, isLimited: isLimited, isDue: due.deadlines[lane.pipeline] != nil)
    }
    lanePredictions.begin(at: look.moment.seconds)
    var (queued, arriving): ([Load: LanePredictions.Sum], [Load: LanePredictions.Sum]) = ([:], [:])
    var depths: [Load: (ready: Int, maxRunning: Int?)] = [:]
    for each in look.lanes where isServed(each.lane) {
      let load = load(of: each.lane, isLimited: each.maxRunning != nil)
      depths[load] = (each.ready + (depths[load]?.ready ?? 0), each.maxRunning)
      queued[load, default: LanePredictions.Sum()].add(lanePredictions.of(each.lane, predictor), jobs: each.ready)
    }
    var counts: [Load: ArrivalWindow.Counts] = [:]
    var slacks: [Load: Double] = [:]
    for (lane, arrived) in arrivals.counts(at: look.moment.seconds) where isServed(lane) {
      let load = load(of: lane, isLimited: limited.contains(lane))
      counts[load, default: ArrivalWindow.Counts()].add(arrived)
      arriving[load, default: LanePredictions.Sum()].add(
        lanePredictions.of(lane, predictor), jobs: Int(arrived.minutes30))
      if let deadline = due.deadlines[lane.pipeline] {
        slacks[load] = min(deadline - look.moment.seconds, slacks[load] ?? .infinity)
      }
    }
    var (ready, waiting): ([Load: DueClasses], [Load: DueClasses]) = ([:], [:])
    for step in due.steps where isServed(step.lane) {
      let load = load(of: step.lane, isLimited: limited.contains(step.lane))
      if depths[load] == nil {
        queued[load, default: LanePredictions.Sum()].add(lanePredictions.of(step.lane, predictor), jobs: step.jobs)
      }
      if step.isReady {
        ready[load, default: DueClasses()].add(step)
      } else {
        waiting[load, default: DueClasses()].add(step)
      }
    }
    let running = look.running.reduce(into: [:]) { $0[$1.pipeline, default: 0] += 1 }
    let all = Set(depths.keys).union(counts.keys).union(ready.keys).union(waiting.keys)
    var sums: [String: LanePredictions.Sum] = [:]
    let loads = all.sorted(by: Load.inOrder).map { lane in
      let name = "\(lane.engine)/\(lane.kind)"
      let sum = queued[lane] ?? arriving[lane] ?? LanePredictions.Sum()
      sums[name, default: LanePredictions.Sum()].add(sum)
      let prediction = sum.needs
      var load = LaneLoad(
        release: "\(lane.engine)", kind: lane.kind, stage: lane.stage, priority: -lane.urgencyClass)
      load.queued = ready[lane]?.classes(memoryBytes: prediction.memoryBytes) ?? []
      load.waiting = waiting[lane]?.classes(memoryBytes: prediction.memoryBytes) ?? []
      if let depth = depths[lane] {
        // Also jobs without a run, and backfills, are in a pipeline's lanes.
        let rest = depth.ready - (ready[lane]?.jobs ?? 0)
        if rest > 0 {
          load.queued.append(
            QueuedClass(deadline: nil, jobs: rest, seconds: prediction.seconds, memoryBytes: prediction.memoryBytes))
        }
        load.running = lane.limitedPipeline.flatMap { running[$0] } ?? 0
        load.maxRunning = depth.maxRunning
      }
      let arrived = counts[lane] ?? ArrivalWindow.Counts()
      load.arrivals = Arrivals(
        jobs5Minutes: arrived.minutes5, jobs30Minutes: arrived.minutes30,
        meanSeconds: (arriving[lane] ?? sum).needs.seconds.mean,
        slackSecondsP10: slacks[lane])
      return load
    }
    bases = sums.compactMapValues(\.basis)
    return loads
  }

  private static func runningJob(_ attempt: JobStore.RunningAttempt, _ prediction: Prediction) -> RunningJob {
    var job = RunningJob(
      job: attempt.job, release: "\(attempt.engine)", kind: attempt.kind, worker: attempt.worker,
      elapsedSeconds: attempt.seconds, seconds: prediction.seconds, memoryBytes: prediction.memoryBytes)
    job.priority = -attempt.urgencyClass
    job.progress = attempt.progress
    job.peakBytes = attempt.memory
    job.sinceCheckpointSeconds = attempt.checkpointSeconds
    return job
  }

  /// Those that register, and after them those that come, with numbers below zero.
  private mutating func workers(_ look: ScalingMeasurement, now: Double) -> [WorkerLoad] {
    let fleet = look.workers.filter { !$0.servesOneRun }
    let since = watch.look(at: fleet, now: now)
    let registered = fleet.map { worker in
      var load = WorkerLoad(
        worker: worker.id, release: "\(worker.releaseID ?? 0)", state: worker.draining ? .draining : .ready,
        slots: worker.slots, busySlots: worker.busy)
      load.sinceSeconds = since[worker.id] ?? 0
      return load
    }
    let coming = look.coming.enumerated().map { index, each in
      var load = WorkerLoad(
        worker: -Int64(index) - 1, release: "\(each.release)", state: .starting, slots: limits.slotsPerWorker)
      load.sinceSeconds = each.seconds
      return load
    }
    return registered + coming
  }

  /// Releases that must have a worker: those with jobs that one could claim now or that run, next to the current one; a canary, and one
  /// that comes.
  private func pinned(
    _ look: ScalingMeasurement, current: Int64, running: [JobStore.RunningAttempt]
  ) -> [String] {
    let busy = Set(look.lanes.filter { stages.contains($0.lane.stage) && $0.ready > 0 }.map(\.lane.engine))
      .union(running.map(\.engine))
    return look.releases.filter { release in
      guard release.id != current else { return false }
      let isComing = release.state == .staged && release.secondsInState < Self.staging.inSeconds
      return isComing || release.state == .canary || busy.contains(release.id)
    }.map { "\($0.id)" }.sorted()
  }

  /// Whose jobs a worker can be started for. Before anything is deployed, workers are of no release.
  private static func servable(_ releases: [JobStore.ReleaseRecord]) -> Set<Int64> {
    let known = Set(releases.map(\.id))
    return releases.contains { $0.state == .current } ? known : known.union([0])
  }

  /// What workers and jobs may have together: what the definition says, and never more than other programs leave. One worker with one job
  /// has room in any case: a machine that is full for a while must not keep work from starting for ever.
  private func memoryLimit(_ look: ScalingMeasurement, running: [Prediction]) -> Double? {
    guard let machine = look.memory.limitBytes else { return limits.memoryBytes }
    let own = running.reduce(Double(look.workers.count) * limits.workerBytes) { $0 + $1.memoryBytes.mean }
    let least = limits.workerBytes + policy.settings.coldStartBytes.mean
    let left = max(least, machine - max(0, look.memory.usedBytes - own))
    return min(left, limits.memoryBytes ?? left)
  }

  private static func waits(_ shares: [String: Double]) -> [Autoscaling.WaitCause: Double] {
    shares.reduce(into: [:]) { waits, each in
      if let cause = Autoscaling.WaitCause(rawValue: each.key) { waits[cause] = each.value }
    }
  }
}

extension ScalingInputs {
  /// Nothing is queued and nothing runs.
  var isQuiet: Bool { running.isEmpty && lanes.allSatisfy(\.queued.isEmpty) }
}
