import Testing

@testable import Autoscaling

@Suite("Scaling down")
struct HoldTests {
  private let policy = ScalingPolicy()

  @Test("down only to the highest need of the last six start-up times, and no further")
  func held() {
    var inputs = ScalingWorld.inputs()
    inputs.lanes = [ScalingWorld.lane(150)]
    ScalingWorld.busy(10, in: &inputs, of: 600)
    inputs.history = policy.decide(inputs).history
    inputs.lanes = [ScalingWorld.lane(30)]
    inputs.seconds += 260
    let soon = policy.decide(inputs)
    #expect(soon.total == 10)
    #expect(soon.reasons.contains(.recentlyNeeded(workers: 10)))
    inputs.history = soon.history
    inputs.seconds += 20
    let later = policy.decide(inputs)
    #expect(later.total == 2)
    #expect(later.stops.isEmpty, "a busy worker is never stopped")
    #expect(later.drains == [1, 2, 3, 4, 5, 6, 7, 8], "those that lose least drain")
  }

  @Test("an idle worker goes after three quarters of a start, within the hold too")
  func idle() {
    var inputs = ScalingWorld.inputs()
    inputs.lanes = [ScalingWorld.lane(150)]
    ScalingWorld.busy(10, in: &inputs, of: 600)
    inputs.history = policy.decide(inputs).history
    inputs.lanes = []
    inputs.running = []
    inputs.workers = []
    ScalingWorld.idle(3, in: &inputs, from: 1, for: 5)
    ScalingWorld.idle(7, in: &inputs, from: 4, for: 40)
    inputs.seconds += 5
    let decision = policy.decide(inputs)
    #expect(decision.total == 3)
    #expect(decision.stops == [4, 5, 6, 7, 8, 9, 10])
    #expect(decision.drains.isEmpty)
  }

  @Test("starting workers go before idle ones, idle ones before busy ones, and of two idle ones the longer idle")
  func order() {
    var inputs = ScalingWorld.inputs()
    inputs.override = ScalingOverride(workers: 1, expires: inputs.seconds + 60, reason: "test")
    ScalingWorld.busy(2, in: &inputs)
    ScalingWorld.idle(1, in: &inputs, from: 10, for: 5)
    ScalingWorld.idle(1, in: &inputs, from: 11, for: 9)
    inputs.workers.append(WorkerLoad(worker: 12, release: ScalingWorld.release, state: .starting))
    let decision = policy.decide(inputs)
    #expect(decision.stops == [12, 11, 10])
    #expect(decision.drains == [1])
  }

  @Test("workers that a decision named go first in the next one, whatever their jobs lose by then, and no others")
  func stable() {
    var inputs = ScalingWorld.inputs()
    inputs.override = ScalingOverride(workers: 3, expires: inputs.seconds + 60, reason: "test")
    ScalingWorld.busy(5, in: &inputs)
    let first = policy.decide(inputs)
    #expect(first.drains == [1, 2])
    inputs.history = first.history
    inputs.seconds += 1
    for index in inputs.running.indices { inputs.running[index].sinceCheckpointSeconds = Double(10 - index) }
    let second = policy.decide(inputs)
    #expect(second.drains.sorted() == [1, 2], "worker 5 loses least now")
    inputs.history = second.history
    for index in 0..<2 { inputs.workers[index].state = .draining }
    let last = policy.decide(inputs)
    #expect(last.drains.isEmpty, "those that drain are not counted")
    inputs.history = last.history
    for index in 0..<2 { inputs.workers[index].state = .ready }
    inputs.seconds += 1
    #expect(policy.decide(inputs).drains.sorted() == [4, 5], "what no decision names any more is forgotten")
  }

