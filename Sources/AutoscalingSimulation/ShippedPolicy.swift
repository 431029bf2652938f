import Autoscaling
import FleetSimulation

/// The policy that is shipped, as a policy of the simulated fleet: translates measurements and decisions, and adds nothing.
///
/// What a real system learns from its database is learned here from the jobs that end within the trace: it begins cold.
struct ShippedPolicy: FleetPolicy {
  static let release = "simulated"
  static let stage = "job"
  static let bytesPerGB = 1e9

  let interval: Double
  /// Of a long queue one summary is used for a while, so that a simulation of many jobs ends: a second for so many.
  static let queuePerSecond = 500.0

  let wantsAttempts = true
  let admits = true
  private let policy = ScalingPolicy()
  private let limits: ScalingLimits
  private let startSeconds: Double
  private var predictions = LearnedPredictions()
  private var arrivals = RecentArrivals()
  private var history = ScalingHistory()
  private var claims = ClaimRule()
  /// The job that room is kept for, and since when.
  private var roomKeptFor: Int64?
  private var roomKeptSince = 0.0
  /// Predicted seconds of finished jobs.
  private var doneSeconds = 0.0
  private var queueLanes: [LaneLoad] = []
  private var nextSummary = 0.0
  private var isSummaryDue = true

  init(_ settings: PolicySettings, header: ScalingTrace.Header) {
    interval = settings.polling
    startSeconds = header.startSeconds
    limits = ScalingLimits(
      minWorkers: settings.min, maxWorkers: min(settings.max, header.maxWorkers),
      memoryBytes: header.memoryGB * Self.bytesPerGB, slotsPerWorker: header.slots)
  }

  mutating func decide(_ view: FleetView) -> FleetDecision {
    for job in view.finished { doneSeconds += predictions.learn(job) }
    for job in view.arrived { arrivals.add(job, seconds: predictions.of(job).seconds.mean) }
    arrivals.forget(before: view.measuredAt)

    var inputs = ScalingInputs(seconds: view.now)
    inputs.ageSeconds = view.now - view.measuredAt
    inputs.lanes = lanes(view)
    inputs.running = view.attempts.map { running($0) }
    inputs.workers = view.fleet.map { worker in
      var load = WorkerLoad(
        worker: Int64(worker.worker), release: Self.release, state: Self.state(worker.phase), slots: view.limits.slots,
        busySlots: worker.jobs)
      load.sinceSeconds = worker.sinceSeconds
      return load
    }
    inputs.startSeconds = startSeconds
    inputs.limits = limits
    inputs.history = history
    inputs.throughput = Throughput(
      workSeconds: doneSeconds + inputs.running.reduce(0) { $0 + min($1.elapsedSeconds, $1.seconds.mean) })

    let decision = policy.decide(inputs)
    history = decision.history
    claims = decision.claims
    return .count(
      decision.total,
      .named(
        stops: decision.stops.map { Int($0) }, drains: decision.drains.map { Int($0) },
        yields: decision.yields.map { Int($0) }))
  }

  mutating func choose(_ waiting: [FleetJob], running: [FleetAttempt], slots: Int, now: Double) -> [Int] {
    let candidates = waiting.map { job in
      let prediction = predictions.of(job)
      return MemoryAdmission.Candidate(
        job: Int64(job.number), seconds: prediction.seconds, memoryBytes: prediction.memoryBytes,
        deadline: job.deadline, keptSeconds: roomKeptFor == Int64(job.number) ? now - roomKeptSince : 0)
    }
    let reservations = running.map { attempt in
      let reserved = predictions.reserved(attempt.job)
      return MemoryAdmission.Reservation(
        seconds: reserved.seconds, elapsedSeconds: attempt.seconds, memoryBytes: reserved.memoryBytes,
        peakBytes: attempt.memoryGB * Self.bytesPerGB)
    }
    let answer = MemoryAdmission(limitBytes: limits.memoryBytes, settings: policy.settings)
      .admit(candidates, running: reservations, freeSlots: slots, rule: claims)
    if answer.roomKeptFor != roomKeptFor {
      roomKeptFor = answer.roomKeptFor
      roomKeptSince = now
    }
    let starts = Set(answer.starts)
    let positions = waiting.indices.filter { starts.contains(Int64(waiting[$0].number)) }
    for position in positions { predictions.reserve(waiting[position]) }
    return positions
  }

  mutating func wantsQueue(_ jobs: Int, now: Double) -> Bool {
    isSummaryDue = now >= nextSummary
    if isSummaryDue { nextSummary = now + Double(jobs) / Self.queuePerSecond }
    return isSummaryDue
  }

  private mutating func lanes(_ view: FleetView) -> [LaneLoad] {
    if isSummaryDue, !view.isStale { queueLanes = summary(view) }
    var lanes = queueLanes
    for (kind, recent) in arrivals.byKind(at: view.measuredAt) {
      if let index = lanes.firstIndex(where: { $0.kind == kind }) {
        lanes[index].arrivals = recent
      } else {
        var lane = LaneLoad(release: Self.release, kind: kind, stage: Self.stage)
        lane.arrivals = recent
        lanes.append(lane)
      }
    }
    return lanes
  }

  private mutating func summary(_ view: FleetView) -> [LaneLoad] {
    var summary = QueueSummary(seconds: view.measuredAt)
    for job in view.queue {
      let prediction = predictions.of(job)
      var waiting = QueueSummary.Job(
        release: Self.release, kind: job.kind, stage: Self.stage, deadline: job.deadline, seconds: prediction.seconds,
        memoryBytes: prediction.memoryBytes)
      waiting.readySince = job.at
      summary.add(waiting)
    }
    return summary.lanes()
  }

  private mutating func running(_ attempt: FleetAttempt) -> RunningJob {
    let reserved = predictions.reserved(attempt.job)
    var job = RunningJob(
      job: Int64(attempt.job.number), release: Self.release, kind: attempt.job.kind, worker: Int64(attempt.worker),
      deadline: attempt.job.deadline, elapsedSeconds: attempt.seconds, seconds: reserved.seconds,
      memoryBytes: reserved.memoryBytes)
    job.peakBytes = attempt.memoryGB * Self.bytesPerGB
    job.sinceCheckpointSeconds = attempt.sinceCheckpointSeconds
    return job
  }

  private static func state(_ phase: FleetWorker.Phase) -> WorkerLoad.State {
    switch phase {
    case .starting: .starting
    case .ready: .ready
    case .draining: .draining
    }
  }
}
