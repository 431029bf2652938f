import Testing

@testable import Autoscaling

@Suite("Predictions")
struct PredictorTests {
  private func finished(
    _ seconds: Double, peak: Double? = nil, kind: String = "curate", release: String = "r1", input: Double? = nil,
    stated: StatedPrediction? = nil
  ) -> FinishedJob {
    var job = FinishedJob(kind: kind, release: release, seconds: seconds)
    job.peakBytes = peak
    job.inputBytes = input
    job.stated = stated
    return job
  }

  @Test("without any finished job the stated defaults are used")
  func cold() {
    let prediction = Predictor().predict(kind: "curate", release: "r1")
    #expect(prediction.basis == .coldStart)
    #expect(prediction.seconds == Estimate(mean: 60, deviation: 60, high: 300))
    #expect(prediction.memoryBytes == Estimate(mean: 0x1p29, deviation: 0x1p28, high: 0x1p30))
  }

  @Test("finished jobs of the same kind, release and size come first, then of the size, then of the kind")
  func similar() {
    var predictor = Predictor()
    for _ in 0..<10 { predictor.learn(finished(10, peak: 1e8, input: 1_000)) }
    for _ in 0..<10 { predictor.learn(finished(100, peak: 1e9, input: 1_000_000)) }
    for _ in 0..<10 { predictor.learn(finished(200, peak: 1e9, release: "r2", input: 1_000_000)) }
    func predict(_ release: String, _ input: Double?) -> Prediction {
      predictor.predict(kind: "curate", release: release, inputBytes: input)
    }
    #expect(predict("r1", 1_010).seconds.mean == 10)
    #expect(predict("r1", 1_010).basis == .releaseAndSize)
    #expect(predict("r2", 1_000_000).seconds.mean == 200)
    #expect(predict("r3", 1_000_000).basis == .size)
    #expect(predict("r3", 1_000_000).seconds.mean == 150)
    #expect(predict("r3", 5).basis == .kind)
    #expect(predictor.predict(kind: "load", release: "r1").basis == .coldStart)
  }

  @Test("few jobs give a larger width than many that say the same")
  func width() {
    var predictor = Predictor()
    for _ in 0..<5 { predictor.learn(finished(100)) }
    let few = predictor.predict(kind: "curate", release: "r1").seconds
    for _ in 0..<50 { predictor.learn(finished(100)) }
    let many = predictor.predict(kind: "curate", release: "r1").seconds
    #expect(few.mean == 100 && many.mean == 100)
    #expect(few.deviation > 1.5 * many.deviation)
  }

  @Test("a change of a kind is learned within 64 jobs")
  func change() {
    var predictor = Predictor()
    for _ in 0..<500 { predictor.learn(finished(100)) }
    for _ in 0..<64 { predictor.learn(finished(300)) }
    #expect(abs(predictor.predict(kind: "curate", release: "r1").seconds.mean - 300) < 1e-9)
  }

  @Test("a stated prediction is corrected by how such predictions turned out")
  func stated() {
    var predictor = Predictor()
    let stated = StatedPrediction(seconds: 50, memoryBytes: 1e9)
    #expect(predictor.predict(kind: "curate", release: "r1", stated: stated).basis == .stated)
    #expect(predictor.predict(kind: "curate", release: "r1", stated: stated).seconds.mean == 50)
    for _ in 0..<20 {
      predictor.learn(finished(20, peak: 3e9, stated: StatedPrediction(seconds: 10, memoryBytes: 1e9)))
    }
    let corrected = predictor.predict(kind: "curate", release: "r1", stated: stated)
    #expect(corrected.basis == .corrected)
    #expect(corrected.seconds.mean == 100)
    #expect(corrected.memoryBytes.mean == 3e9)
  }

