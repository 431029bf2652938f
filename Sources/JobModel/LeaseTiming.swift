/// The clocks of a worker's lease.
public struct LeaseTiming: Sendable, Equatable {
  /// How often a worker renews.
  public var beat: Duration
  /// How long a worker owns its jobs after the last accepted beat.
  public var lease: Duration
  /// An attempt that moved neither bytes nor a checkpoint for this long has hung.
  public var stall: Duration

  /// - Precondition: `3 × beat ≤ lease`, so that two lost beats never cost a lease.
  public init(beat: Duration = .seconds(5), lease: Duration = .seconds(15), stall: Duration = .seconds(600)) {
    precondition(beat * 3 <= lease, "a worker's lease must be at least three beats long")
    self.beat = beat
    self.lease = lease
    self.stall = stall
  }

  /// The defaults, or what `SLUICE_LEASE` (seconds, at least 0.3; the beat is a third of it) and `SLUICE_STALL` (seconds,
  /// at least 1) say.
  public static func configured(_ environment: [String: String]) throws -> LeaseTiming {
    let lease = try seconds("SLUICE_LEASE", in: 0.3...3600, default: 15, environment)
    let stall = try seconds("SLUICE_STALL", in: 1...86400, default: 600, environment)
    return LeaseTiming(beat: .seconds(lease / 3), lease: .seconds(lease), stall: .seconds(stall))
  }

  private static func seconds(
    _ name: String, in range: ClosedRange<Double>, default standard: Double, _ environment: [String: String]
  ) throws -> Double {
    guard let text = environment[name] else { return standard }
    guard let seconds = Double(text), range.contains(seconds) else {
      throw StageFailure(
        code: "usage", message: "\(name) must be a number of seconds from \(range.lowerBound) to \(range.upperBound)",
        hint: "leave it unset for \(standard) seconds")
    }
    return seconds
  }
}
