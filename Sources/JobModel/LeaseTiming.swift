/// The clocks of a worker's lease.
package struct LeaseTiming: Sendable, Equatable {
  /// How often a worker renews.
  package var beat: Duration
  /// How long a worker owns its jobs after the last accepted beat.
  package var lease: Duration
  /// An attempt that moved neither bytes nor a checkpoint for this long has hung.
  package var stall: Duration

  /// - Precondition: `3 × beat ≤ lease`, so that two lost beats never cost a lease.
  package init(beat: Duration = .seconds(5), lease: Duration = .seconds(15), stall: Duration = .seconds(600)) {
    precondition(beat * 3 <= lease, "a worker's lease must be at least three beats long")
    self.beat = beat
    self.lease = lease
    self.stall = stall
  }

  /// The default, or what `SLUICE_LEASE` (a number of seconds, at least 0.3) says: the beat is a third of it.
  package static func configured(_ environment: [String: String]) throws -> LeaseTiming {
    guard let text = environment["SLUICE_LEASE"] else { return LeaseTiming() }
    guard let seconds = Double(text), seconds >= 0.3, seconds <= 3600 else {
      throw StageFailure(
        code: "usage", message: "SLUICE_LEASE must be a number of seconds from 0.3 to 3600",
        hint: "leave it unset for 15 seconds")
    }
    return LeaseTiming(beat: .seconds(seconds / 3), lease: .seconds(seconds))
  }
}