  @Test("an out-of-memory kill raises the job's next reservation by half, and teaches the kind")
  func outOfMemory() {
    var predictor = Predictor()
    for _ in 0..<10 { predictor.learn(finished(10, peak: 1e9)) }
    let before = predictor.predict(kind: "curate", release: "r1").memoryBytes.mean
    let next = predictor.predict(kind: "curate", release: "r1", outOfMemoryKills: 1).memoryBytes.mean
    #expect(abs(next - 1.5 * before) < 1)
    var killed = finished(0)
    killed.end = .outOfMemory
    killed.reservedBytes = 4e9
    predictor.learn(killed)
    let after = predictor.predict(kind: "curate", release: "r1")
    #expect(after.memoryBytes.mean > before)
    #expect(after.memoryBytes.high == 6e9)
    #expect(after.seconds.mean == 10, "a killed attempt says nothing of the time")
  }

  @Test("a failed attempt teaches nothing")
  func failed() {
    var predictor = Predictor()
    for _ in 0..<10 {
      var job = finished(1)
      job.end = .failed
      predictor.learn(job)
    }
    #expect(predictor.predict(kind: "curate", release: "r1").basis == .coldStart)
  }

  @Test("what an earlier process knew of a pipeline is used before what this one knows of others")
  func earlierPipeline() {
    var predictor = Predictor()
    predictor.remember(
      kind: "curate", pipeline: "long", seconds: Estimate(exactly: 20), memoryBytes: Estimate(exactly: 5e8))
    for _ in 0..<10 { predictor.learn(finished(1)) }
    let prediction = predictor.predict(kind: "curate", release: "r1", pipeline: "long")
    #expect((prediction.seconds.mean, prediction.basis) == (20, .earlier))
    #expect(predictor.predict(kind: "curate", release: "r1", pipeline: "other").seconds.mean == 1)
  }

  @Test("what is remembered is bounded, and numbers that are none are left out")
  func bounded() {
    var predictor = Predictor()
    for index in 0..<2_500 { predictor.learn(finished(1, kind: "k\(index)")) }
    #expect(predictor.groupCount <= 4_000)
    for value in [Double.nan, .infinity, -1, 1e300] {
      predictor.learn(
        finished(value, peak: value, input: value, stated: StatedPrediction(seconds: value, memoryBytes: value)))
      let prediction = predictor.predict(
        kind: "curate", release: "r1", inputBytes: value, stated: StatedPrediction(seconds: value, memoryBytes: value),
        outOfMemoryKills: Int.max)
      #expect(prediction.seconds.mean.isFinite && prediction.memoryBytes.high <= Number.mostBytes)
    }
  }

  @Test("what is left of a running job follows from time at first and from progress later")
  func remaining() {
    let estimate = Estimate(exactly: 100)
    #expect(Remaining.seconds(of: estimate, elapsed: 30, progress: nil) == 70)
    // Half done after 30 s: 30 by progress and 70 by time, half of each.
    #expect(Remaining.seconds(of: estimate, elapsed: 30, progress: 0.5) == 50)
    #expect(Remaining.seconds(of: estimate, elapsed: 300, progress: nil) == 100)
    #expect(Remaining.seconds(of: Estimate(exactly: .nan), elapsed: .nan, progress: .nan) == 0)
  }

  @Test("a score tells bias, error and how often the width held")
  func score() {
    var score = PredictionScore()
    #expect(score.bias == nil && score.relativeError == nil && score.shareWithinWidth == nil)
    for index in 0..<40 {
      score.add(predicted: Estimate(mean: 100, deviation: 10, high: 120), actual: index % 2 == 0 ? 100 : 200)
    }
    score.add(predicted: Estimate(exactly: .nan), actual: 5)
    score.add(predicted: Estimate(exactly: 5), actual: .infinity)
    #expect(score.count == 40)
    #expect(score.shareWithinWidth == 0.5)
    #expect(score.shareWithinHigh == 0.5)
    #expect(score.bias == 1.5)
    #expect(abs((score.relativeError ?? 0) - 1.0 / 3) < 1e-9)
    score.add(predicted: Estimate(mean: 100, deviation: 10, high: 120), actual: 100, weight: 60)
    #expect(score.count == 41)
    #expect(score.shareWithinWidth == 0.8)
  }
}