  @Test("a worker with one busy slot is not idle")
  func partlyBusy() {
    var inputs = ScalingWorld.inputs(slots: 2)
    inputs.override = ScalingOverride(workers: 0, expires: inputs.seconds + 60, reason: "test")
    inputs.workers = [WorkerLoad(worker: 1, release: "r1", state: .ready, slots: 2, busySlots: 1)]
    let decision = policy.decide(inputs)
    #expect(decision.stops.isEmpty)
    #expect(decision.drains == [1])
  }

  @Test("workers that find nothing to claim next to ready jobs bound the count, and this is forgotten")
  func idleInVain() {
    var inputs = ScalingWorld.inputs()
    inputs.lanes = [ScalingWorld.lane(100, of: 3_000, within: 3_100)]
    ScalingWorld.busy(8, in: &inputs)
    ScalingWorld.idle(4, in: &inputs, for: 15)
    let decision = policy.decide(inputs)
    #expect(decision.demanded > 60)
    #expect(decision.total == 9)
    #expect(decision.limit == .claimable(workers: 9))
    inputs.history = decision.history
    inputs.workers.removeAll { $0.busySlots == 0 }
    inputs.seconds += 700
    #expect(policy.decide(inputs).total == 60)
  }

  @Test("an idle worker that has not had the time to claim says nothing")
  func justIdle() {
    var inputs = ScalingWorld.inputs()
    inputs.lanes = [ScalingWorld.lane(100, of: 3_000, within: 3_100)]
    ScalingWorld.idle(4, in: &inputs, for: 5)
    #expect(policy.decide(inputs).total == 60)
  }

  @Test("stale measurements hold the count, stop nothing, and are never zero", arguments: [61.0, 1e9, .infinity, .nan])
  func stale(age: Double) {
    var inputs = ScalingWorld.inputs()
    inputs.lanes = [ScalingWorld.lane(150)]
    inputs.history = policy.decide(inputs).history
    var gap = ScalingWorld.inputs(at: inputs.seconds + 600)
    gap.history = inputs.history
    gap.ageSeconds = age
    ScalingWorld.idle(10, in: &gap, for: 1_000)
    let decision = policy.decide(gap)
    #expect(decision.total == 10)
    #expect(decision.stops.isEmpty && decision.drains.isEmpty && decision.yields.isEmpty)
    guard case .stale = decision.reasons.first else {
      Issue.record("\(decision.reasons)")
      return
    }
  }

  @Test("stale measurements at the first decision keep the workers that there are")
  func staleAtFirst() {
    var inputs = ScalingWorld.inputs()
    inputs.ageSeconds = 500
    ScalingWorld.busy(4, in: &inputs)
    inputs.workers[3].state = .draining
    #expect(policy.decide(inputs).total == 3)
  }

  @Test("a clock that is set back shortens no hold and makes none longer")
  func clock() {
    var inputs = ScalingWorld.inputs()
    inputs.lanes = [ScalingWorld.lane(150)]
    ScalingWorld.busy(10, in: &inputs, of: 600)
    inputs.history = policy.decide(inputs).history
    inputs.lanes = [ScalingWorld.lane(30)]
    inputs.seconds -= 5_000
    inputs.history = policy.decide(inputs).history
    inputs.seconds += 260
    let held = policy.decide(inputs)
    #expect(held.total == 10)
    inputs.history = held.history
    inputs.seconds += 20
    #expect(policy.decide(inputs).total == 2)
  }

  @Test("the history stays small, however often there is a decision")
  func bounded() {
    var inputs = ScalingWorld.inputs()
    inputs.lanes = [ScalingWorld.lane(150)]
    ScalingWorld.idle(4, in: &inputs, for: 15)
    for _ in 0..<3_000 {
      inputs.seconds += 1
      inputs.throughput.workSeconds = inputs.seconds
      inputs.history = policy.decide(inputs).history
    }
    #expect(inputs.history.moments.count <= 62)
    #expect(inputs.history.fills.count <= 62)
    #expect(inputs.history.samples.count <= ScalingHistory.maxSamples)
  }
}
