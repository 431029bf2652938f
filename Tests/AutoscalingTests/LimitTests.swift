import Testing

@testable import Autoscaling

@Suite("Limits of the count")
struct LimitTests {
  private let policy = ScalingPolicy()

  private func wanting(_ workers: Int, max: Int = 60, memory: Double? = nil) -> ScalingInputs {
    var inputs = ScalingWorld.inputs(max: max, memory: memory)
    inputs.lanes = [ScalingWorld.lane(workers, of: 3_000, within: 3_100, memory: 2e9)]
    return inputs
  }

  @Test("the maximum limits, and says so")
  func maximum() {
    let decision = policy.decide(wanting(20, max: 8))
    #expect(decision.total == 8)
    #expect(decision.demanded == 20)
    #expect(decision.limit == .maximum(8))
    #expect(decision.reasons.contains(.limited(.maximum(8))))
  }

  @Test("a maximum of zero is no worker")
  func noWorker() {
    let decision = policy.decide(wanting(20, max: 0))
    #expect(decision.total == 0)
    #expect(decision.limit == .maximum(0))
  }

  @Test("the database's connections limit")
  func connections() {
    var inputs = wanting(20)
    inputs.database = ConnectionLoad(maximum: 40, reserve: 10, perWorker: 3)
    let decision = policy.decide(inputs)
    #expect(decision.total == 10)
    #expect(decision.limit == .connections(10))
  }

  @Test("a budget that is nearly used slows down, and one that is used keeps only pinned releases")
  func budget() {
    var inputs = wanting(20)
    inputs.limits.budgetHours = 200
    inputs.limits.usedHours = 100
    #expect(policy.decide(inputs).total == 20)
    inputs.limits.usedHours = 195
    #expect(policy.decide(inputs).total == 5)
    inputs.limits.usedHours = 250
    let used = policy.decide(inputs)
    #expect(used.total == 0)
    #expect(used.limit == .budget(hours: 200, workers: 0, renewsInSeconds: 30 * 86_400))
    inputs.pinnedReleases = ["r1"]
    #expect(policy.decide(inputs).wanted == [ReleaseCount(release: "r1", workers: 1)])
  }

  @Test("memory limits to the jobs that fit by the chance constraint")
  func memory() {
    // 0.95 × 21 GB have room for nine jobs of exactly 2 GB.
    let decision = policy.decide(wanting(20, memory: 21e9))
    #expect(decision.total == 9)
    #expect(decision.limit == .memory(bytes: 21e9, workers: 9))
  }

  @Test(
    "of several limits the lowest is told: only raising that one brings more",
    arguments: [
      (3, 21e9, .maximum(3)), (20, 21e9, .memory(bytes: 21e9, workers: 9)), (8, nil, .maximum(8)),
    ] as [(Int, Double?, ScalingLimit)])
  func lowest(max: Int, memory: Double?, limit: ScalingLimit) {
    let decision = policy.decide(wanting(20, max: max, memory: memory))
    #expect(decision.limit == limit)
    #expect(decision.reasons.contains(.limited(limit)))
  }

  @Test("next to a lower maximum a freeze is no reason, and what limits the work does not limit a number set by hand")
  func notBinding() {
    var inputs = wanting(20, max: 8)
    inputs.history.freeze = ScalingFreeze(since: inputs.seconds, until: inputs.seconds + 600, workers: 9)
    let frozen = policy.decide(inputs)
    #expect(frozen.limit == .maximum(8))
    #expect(!frozen.reasons.contains(.frozen(cause: nil)))
    inputs = wanting(20, memory: 21e9)
    inputs.override = ScalingOverride(workers: 3, expires: inputs.seconds + 60, reason: "test")
    let set = policy.decide(inputs)
    #expect(set.total == 3)
    #expect(set.limit == nil)
  }

  @Test("light jobs behind a heavy one that has no room fill the memory")
  func backFill() {
    var inputs = ScalingWorld.inputs(memory: 20e9)
    inputs.lanes = [
      ScalingWorld.lane(3, of: 3_000, within: 3_100, memory: 8e9, kind: "heavy"),
      ScalingWorld.lane(30, of: 3_000, within: 3_101, memory: 1e9, kind: "light"),
    ]
    // Two heavy ones and three light ones: 19 GB.
    #expect(policy.decide(inputs).total == 5)
  }

  @Test("memory that others use is not given out")
  func otherMemory() {
    var inputs = wanting(20, memory: 21e9)
    inputs.memory.otherBytes = 10.5e9
    #expect(policy.decide(inputs).total == 4)
  }

  @Test("a job that needs more than the limit is reported")
  func tooLarge() {
    let decision = policy.decide(wanting(1, memory: 1.5e9))
    #expect(decision.limit == .jobTooLarge(kind: "curate", bytes: 2e9))
  }

  @Test("the workers' own memory limits too")
  func workerMemory() {
    var inputs = wanting(20, memory: 8e9)
    inputs.lanes[0].queued[0].memoryBytes = Estimate(exactly: 0)
    inputs.limits.workerBytes = 1e9
    #expect(policy.decide(inputs).total <= 8)
  }

  @Test("the minimum is kept when idle, on the current release")
  func minimum() {
    var inputs = ScalingWorld.inputs()
    inputs.limits.minWorkers = 2
    inputs.currentRelease = "r7"
    let decision = policy.decide(inputs)
    #expect(decision.wanted == [ReleaseCount(release: "r7", workers: 2)])
    #expect(decision.reasons == [.minimum(2)])
  }

  @Test("a release with pinned work keeps one worker, next to one with much more work")
  func pinned() {
    var inputs = wanting(20, max: 4)
    inputs.pinnedReleases = ["r0"]
    let decision = policy.decide(inputs)
    #expect(decision.wanted == [ReleaseCount(release: "r0", workers: 1), ReleaseCount(release: "r1", workers: 3)])
    #expect(decision.reasons.contains(.pinned(release: "r0")))
  }

  @Test("more pinned releases than the maximum are reported")
  func tooManyPinned() {
    var inputs = ScalingWorld.inputs(max: 2)
    inputs.pinnedReleases = ["a", "b", "c"]
    let decision = policy.decide(inputs)
    #expect(decision.total == 2)
    #expect(decision.limit == .pinnedReleases(needed: 3, maximum: 2))
  }

  @Test("an override decides until it expires, within the maximum", arguments: [(3, 3), (0, 0), (99, 8)])
  func override(given: Int, expected: Int) {
    var inputs = wanting(20, max: 8)
    inputs.override = ScalingOverride(workers: given, expires: inputs.seconds + 60, reason: "maintenance")
    let decision = policy.decide(inputs)
    #expect(decision.total == expected)
    #expect(
      decision.reasons.first == .override(workers: given, reason: "maintenance", expiresInSeconds: 60))
    inputs.seconds += 61
    #expect(policy.decide(inputs).total == 8)
  }

  @Test("an override that never expires is none", arguments: [Double.infinity, .nan])
  func endless(expires: Double) {
    var inputs = wanting(20, max: 8)
    inputs.override = ScalingOverride(workers: 1, expires: expires, reason: "for ever")
    #expect(policy.decide(inputs).total == 8)
  }

  @Test("an override gives workers that no work asks for to the current release")
  func overrideIdle() {
    var inputs = ScalingWorld.inputs()
    inputs.currentRelease = "r2"
    inputs.override = ScalingOverride(workers: 3, expires: inputs.seconds + 60, reason: "warm up")
    #expect(policy.decide(inputs).wanted == [ReleaseCount(release: "r2", workers: 3)])
  }
}
