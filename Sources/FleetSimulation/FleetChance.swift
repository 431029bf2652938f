/// SplitMix64: which workers crash, from the trace's name alone, the same on every machine.
package struct FleetChance: Sendable {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  /// FNV-1a of a name.
  package init(name: String) {
    state = name.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
  }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var word = state
    word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
    word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
    return word ^ (word >> 31)
  }

  package mutating func index(below count: Int) -> Int { Int(next() % UInt64(count)) }

  /// 0..<1.
  package mutating func fraction() -> Double { Double(next() >> 11) * 0x1p-53 }
}
