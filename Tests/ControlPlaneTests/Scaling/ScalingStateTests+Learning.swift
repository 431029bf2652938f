import Autoscaling
import JobModel
import Testing

@testable import ControlPlane
@testable import JobStore

/// What is learned from the jobs that end, and how the work that is done is measured.
extension ScalingStateTests {
  private func pipeline(_ name: String, _ number: Int64) -> JobStore.LaneKind {
    JobStore.LaneKind(lane: number, engine: 7, pipeline: name, stage: "ingest", kind: "ingest")
  }

  private func finished(
    _ jobs: Int, of pipeline: String, seconds: Double, memory: Double? = nil, from first: Int64
  ) -> [JobStore.FinishedAttempt] {
    (first..<first + Int64(jobs)).map {
      JobStore.FinishedAttempt(
        job: $0, kind: "ingest", release: 7, seconds: seconds, memory: memory, pipeline: pipeline)
    }
  }

  @Test("each job counts with what its own pipeline takes, however many pipelines share a kind and a load")
  func ownDurations() throws {
    var state = state(max: 50)
    var first = look(at: 1000)
    first.finished = finished(60, of: "quick", seconds: 1, from: 1) + finished(10, of: "long", seconds: 200, from: 100)
    _ = try state.decide(first)
    func count(_ depths: [(String, Int)], at seconds: Double) throws -> ScalingState.Outcome {
      var fresh = state
      return try fresh.decide(
        look(
          at: seconds,
          depths.enumerated().map {
            JobStore.LaneDepth(lane: pipeline($0.element.0, Int64($0.offset)), ready: $0.element.1)
          }))
    }
    // 900 s for the backlog: 180 jobs of 200 s are 40 slots, 180 of 1 s are one.
    #expect(try count([("long", 180)], at: 1001).counts == [7: 20])
    #expect(try count([("quick", 180)], at: 1001).counts == [7: 1])
    let both = try count([("quick", 900), ("long", 90)] + (0..<500).map { ("quick\($0)", 0) }, at: 1001)
    // 18,000 s and 900 s are 21 slots.
    #expect(both.counts == [7: 11])
    let stage = try #require(try ScalingReport(json: both.record?.inputs ?? "").stages.first)
    #expect((stage.queued, stage.basis) == (990, "pipeline"))
    #expect(abs(stage.predictedSeconds - 18_900.0 / 990) < 0.001)
    // Another process knows as much.
    var heir = self.state(max: 50)
    heir.remember(
      [("quick", 1.0), ("long", 200.0)].map { name, seconds in
        JobStore.NeedEstimate(
          kind: "ingest", pipeline: name,
          expected: JobStore.ExpectedNeed(
            secondsMean: seconds, secondsDeviation: 1, bytesMean: 1e6, bytesDeviation: 1e5))
      })
    var takeover = look(at: 1001, [JobStore.LaneDepth(lane: pipeline("long", 1), ready: 180)])
    takeover.finished = finished(20, of: "quick", seconds: 1, from: 1)
    #expect(try heir.decide(takeover).counts == [7: 20])
  }

  @Test("a prediction of a pipeline follows its jobs")
  func ownDurationsChange() throws {
    var state = state(max: 50)
    let depths = [JobStore.LaneDepth(lane: pipeline("a", 1), ready: 180)]
    var first = look(at: 1000, depths)
    first.finished = finished(10, of: "a", seconds: 10, from: 1)
    #expect(try state.decide(first).counts == [7: 1])
    var later = look(at: 1001, depths)
    later.finished = finished(64, of: "a", seconds: 200, from: 100)
    #expect(try state.decide(later).counts == [7: 20])
  }

  @Test("the work that is done is measured by predictions only where those are of the pipeline's own jobs")
  func measuredWork() throws {
    var state = state()
    var first = look(at: 1000)
    first.finished = finished(20, of: "quick", seconds: 1, from: 1)
    _ = try state.decide(first)
    let before = state.workSeconds
    var second = look(at: 1010, workers: [worker(1, busy: 2)])
    second.running = [100, 101].map {
      JobStore.RunningAttempt(job: $0, worker: 1, engine: 7, pipeline: "long", kind: "ingest", seconds: 10)
    }
    _ = try state.decide(second)
    #expect(state.workSeconds - before == 20, "two slots worked for ten seconds")
    var third = look(at: 1020)
    third.finished = finished(2, of: "long", seconds: 20, from: 100)
    _ = try state.decide(third)
    #expect(state.workSeconds - before == 40)
    var slow = look(at: 1030)
    slow.finished = finished(2, of: "quick", seconds: 5, from: 200)
    _ = try state.decide(slow)
    #expect(state.workSeconds - before < 44, "ten seconds brought less than ten seconds of work")
  }

