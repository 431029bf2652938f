import Simulation
import Testing

@Suite("Simulated worlds")
struct SimulationTests {
  @Test("the same seed gives the same trace, another seed another")
  func deterministic() {
    let first = Simulation(seed: 7).run()
    #expect(Simulation(seed: 7).run().digest == first.digest)
    #expect(Simulation(seed: 8).run().digest != first.digest)
  }

  @Test("each seeded mistake is caught by a seed of the usual range", arguments: SeededMistake.allCases)
  func caught(mistake: SeededMistake) {
    let failure = (1...50).lazy.compactMap { Simulation(seed: $0, mistake: mistake).run().failure }.first
    #expect(failure != nil, "no seed of 1...50 sees \(mistake.rawValue)")
  }
}
