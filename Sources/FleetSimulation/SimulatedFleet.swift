/// The truth: workers that start, claim, checkpoint, crash and end, on a trace, event by event.
///
/// It imports nothing of any policy, and is the same for all of them. The same trace and policy give the same score.
package struct SimulatedFleet {
  /// Waiting jobs that a policy may choose from at a time: a real claim looks at a page of the queue too.
  package static let maximumCandidates = 2_000
  /// Looks at waiting jobs that one simulation may cost: the page of a trace of many jobs is shorter, down to the minimum.
  static let maximumLooks = 20_000_000
  static let minimumCandidates = 64
  /// A page that had nothing to choose is looked at again when something ends or arrives, and after so long.
  static let choiceSeconds = 15.0
  /// Between a crash and the next claim of the job: the reaper notices within about a second.
  static let crashNoticeSeconds = 1.0
  /// Before a job that ran out of memory begins again: doubled at each kill up to the maximum.
  static let memoryBackoffSeconds = 10.0
  static let maximumBackoffSeconds = 300.0
  /// A job that needs more than there is: it is dead after so many attempts.
  static let maximumAttempts = 3

  struct JobState {
    var attempt = 0
    var begunAt = 0.0
    var worker = -1
    var doneSeconds = 0.0
    var memoryKills = 0
    var isYielding = false
    var hasEnded = false
  }

  struct Worker {
    enum Phase { case starting, ready, draining, ended }
    var phase = Phase.starting
    var launchedAt: Double
    /// Since when it is in its phase, or idle.
    var since: Double
    var jobs: [Int] = []
    var isForOneJob = false
  }

  let trace: ScalingTrace
  var now = 0.0
  var events = FleetEventQueue()
  var queue = JobQueue()
  var jobs: [JobState]
  var workers: [Worker] = []
  /// Those that have not ended, oldest first.
  var alive: [Int] = []
  var runningMemory = 0.0
  var running = 0
  var target = 0
  var scaleIn = FleetDecision.ScaleIn.youngest
  /// Whether the count is kept up: not with workers for one job.
  var keepsCount = false
  var open: Int
  var score = FleetScore()
  var chance: FleetChance
  let candidates: Int
  var gapUntil = -1.0
  var view = FleetView()
  private var nextArrival = 0
  private var nextEvent = 0
  /// When a choice is worth another look.
  var nextChoice = 0.0
  private var direction = 0
  private var lastWanted = 0

  private init(_ trace: ScalingTrace) {
    self.trace = trace
    jobs = Array(repeating: JobState(), count: trace.jobs.count)
    open = trace.jobs.count
    candidates = max(
      Self.minimumCandidates, min(Self.maximumCandidates, Self.maximumLooks / max(1, trace.jobs.count)))
    chance = FleetChance(name: trace.header.trace)
    score.jobs = trace.jobs.count
    view.limits.memoryGB = trace.header.memoryGB
    view.limits.maxWorkers = trace.header.maxWorkers
    view.limits.slots = trace.header.slots
    view.limits.startSeconds = trace.header.startSeconds
    view.limits.checkpointSeconds = trace.header.checkpointSeconds
    view.limits.graceSeconds = trace.header.graceSeconds
  }

  /// Runs the trace until its end and until the work is done. Work that is not done as long again as the trace lasts, and at
  /// least a day, after it never ends.
  package static func run(_ trace: ScalingTrace, policy: some FleetPolicy) -> FleetScore {
    var fleet = SimulatedFleet(trace)
    var policy = policy
    fleet.runAll(&policy)
    return fleet.score
  }

  private mutating func runAll(_ policy: inout some FleetPolicy) {
    precondition(policy.interval > 0, "a policy decides again and again")
    let length = max(trace.header.seconds, trace.jobs.last?.at ?? 0)
    let end = length + max(length, 86_400)
    var nextDecision = 0.0
    while open > 0 || now < length {
      let arrival = nextArrival < trace.jobs.count ? trace.jobs[nextArrival].at : .infinity
      let fault = nextEvent < trace.events.count ? trace.events[nextEvent].at : .infinity
      let time = min(arrival, fault, events.nextTime ?? .infinity, nextDecision)
      let limit = open > 0 ? end : length
      guard time <= limit else {
        advance(to: limit)
        break
      }
      advance(to: time)
      // All that happens may make room or bring work; a decision alone does neither.
      nextChoice = min(arrival, fault, events.nextTime ?? .infinity) == time ? time : nextChoice
      if arrival == time {
        arrive()
      } else if fault == time {
        happen(trace.events[nextEvent])
        nextEvent += 1
      } else if events.nextTime == time, let action = events.next() {
        perform(action)
      } else {
        decide(&policy)
        nextDecision += policy.interval
      }
      dispatch(&policy)
      retireUnneeded()
    }
    finish()
  }

  private mutating func advance(to time: Double) {
    view.busySeconds += Double(running) * (time - now)
    now = time
  }

  private mutating func arrive() {
    let job = nextArrival
    nextArrival += 1
    queue.add(job, deadline: trace.jobs[job].deadline)
    view.arrived.append(queued(job))
  }

  private mutating func perform(_ action: FleetEventQueue.Action) {
    switch action {
    case .workerReady(let worker):
      becomeReady(worker)
    case .jobEnds(let job, let attempt):
      if isCurrent(job, attempt) { end(job) }
    case .jobYields(let job, let attempt):
      if isCurrent(job, attempt) { yield(job) }
    case .graceEnds(let worker):
      if workers[worker].phase == .draining { kill(worker) }
    case .retry(let job):
      queue.add(job, deadline: trace.jobs[job].deadline)
    case .crash: crash()
    case .replace(let worker): replace(worker)
    }
    keepCount()
  }

  private func isCurrent(_ job: Int, _ attempt: Int) -> Bool {
    jobs[job].attempt == attempt && jobs[job].worker >= 0
  }

  private mutating func decide(_ policy: inout some FleetPolicy) {
    if now >= gapUntil { measure(&policy) }
    view.now = now
    var seen = view
    if seen.isStale {
      // What came since the last measurement is told with the next one.
      seen.arrived = []
      seen.finished = []
      seen.busySeconds = 0
    } else {
      view.arrived = []
      view.finished = []
      view.busySeconds = 0
    }
    let decision = policy.decide(seen)
    apply(decision)
    let wanted = keepsCount ? target : committed
    let turn = (wanted - lastWanted).signum()
    if turn != 0 {
      if direction != 0, turn != direction { score.directionChanges += 1 }
      direction = turn
    }
    lastWanted = wanted
  }

  /// Jobs that never ended are missed, and late until now.
  private mutating func finish() {
    for worker in alive { score.workerSeconds += now - workers[worker].launchedAt }
    for job in trace.jobs.indices where !jobs[job].hasEnded {
      score.unfinished += 1
      score.misses += 1
      if let deadline = trace.jobs[job].deadline { score.lateSeconds += max(0, now - deadline) }
    }
  }
}
