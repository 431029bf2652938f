import Autoscaling
import Testing

@testable import ControlPlane

@Suite("What is stored of a decision")
struct ScalingReportTests {
  private func stage(queued: [QueuedClass]) throws -> ScalingReport.Stage {
    var inputs = ScalingInputs(seconds: 1000)
    var lane = LaneLoad(release: "7", kind: "curate", stage: "curate")
    lane.queued = queued
    lane.arrivals = Arrivals(jobs5Minutes: 1, jobs30Minutes: 1, meanSeconds: 60)
    inputs.lanes = [lane]
    inputs.running = [
      RunningJob(
        job: 1, release: "7", kind: "curate", worker: 1, elapsedSeconds: 0, seconds: Estimate(mean: 60, high: 300),
        memoryBytes: Estimate(mean: 5e8, high: 1e9))
    ]
    let decision = ScalingPolicy().decide(inputs)
    let report = ScalingReport(inputs, decision: decision, bases: [:], troubles: [:])
    #expect(report.stages.count == 1)
    return try #require(report.stages.first)
  }

  @Test("where no job waits, the running ones say what one is expected to need")
  func running() throws {
    let alone = try stage(queued: [])
    #expect(alone.predictedBytes == 5e8 && alone.predictedBytesHigh == 1e9)
    #expect(alone.predictedSeconds == 60 && alone.predictedSecondsHigh == 300)
    let waiting = try stage(queued: [
      QueuedClass(deadline: nil, jobs: 2, seconds: Estimate(exactly: 5), memoryBytes: Estimate(exactly: 7e6))
    ])
    #expect(waiting.predictedBytes == 7e6 && waiting.predictedSeconds == 5)
  }
}
