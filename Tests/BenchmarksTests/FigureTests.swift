import Testing

@testable import Benchmarks

@Suite("Figures")
struct FigureTests {
  @Test("the median of an even number of samples lies between the middle two")
  func median() {
    #expect(Samples([4, 1, 3, 2]).median == 2.5)
    #expect(Samples([9, 1, 5]).median == 5)
    #expect(Samples([7]).median == 7)
  }

  @Test("a quantile is a sample, the smallest that enough do not exceed")
  func quantiles() {
    let samples = Samples((1...200).map(Double.init))
    #expect(samples.quantile(0.99) == 198)
    #expect(samples.quantile(1) == 200)
    #expect(samples.quantile(0) == 1)
    #expect(Samples([3, 1, 2]).quantile(0.99) == 3)
  }

  @Test("a target is met at its limit and not beyond it")
  func targets() {
    #expect(Figure("f", 2, "ms", target: .atMost(2)).met == true)
    #expect(Figure("f", 2.1, "ms", target: .atMost(2)).met == false)
    #expect(Figure("f", 600, "pages/s", target: .atLeast(600)).met == true)
    #expect(Figure("f", 599, "pages/s", target: .atLeast(600)).met == false)
    #expect(Figure("f", 70, "jobs/s", beside: "p", besideValue: 100, target: .ratioAtLeast(0.7)).met == true)
    #expect(Figure("f", 69, "jobs/s", beside: "p", besideValue: 100, target: .ratioAtLeast(0.7)).met == false)
    #expect(Figure("f", 131, "ms", beside: "p", besideValue: 100, target: .ratioAtMost(1.3)).met == false)
  }

  @Test("without a peer a ratio's target is neither met nor missed")
  func withoutPeer() {
    let figure = Figure("drain", Samples([1, 2, 3]), "jobs/s", beside: "pgbench", nil, target: .ratioAtLeast(0.7))
    #expect(figure.met == nil)
    #expect(figure.beside == nil)
    #expect(figure.range == 1...3)
  }
}
