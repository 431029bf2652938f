import Testing

@testable import Autoscaling

@Suite("Hostile input")
struct HostileInputTests {
  private static let numbers: [Double] = [
    .nan, -.infinity, .infinity, -1, 0, -0.0, 1e-300, 1e300, .greatestFiniteMagnitude, -1e18, 5,
  ]
  private static let counts = [Int.min, -1, 0, 1, 7, Int.max]
  private let policy = ScalingPolicy()

  /// Every field from its list, in an order that a small generator draws.
  private func draw(_ seed: UInt64) -> ScalingInputs {
    var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    func index(_ count: Int) -> Int {
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return Int(state % UInt64(count))
    }
    func number() -> Double { Self.numbers[index(Self.numbers.count)] }
    func count() -> Int { Self.counts[index(Self.counts.count)] }
    func estimate() -> Estimate { Estimate(mean: number(), deviation: number(), high: number()) }
    var inputs = ScalingInputs(seconds: number())
    inputs.ageSeconds = index(3) == 0 ? number() : 0
    inputs.startSeconds = number()
    inputs.limits = ScalingLimits(
      minWorkers: count(), maxWorkers: index(2) == 0 ? count() : 20, memoryBytes: index(2) == 0 ? number() : nil,
      slotsPerWorker: count())
    inputs.limits.workerBytes = number()
    if index(4) == 0 { inputs.limits.budgetHours = number() }
    inputs.limits.usedHours = number()
    inputs.limits.budgetRenewsInSeconds = number()
    inputs.memory = MemoryLoad(pressure: index(2) == 0 ? number() : nil, otherBytes: number())
    if index(4) == 0 { inputs.database = ConnectionLoad(maximum: count(), reserve: count(), perWorker: count()) }
    inputs.throughput = Throughput(workSeconds: number(), waits: [.memory: number(), .source: number()])
    if index(4) == 0 { inputs.override = ScalingOverride(workers: count(), expires: number(), reason: "") }
    inputs.pinnedReleases = index(2) == 0 ? ["b", "b", "c"] : []
    for _ in 0..<index(6) {
      var lane = LaneLoad(release: ["a", "b", ""][index(3)], kind: "", stage: "", priority: count() / 2)
      for _ in 0..<index(4) {
        lane.queued.append(
          QueuedClass(
            deadline: index(2) == 0 ? number() : nil, jobs: count(), seconds: estimate(), memoryBytes: estimate(),
            oldestReady: number()))
      }
      lane.waiting = index(2) == 0 ? lane.queued : []
      lane.arrivals = Arrivals(
        jobs5Minutes: number(), jobs30Minutes: number(), meanSeconds: number(),
        slackSecondsP10: index(2) == 0 ? number() : nil)
      lane.maxRunning = index(2) == 0 ? count() : nil
      lane.running = count()
      inputs.lanes.append(lane)
    }
    for worker in 0..<Int64(index(6)) {
      var load = WorkerLoad(
        worker: worker % 3, release: ["a", "b", "d"][index(3)], state: [.starting, .ready, .draining][index(3)],
        slots: count(), busySlots: count())
      load.sinceSeconds = number()
      inputs.workers.append(load)
      var job = RunningJob(
        job: worker, release: "a", kind: "", worker: Int64(index(4)), deadline: number(), elapsedSeconds: number(),
        seconds: estimate(), memoryBytes: estimate())
      job.progress = number()
      job.peakBytes = number()
      job.sinceCheckpointSeconds = number()
      job.priority = count()
      inputs.running.append(job)
    }
    return inputs
  }

  @Test("any input gives a count within its limits, a reason, and a text of each")
  func anything() {
    var history = ScalingHistory()
    for seed in 1...1_500 as ClosedRange<UInt64> {
      var inputs = draw(seed)
      inputs.history = history
      let decision = policy.decide(inputs)
      history = decision.history
      #expect(decision.total >= 0 && decision.total <= max(0, inputs.limits.maxWorkers))
      #expect(decision.total == decision.wanted.reduce(0) { $0 + $1.workers })
      #expect(decision.wanted.allSatisfy { $0.workers > 0 })
      #expect(!decision.reasons.isEmpty)
      #expect(decision.reasons.allSatisfy { !$0.description.isEmpty })
      #expect(decision.warnings.allSatisfy { !$0.description.isEmpty && $0.lateSeconds.isFinite })
      for stop in decision.stops {
        #expect(inputs.workers.contains { $0.worker == stop && $0.busySlots <= 0 }, "a busy worker is never stopped")
      }
    }
  }

  @Test("one broken job does not change what the others need", arguments: [Double.nan, -Double.infinity, -5])
  func oneBroken(value: Double) {
    var inputs = ScalingWorld.inputs()
    inputs.lanes = [ScalingWorld.lane(100, within: 1_075)]
    inputs.lanes[0].queued.append(
      QueuedClass(
        deadline: .nan, jobs: 1, seconds: Estimate(mean: value, deviation: value, high: value),
        memoryBytes: Estimate(mean: value)))
    #expect(policy.decide(inputs).total == 8)
  }

  @Test("a job that is predicted to last for ever brings one worker")
  func endless() {
    var inputs = ScalingWorld.inputs()
    inputs.lanes = [ScalingWorld.lane(1, of: .infinity, within: 100)]
    #expect(policy.decide(inputs).total == 1)
  }

  @Test("the same input gives the same decision")
  func deterministic() {
    for seed in 1...50 as ClosedRange<UInt64> {
      #expect(policy.decide(draw(seed)) == policy.decide(draw(seed)))
    }
  }
}
