import Testing

@testable import Autoscaling

@Suite("Guards")
struct GuardTests {
  private let policy = ScalingPolicy()

  private func pressed(_ pressure: Double?) -> ScalingInputs {
    var inputs = ScalingWorld.inputs()
    inputs.memory.pressure = pressure
    inputs.lanes = [
      ScalingWorld.lane(10, within: 1_000, memory: 1e9),
      ScalingWorld.lane(10, within: 1_000, memory: 3e9, kind: "heavy"),
    ]
    ScalingWorld.busy(4, in: &inputs, memory: 2e9)
    for index in inputs.running.indices { inputs.running[index].priority = index == 0 ? 1 : 0 }
    return inputs
  }

  @Test(
    "memory pressure holds heavy claims, then all",
    arguments: [(nil, nil), (0.0, nil), (0.10, nil), (0.2, 2e9), (0.3, 0.0), (.nan, nil)] as [(Double?, Double?)])
  func claims(pressure: Double?, heaviest: Double?) {
    #expect(policy.decide(pressed(pressure)).claims.heaviestBytes == heaviest)
  }

  @Test("held claims are released below half of the pressure that held them")
  func hysteresis() {
    var inputs = pressed(0.2)
    inputs.history = policy.decide(inputs).history
    inputs.memory.pressure = 0.07
    let still = policy.decide(inputs)
    #expect(still.claims.heaviestBytes != nil)
    inputs.history = still.history
    inputs.memory.pressure = 0.04
    #expect(policy.decide(inputs).claims.heaviestBytes == nil)
  }

  @Test("under pressure something may always be claimed when nothing runs")
  func nothingRuns() {
    var inputs = pressed(0.9)
    inputs.running = []
    #expect(policy.decide(inputs).claims.heaviestBytes ?? 0 > 0)
  }

  @Test("under high pressure the job of the lowest priority that loses least yields, one at a time")
  func yields() {
    var inputs = pressed(0.3)
    let first = policy.decide(inputs)
    // Job 1001 loses least and has a higher priority.
    #expect(first.yields == [1_002])
    inputs.history = first.history
    inputs.seconds += 5
    let second = policy.decide(inputs)
    #expect(second.yields.isEmpty)
    inputs.history = second.history
    inputs.seconds += 15
    #expect(policy.decide(inputs).yields == [1_002])
    inputs.running.removeLast(3)
    inputs.seconds += 15
    #expect(policy.decide(inputs).yields.isEmpty, "the last job stays")
  }

  /// Ten workers become twenty. Before, each did one second of work a second; then all together do `rate`.
  private func scaledUp(rate: Double) -> (inputs: ScalingInputs, decision: ScalingDecision) {
    var inputs = ScalingWorld.inputs()
    inputs.lanes = [ScalingWorld.lane(2_000, of: 60, within: 6_500)]
    inputs.throughput.workSeconds = 0
    ScalingWorld.busy(10, in: &inputs)
    var decision = policy.decide(inputs)
    func step(_ seconds: Double, _ rate: Double) {
      inputs.history = decision.history
      inputs.seconds += seconds
      inputs.throughput.workSeconds? += seconds * rate
      decision = policy.decide(inputs)
    }
    inputs.limits.maxWorkers = 10
    for _ in 0..<40 { step(10, 10) }
    inputs.limits.maxWorkers = 20
    step(10, 10)
    inputs.workers = []
    inputs.running = []
    ScalingWorld.busy(20, in: &inputs)
    inputs.throughput.waits = [.source: 0.1, .database: 0.6]
    for _ in 0..<30 { step(10, rate) }
    inputs.limits.maxWorkers = 60
    step(10, rate)
    return (inputs, decision)
  }

  @Test("a scale-up that brought nothing freezes the count and names what the jobs wait for")
  func frozen() {
    let (_, decision) = scaledUp(rate: 10)
    #expect(decision.total == 20)
    #expect(decision.limit == .frozen(cause: .database, workers: 20))
    #expect(decision.reasons.first == .frozen(cause: .database))
  }

