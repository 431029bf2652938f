import Autoscaling
import Testing

@testable import ControlPlane
@testable import JobStore

@Suite("How good predictions and counts were")
struct ScalingScoreTests {
  private func settled(_ kind: String, _ actual: Double, bytes: Double? = nil) -> JobStore.SettledPrediction {
    JobStore.SettledPrediction(
      job: 1, kind: kind, release: 7, basis: "kind",
      seconds: JobStore.PredictedAmount(mean: 100, deviation: 10, high: 120, actual: actual),
      bytes: JobStore.PredictedAmount(mean: 1e9, deviation: 1e8, high: 2e9, actual: bytes))
  }

  private func decision(
    _ total: Int, demanded: Int? = nil, age: Double, busySlots: Int, workers: Int = 8, queued: Int = 0
  ) throws -> JobStore.ScalingDecisionRecord {
    var inputs = ScalingInputs(seconds: 1000)
    inputs.limits = ScalingLimits(maxWorkers: 8, slotsPerWorker: 2)
    if queued > 0 {
      var lane = LaneLoad(release: "7", kind: "load", stage: "load")
      lane.queued = [
        QueuedClass(deadline: nil, jobs: queued, seconds: Estimate(exactly: 1), memoryBytes: Estimate(exactly: 1))
      ]
      inputs.lanes = [lane]
    }
    inputs.workers = (0..<workers).map {
      WorkerLoad(
        worker: Int64($0), release: "7", state: .ready, slots: 2, busySlots: min(2, max(0, busySlots - 2 * $0)))
    }
    let report = ScalingReport(
      inputs, decision: ScalingPolicy().decide(inputs), bases: [:], troubles: [:])
    return JobStore.ScalingDecisionRecord(
      id: 1, epoch: 1, decidedAt: "", ageSeconds: age, total: total, demanded: demanded ?? total, counts: [7: total],
      stops: [], drains: [], reasons: [], limitedBy: nil, inputs: try report.json)
  }

  @Test("each kind has a line for its seconds and for its memory, where that was measured")
  func kinds() throws {
    let score = ScalingScore(
      settled: (0..<30).map { settled("curate", $0 < 15 ? 100 : 160, bytes: 1.5e9) } + [settled("load", 100)],
      decisions: [])
    #expect(
      score.lines.map { "\($0.kind ?? "") \($0.subject.rawValue)" } == [
        "curate seconds", "curate memory", "load seconds",
      ])
    let line = try #require(score.lines.first)
    #expect(line.score.count == 30)
    #expect(line.score.bias == 1.3)
    #expect(line.score.shareWithinHigh == 0.5)
    #expect(line.width == 2, "what the policy multiplies its widths by")
    #expect(score.lines.map(\.width) == [2, 2, 1])
  }

  @Test("a count is compared with the workers that were busy at the next decision")
  func counts() throws {
    let score = ScalingScore(
      settled: [],
      decisions: [
        try decision(4, age: 300, busySlots: 0), try decision(4, age: 240, busySlots: 8),
        try decision(2, age: 180, busySlots: 2),
      ])
    let line = try #require(score.lines.first)
    #expect(score.lines.count == 1)
    #expect(line.subject == .workers)
    #expect(line.score.count == 2)
    // 4 and 4 wanted, 4 and 1 needed.
    #expect(line.score.bias == 5.0 / 8)
    #expect(line.score.shareWithinWidth == 0.5)
    #expect(line.score.shareWithinHigh == 1)
  }

  @Test("where every worker was busy and jobs waited, what the work asked for was needed")
  func short() throws {
    let score = ScalingScore(
      settled: [],
      decisions: [
        try decision(2, age: 120, busySlots: 0),
        try decision(2, demanded: 6, age: 60, busySlots: 4, workers: 2, queued: 500),
      ])
    #expect(score.lines.first?.score.bias == 3)
    #expect(score.lines.first?.score.shareWithinHigh == 0)
  }

  @Test("decisions with a gap between them, of another engine or alone say nothing")
  func gaps() throws {
    let far = [try decision(4, age: 900, busySlots: 0), try decision(4, age: 60, busySlots: 8)]
    #expect(ScalingScore(settled: [], decisions: far).lines.isEmpty)
    var foreign = try decision(4, age: 10, busySlots: 8)
    foreign.inputs = "{}"
    #expect(ScalingScore(settled: [], decisions: [far[1], foreign]).lines.isEmpty)
    #expect(ScalingScore(settled: [], decisions: [far[0]]).lines.isEmpty)
    #expect(ScalingScore(settled: [], decisions: []).lines.isEmpty)
  }
}
