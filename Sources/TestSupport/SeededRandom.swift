import FoundationEssentials

/// SplitMix64: the same seed gives the same order of faults.
package struct SeededRandom: RandomNumberGenerator, Sendable {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  /// From the seed in `SLUICE_TEST_SEED`, which repeats a test; else from a new one. It is printed.
  package static func drawn(for what: String) -> SeededRandom {
    let said = ProcessInfo.processInfo.environment["SLUICE_TEST_SEED"].flatMap { UInt64($0) }
    let seed = said ?? UInt64.random(in: 1...99_999)
    print("\(what): seed \(seed)")
    return SeededRandom(seed: seed)
  }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
