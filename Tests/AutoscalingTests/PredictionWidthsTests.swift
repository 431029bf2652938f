import Testing

@testable import Autoscaling

@Suite("The widths of predictions come from earlier ones")
struct PredictionWidthsTests {
  private func widths(_ errors: [Double], width: Double = 1) -> PredictionWidths {
    var widths = PredictionWidths()
    for error in errors {
      widths.add(
        .seconds, of: "load", predicted: Estimate(mean: 100, deviation: 10 * width), width: width, actual: 100 + error)
    }
    return widths
  }

  @Test(
    "the factor is what would have held 19 of 20 actual values, at least 1 and at most 2",
    arguments: [
      // So many actual values that are so far off, so many that are right, and the factor. The deviation is 10.
      (5.0, 100, 0, 1.0), (30, 100, 0, 1.5), (-30, 100, 0, 1.5), (90, 100, 0, 2),
      // One of 20 may be outside.
      (30, 5, 95, 1), (30, 6, 94, 1.5),
      // Too few.
      (90, 19, 0, 1), (0, 0, 0, 1),
    ])
  func factor(error: Double, count: Int, right: Int, expected: Double) {
    let errors = [Double](repeating: error, count: count) + [Double](repeating: 0, count: right)
    #expect(abs(widths(errors).factor(.seconds, of: "load") - expected) < 1e-9)
    #expect(widths(errors).factor(.memory, of: "load") == 1)
    #expect(widths(errors).factor(.seconds, of: "curate") == 1)
  }

  @Test("a width that was multiplied before is not multiplied twice: the factor stays where it was right")
  func steady() {
    #expect(widths([Double](repeating: 30, count: 100), width: 1.5).factor(.seconds, of: "load") == 1.5)
  }

  @Test("a kind whose predictions have become good gets its width back within 200 pairs")
  func recovers() {
    #expect(
      widths([Double](repeating: 90, count: 300) + [Double](repeating: 0, count: 200)).factor(.seconds, of: "load") == 1
    )
  }

  @Test("a prediction is widened, and its mean stays")
  func widened() {
    var predictor = Predictor()
    for seconds in [80.0, 90, 100, 110, 120] {
      var job = FinishedJob(kind: "load", release: "r", seconds: seconds)
      job.peakBytes = seconds * 1e6
      predictor.learn(job)
    }
    let before = predictor.predict(kind: "load", release: "r")
    predictor.widths = widths([Double](repeating: 90, count: 100))
    let after = predictor.predict(kind: "load", release: "r")
    #expect(after.seconds.mean == before.seconds.mean)
    #expect(abs(after.seconds.deviation - 2 * before.seconds.deviation) < 1e-9)
    #expect(after.seconds.high == 140, "from 120, which is 20 above the mean")
    #expect((after.secondsWidth, after.memoryWidth) == (2, 1))
    #expect(after.memoryBytes == before.memoryBytes)
  }

  @Test("numbers that are none are left out, and kinds are bounded")
  func hostile() {
    var widths = PredictionWidths()
    for value in [Double.nan, .infinity, -.infinity, -1, 0, 1e300] {
      for _ in 0..<30 {
        widths.add(
          .memory, of: "k", predicted: Estimate(mean: value, deviation: value), width: value, actual: value)
        widths.add(.memory, of: "k", predicted: Estimate(mean: 1, deviation: 0), width: value, actual: value)
      }
      #expect((1...2).contains(widths.factor(.memory, of: "k")))
    }
    for number in 0..<3000 {
      widths.add(.seconds, of: "k\(number)", predicted: Estimate(mean: 1, deviation: 1), actual: 1)
    }
    #expect(widths.count <= 2 * PredictionWidths.maxKinds)
  }
}
