import FleetSimulation
import Testing

@testable import AutoscalingSimulation

/// What the shipped policy is held to, on held-out seeds. Whole days and all peers: `make scaling`.
@Suite struct GoalTests {
  /// Two hours of each shape, so that the test is quick.
  private func trace(_ shape: TraceShape) -> ScalingTrace {
    shape.trace(seed: TraceShape.heldOutSeeds.lowerBound, scale: 0.08)
  }

  @Test(
    "the shipped policy misses at most one job in a hundred, kills no running job and runs out of no memory",
    arguments: TraceShape.allCases)
  func goals(shape: TraceShape) throws {
    let score = try SimulatedRun(trace(shape), policy: .sluice).score
    #expect(score.missRatio <= 0.01)
    #expect(score.runningKilled == 0)
    #expect(score.memoryKills == 0)
    #expect(score.unfinished == 0)
  }

  @Test("it costs at most 1.15 times the cheapest that misses at most 1 %", arguments: [TraceShape.mixed, .sawtooth])
  func cost(shape: TraceShape) throws {
    let comparison = try Comparison(trace(shape), policies: [.sluice, .keda, .latency])
    #expect(comparison.shortfalls.isEmpty)
    let shipped = try #require(comparison.runs.first)
    let cost = try #require(comparison.cost(of: shipped))
    #expect(cost <= Comparison.acceptedCost)
  }

  @Test("a comparison names what the shipped policy does not reach")
  func shortfalls() throws {
    var comparison = try Comparison(TraceShape.spikes.trace(seed: 1, scale: 0.01), policies: [.sluice, .keda])
    #expect(comparison.runs.map(\.policy) == [.sluice, .keda])
    comparison.runs[0].score.misses = comparison.runs[0].score.jobs
    comparison.runs[0].score.memoryKills = 1
    comparison.runs[0].score.runningKilled = 2
    #expect(comparison.shortfalls == ["misses", "running killed", "out of memory"])
    comparison.runs[0].score.misses = 0
    comparison.runs[0].score.workerSeconds = comparison.runs[1].score.workerSeconds * 2
    #expect(comparison.shortfalls.contains("worker hours"))
  }
}