  @Test("the work of a slot stays done where its job is given back")
  func measuredWorkOfYields() throws {
    var state = state()
    var running = look(at: 1000, workers: [worker(1, busy: 1)])
    running.running = [
      JobStore.RunningAttempt(job: 1, worker: 1, engine: 7, pipeline: "new", kind: "ingest", seconds: 2400)
    ]
    _ = try state.decide(running)
    let before = state.workSeconds
    var yielded = look(at: 1010, workers: [worker(1, busy: 1)])
    yielded.finished = finished(1, of: "new", seconds: 2405, from: 1).map {
      var attempt = $0
      attempt.status = "yielded"
      return attempt
    }
    yielded.running = [
      JobStore.RunningAttempt(job: 2, worker: 1, engine: 7, pipeline: "new", kind: "ingest", seconds: 5)
    ]
    _ = try state.decide(yielded)
    #expect(state.workSeconds - before == 10)
  }

  @Test("predictions come from what has finished, and memory without the worker's own")
  func learns() throws {
    var state = state()
    state.limits.workerBytes = 100e6
    var first = look(at: 1000)
    first.finished = (1...20).map {
      JobStore.FinishedAttempt(job: $0, kind: "ingest", release: 7, seconds: 4, memory: 300e6)
    }
    first.finished.append(
      JobStore.FinishedAttempt(job: 21, kind: "ingest", release: 7, status: "retried", seconds: 900))
    _ = try state.decide(first)
    let prediction = state.predictor.predict(kind: "ingest", release: "7")
    #expect(prediction.seconds.mean == 4)
    #expect(prediction.memoryBytes.mean == 200e6)
  }

  @Test("widths come from how earlier predictions turned out, also those of another process")
  func widths() throws {
    func settled(_ actual: Double, basis: String = "kind") -> JobStore.SettledPrediction {
      JobStore.SettledPrediction(
        job: 1, kind: "ingest", release: 7, basis: basis,
        seconds: JobStore.PredictedAmount(mean: 100, deviation: 10, high: 120, actual: actual),
        bytes: JobStore.PredictedAmount(mean: 1e9, deviation: 1e8, high: 2e9, actual: nil))
    }
    func deviation(_ earlier: [JobStore.SettledPrediction]) -> Double {
      let state = ScalingState(limits: ScalingLimits(), stages: ["ingest"], settled: earlier)
      return state.predictor.predict(kind: "ingest", release: "7").seconds.deviation
    }
    #expect(deviation([]) == 60)
    #expect(deviation(Array(repeating: settled(130), count: 50)) == 90)
    #expect(deviation(Array(repeating: settled(130, basis: "coldStart"), count: 50)) == 60)
  }

  @Test("what is predicted of attempts that ended is told once there was a look, and widens the next predictions")
  func settles() throws {
    var state = state()
    func ended(_ from: Int64, _ seconds: Double) -> ScalingMeasurement {
      var look = look(at: 1000 + Double(from))
      look.finished = (from..<from + 10).map {
        JobStore.FinishedAttempt(job: $0, kind: "ingest", release: 7, seconds: seconds)
      }
      return look
    }
    #expect(try state.decide(ended(0, 10)).settled.isEmpty, "what ended before the first look was not predicted")
    let settled = try state.decide(ended(10, 10)).settled
    #expect(settled.map(\.seconds.mean) == [10])
    #expect(settled.map(\.standsFor) == [10])
    for turn in 2..<40 { _ = try state.decide(ended(Int64(turn) * 10, turn % 2 == 0 ? 1 : 1000)) }
    #expect(state.predictor.predict(kind: "ingest", release: "7").secondsWidth > 1)
  }
}
