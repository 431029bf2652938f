/// What happened, of which the last lines are kept, and a digest of all of it.
package struct SimulationTrace: Sendable {
  /// How many lines a failure prints.
  package static let kept = 40

  private struct Entry: Sendable {
    var at: SimulatedInstant
    var who: String
    var what: StaticString
    var numbers: (Int64, Int64)
  }
  private var entries: [Entry] = []
  package private(set) var count = 0
  /// FNV-1a over every event: the same for the same seed.
  package private(set) var digest: UInt64 = 0xCBF2_9CE4_8422_2325

  mutating func note(
    at time: SimulatedInstant, _ who: String, _ what: StaticString, _ first: Int64 = 0, _ second: Int64 = 0
  ) {
    count += 1
    mix(UInt64(bitPattern: time.milliseconds))
    mix(UInt64(bitPattern: first))
    mix(UInt64(bitPattern: second))
    what.withUTF8Buffer { for byte in $0 { mix(UInt64(byte)) } }
    for byte in who.utf8 { mix(UInt64(byte)) }
    let entry = Entry(at: time, who: who, what: what, numbers: (first, second))
    if entries.count < Self.kept { entries.append(entry) } else { entries[(count - 1) % Self.kept] = entry }
  }

  private mutating func mix(_ word: UInt64) { digest = (digest ^ word) &* 0x100_0000_01B3 }

  /// The last events, oldest first, a line each.
  package var lastLines: [String] {
    let start = entries.count < Self.kept ? 0 : count % Self.kept
    return (0..<entries.count).map { offset in
      let entry = entries[(start + offset) % entries.count]
      let numbers = [entry.numbers.0, entry.numbers.1].filter { $0 != 0 }.map(String.init).joined(separator: " ")
      return "\(entry.at) \(entry.who): \(entry.what)\(numbers.isEmpty ? "" : " ")\(numbers)"
    }
  }
}
