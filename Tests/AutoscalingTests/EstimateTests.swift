import Testing

@testable import Autoscaling

@Suite("Estimates")
struct EstimateTests {
  @Test(
    "an estimate from outside becomes one that can be calculated with",
    arguments: [
      (Estimate(mean: .nan, deviation: .nan, high: .nan), Estimate(mean: 0, deviation: 0, high: 0)),
      (Estimate(mean: -5, deviation: -1, high: -7), Estimate(mean: 0, deviation: 0, high: 0)),
      (Estimate(mean: .infinity, deviation: .infinity, high: 3), Estimate(mean: 100, deviation: 100, high: 100)),
      (Estimate(mean: 7, deviation: 1, high: 3), Estimate(mean: 7, deviation: 1, high: 7)),
      (Estimate(mean: 7, deviation: 1), Estimate(mean: 7, deviation: 1, high: 9)),
    ])
  func sane(given: Estimate, expected: Estimate) {
    #expect(given.sane(atMost: 100) == expected)
  }
}
