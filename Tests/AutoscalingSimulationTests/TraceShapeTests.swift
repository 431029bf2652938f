import FleetSimulation
import Testing

@testable import AutoscalingSimulation

@Suite struct TraceShapeTests {
  @Test("a seed gives the same trace again, and another seed another", arguments: TraceShape.allCases)
  func seeded(shape: TraceShape) {
    let trace = shape.trace(seed: 7, scale: 0.03)
    #expect(trace == shape.trace(seed: 7, scale: 0.03))
    #expect(trace.jobs != shape.trace(seed: 8, scale: 0.03).jobs)
    #expect(!trace.jobs.isEmpty)
    #expect(zip(trace.jobs, trace.jobs.dropFirst()).allSatisfy { $0.at <= $1.at })
    #expect(trace.jobs.allSatisfy { $0.memoryGB < trace.header.memoryGB && $0.seconds > 0 })
  }

  @Test("tuning seeds and held-out seeds are apart")
  func seeds() { #expect(!TraceShape.tuningSeeds.overlaps(TraceShape.heldOutSeeds)) }

  @Test("a run of the same policy on the same trace has the same score", arguments: PolicyName.allCases)
  func deterministic(policy: PolicyName) throws {
    let trace = TraceShape.crashStorm.trace(seed: 3, scale: 0.01)
    let settings = PolicySettings.defaults(of: policy)
    #expect(SimulatedRun.score(trace, policy, settings) == SimulatedRun.score(trace, policy, settings))
  }

  @Test("a tuned peer is at least as good as with its defaults", arguments: PolicyName.peers)
  func tuned(policy: PolicyName) throws {
    let trace = TraceShape.sawtooth.trace(seed: 3, scale: 0.01)
    let plain = SimulatedRun.score(trace, policy, .defaults(of: policy))
    let tuned = try SimulatedRun(trace, policy: policy)
    #expect(!Tuning.isBetter(plain, tuned.score))
    let fixed = try SimulatedRun(trace, policy: policy, given: ["max=3"])
    #expect(fixed.settings.max == 3)
    #expect(fixed.score.peakWorkers >= 1)
  }
}
