import JobStore

/// What is seen of workers and attempts over time: since when a worker is idle, and what attempts have waited for. Pure.
struct FleetWatch: Sendable, Equatable {
  /// Over how long waits are averaged.
  private static let waitSeconds = 300.0

  private struct Stand: Sendable, Equatable {
    var isBusy: Bool
    var isDraining: Bool
    var since: Double
  }

  private var stands: [Int64: Stand] = [:]
  private var shares: [String: Double] = [:]
  private var waitsAt: Double?

  /// How long a worker has been as it is: idle, busy or draining.
  mutating func look(at workers: [WorkerRecord], now: Double) -> [Int64: Double] {
    var next: [Int64: Stand] = [:]
    for worker in workers {
      let last = stands[worker.id]
      let isSame = last.map { $0.isBusy == (worker.busy > 0) && $0.isDraining == worker.draining } ?? false
      next[worker.id] = Stand(
        isBusy: worker.busy > 0, isDraining: worker.draining, since: isSame ? min(last?.since ?? now, now) : now)
    }
    stands = next
    return next.mapValues { now - $0.since }
  }

  /// The share of running attempts that wait for each cause, averaged over five minutes.
  mutating func waits(of attempts: [JobStore.RunningAttempt], now: Double) -> [String: Double] {
    let passed = waitsAt.map { max(0, now - $0) } ?? Self.waitSeconds
    waitsAt = now
    let weight = min(1, passed / Self.waitSeconds)
    let counts = Dictionary(grouping: attempts.compactMap(\.waiting)) { $0 }.mapValues(\.count)
    for cause in Set(shares.keys).union(counts.keys) {
      let share = attempts.isEmpty ? 0 : Double(counts[cause] ?? 0) / Double(attempts.count)
      shares[cause] = (shares[cause] ?? 0) * (1 - weight) + share * weight
    }
    return shares
  }
}