  @Test("a scale-up that brought what it promised freezes nothing")
  func kept() {
    let (_, decision) = scaledUp(rate: 20)
    #expect(decision.total > 20)
    #expect(decision.history.freeze == nil)
  }

  @Test("work from before a time in which nothing ran says nothing of a scale-up after it")
  func restBefore() {
    var inputs = ScalingWorld.inputs(max: 10)
    inputs.lanes = [ScalingWorld.lane(2_000, of: 60, within: 6_500)]
    inputs.throughput.workSeconds = 0
    ScalingWorld.busy(10, in: &inputs)
    var decision = policy.decide(inputs)
    func step(_ seconds: Double, _ rate: Double) {
      inputs.history = decision.history
      inputs.seconds += seconds
      inputs.throughput.workSeconds? += seconds * rate
      decision = policy.decide(inputs)
    }
    func work(_ workers: Int) {
      (inputs.workers, inputs.running) = ([], [])
      ScalingWorld.busy(workers, in: &inputs)
    }
    for _ in 0..<40 { step(10, 60) }
    work(0)
    for _ in 0..<3 { step(10, 0) }
    work(4)
    step(10, 4)
    work(10)
    for _ in 0..<40 { step(10, 10) }
    inputs.limits.maxWorkers = 60
    step(10, 10)
    #expect(decision.history.freeze == nil)
    #expect(decision.total > 10)
  }

  @Test("where jobs are of very different length, chance explains more")
  func mixedLengths() {
    func freeze(_ lanes: [LaneLoad]) -> ScalingFreeze? {
      var inputs = ScalingWorld.inputs(max: 4)
      inputs.lanes = lanes
      inputs.throughput.workSeconds = 0
      var decision = policy.decide(inputs)
      func step(_ rate: Double) {
        inputs.history = decision.history
        inputs.seconds += 10
        inputs.throughput.workSeconds? += 10 * rate
        decision = policy.decide(inputs)
      }
      ScalingWorld.busy(4, in: &inputs, of: 100)
      for _ in 0..<60 { step(4) }
      inputs.limits.maxWorkers = 8
      step(4)
      (inputs.workers, inputs.running) = ([], [])
      ScalingWorld.busy(8, in: &inputs, of: 100)
      for _ in 0..<60 { step(3) }
      return decision.history.freeze
    }
    #expect(freeze([ScalingWorld.lane(900, of: 100, within: 6_500)]) != nil)
    #expect(
      freeze([ScalingWorld.lane(850, of: 10, within: 6_500), ScalingWorld.lane(50, of: 1_600, within: 6_500)]) == nil)
  }

  @Test("a freeze ends by itself with a quarter more, and that is judged again")
  func wayOut() {
    var (inputs, decision) = scaledUp(rate: 10)
    func step(_ rate: Double) {
      inputs.history = decision.history
      inputs.seconds += 10
      inputs.throughput.workSeconds? += 10 * rate
      decision = policy.decide(inputs)
    }
    for _ in 0..<70 where decision.total == 20 { step(10) }
    #expect(decision.total == 25)
    inputs.workers = []
    inputs.running = []
    ScalingWorld.busy(25, in: &inputs)
    // What was shared has become free: all work at full speed.
    for _ in 0..<60 where decision.total == 25 { step(25) }
    #expect(decision.total > 25)
    #expect(decision.history.freeze == nil)
  }

  @Test("without a measurement of the work done there is no freeze", arguments: [nil, Double.nan, -1])
  func unmeasured(work: Double?) {
    var (inputs, decision) = scaledUp(rate: 10)
    inputs.history = decision.history
    inputs.throughput.workSeconds = work
    inputs.seconds += 700
    decision = policy.decide(inputs)
    #expect(decision.total > 20)
  }
}
