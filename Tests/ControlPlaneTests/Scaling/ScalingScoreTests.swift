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

  @Test("ends of runs are compared by pipeline, and deadlines that were said to be missed with those that were")
  func runs() throws {
    func ended(_ actual: Double?, announced: Bool = false, missed: Bool = false) -> JobStore.EndedRun {
      JobStore.EndedRun(
        pipeline: "orders", early: 80, mean: 100, late: 120, actual: actual, announced: announced, missed: missed)
    }
    let score = ScalingScore(
      settled: [], decisions: [],
      runs: [
        ended(100), ended(110), ended(119), ended(171, announced: true, missed: true),
        // Failed; never predicted; said to be late and in time after all.
        ended(nil, missed: true), JobStore.EndedRun(pipeline: "rare"), ended(100, announced: true),
      ])
    #expect(
      score.lines.map { "\($0.kind ?? "-") \($0.subject.rawValue) \($0.score.count)" } == [
        "orders finish 5", "- deadlines 7",
      ])
    let finish = try #require(score.lines.first?.score)
    #expect((finish.bias, finish.shareWithinHigh, finish.shareWithinWidth) == (1.2, 0.8, 0.8))
    let deadlines = try #require(score.lines.last?.score)
    // Two were announced, two missed, five of seven were said rightly.
    #expect(deadlines.bias == 1)
    #expect(deadlines.shareWithinWidth == 5.0 / 7)
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
