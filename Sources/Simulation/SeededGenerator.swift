/// SplitMix64: all the chance of a simulated world from one number, the same on every machine.
///
/// The standard library's ranges and shuffles may change how they use a generator between versions, so the draws are here.
package struct SeededGenerator: Sendable {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var word = state
    word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
    word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
    return word ^ (word >> 31)
  }

  /// A number of the range; the bias of the remainder is below 2⁻⁴⁰ for the ranges here.
  package mutating func integer(in range: ClosedRange<Int>) -> Int {
    range.lowerBound + Int(next() % UInt64(range.upperBound - range.lowerBound + 1))
  }

  /// 0..<1.
  package mutating func fraction() -> Double { Double(next() >> 11) * 0x1p-53 }

  package mutating func happens(_ probability: Double) -> Bool { fraction() < probability }

  package mutating func duration(_ range: ClosedRange<Int>) -> Duration { .milliseconds(integer(in: range)) }

  package mutating func element<T>(of elements: [T]) -> T? {
    elements.isEmpty ? nil : elements[integer(in: 0...elements.count - 1)]
  }

  /// One of the choices, each as likely as its weight says.
  package mutating func weighted<T>(_ choices: [(weight: Int, value: T)]) -> T {
    precondition(!choices.isEmpty, "there is nothing to choose from")
    var left = integer(in: 0...choices.reduce(0) { $0 + $1.weight } - 1)
    for choice in choices {
      if left < choice.weight { return choice.value }
      left -= choice.weight
    }
    preconditionFailure("the weights add up to more than the draw")
  }
}
