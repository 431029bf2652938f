/// A moment of the simulated world, or what a clock in it shows, in milliseconds.
package struct SimulatedInstant: InstantProtocol, Sendable, CustomStringConvertible {
  package var milliseconds: Int64

  package init(milliseconds: Int64) { self.milliseconds = milliseconds }

  package func advanced(by duration: Duration) -> SimulatedInstant {
    SimulatedInstant(milliseconds: milliseconds + duration.inMilliseconds)
  }

  package func duration(to other: SimulatedInstant) -> Duration {
    .milliseconds(other.milliseconds - milliseconds)
  }

  package static func < (left: SimulatedInstant, right: SimulatedInstant) -> Bool {
    left.milliseconds < right.milliseconds
  }

  /// Seconds with three decimals.
  package var description: String {
    let sign = milliseconds < 0 ? "-" : ""
    let thousandths = String(milliseconds.magnitude % 1000)
    return "\(sign)\(milliseconds.magnitude / 1000)."
      + String(repeating: "0", count: 3 - thousandths.count) + thousandths
  }
}

extension Duration {
  /// Whole milliseconds; what is finer is dropped.
  package var inMilliseconds: Int64 {
    components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
  }
}
