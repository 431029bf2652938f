import JobStore
import Synchronization

/// When the requests of this process to one host may begin: one pace for all processes together, kept in the control
/// database.
///
/// Reserves some requests at a time, so that many of them cost few statements: more and more while it uses them all, fewer
/// as soon as some pass unused. Those are lost to everybody; they must not be caught up on, or others' requests would come
/// beside them.
package final class RequestPace: Sendable {
  /// How much later than its time a request may begin: what a busy process needs to wake up. A host sees so much more than
  /// its rate at the most.
  static let lateness = Duration.milliseconds(50)
  /// Others wait that long behind one reservation.
  static let longestReservation = Duration.milliseconds(200)
  /// Requests of one reservation; more would need a rate that no definition can ask for.
  static let maximumBatch = 20_000
  /// Reservations without one unused request before a larger one.
  static let patience = 4

  private struct State {
    /// By the local clock, earliest first.
    var slots: [Duration] = []
    var batch = 1
    var usedUp = 0
  }
  private let state = Mutex(State())
  private let now: @Sendable () -> Duration
  private let reserve: @Sendable (_ count: Int, _ interval: Duration) async throws -> Duration

  /// - Parameters:
  ///   - now: Grows steadily, from wherever.
  ///   - reserve: Gives the time until the first of so many requests.
  package init(
    now: @escaping @Sendable () -> Duration,
    reserve: @escaping @Sendable (_ count: Int, _ interval: Duration) async throws -> Duration
  ) {
    self.now = now
    self.reserve = reserve
  }

  /// Takes the next place in the host's line, and gives its time by the local clock.
  func turn(every interval: Duration) async throws -> Duration {
    while true {
      if let slot = take(interval) { return slot }
      // After the look at what passed unused, which makes it smaller.
      let count = state.withLock { state in
        let most = Self.largestBatch(every: interval)
        state.batch = min(state.batch, most)
        return state.batch
      }
      let wait = try await reserve(count, interval)
      // From the answer on, because the question may have taken its time: late rather than early.
      let first = now() + wait
      state.withLock { state in
        state.slots += (0..<count).map { first + interval * $0 }
        state.slots.sort()
        state.usedUp += 1
        if state.usedUp >= Self.patience { (state.batch, state.usedUp) = (state.batch * 2, 0) }
      }
    }
  }

  /// How many requests fit into the longest reservation.
  static func largestBatch(every interval: Duration) -> Int {
    guard interval > .zero else { return maximumBatch }
    return max(1, Int(min(longestReservation / interval, Double(maximumBatch))))
  }

  /// A place that its holder cannot wait for.
  func putBack(_ slot: Duration) {
    state.withLock { state in
      state.slots.append(slot)
      state.slots.sort()
    }
  }

  private func take(_ interval: Duration) -> Duration? {
    let now = now()
    // Who is put off for minutes comes back somewhat late.
    let lateness = interval > .seconds(60) ? interval / 2 : Self.lateness
    return state.withLock { state in
      let passed = state.slots.prefix { $0 + lateness < now }.count
      if passed > 0 {
        state.slots.removeFirst(passed)
        (state.batch, state.usedUp) = (max(1, state.batch / 2), 0)
      }
      return state.slots.isEmpty ? nil : state.slots.removeFirst()
    }
  }
}

/// The paces of a process, one for each host that it has asked.
package final class RequestPaces: Sendable {
  private let paces = Mutex<[String: RequestPace]>([:])

  package init() {}

  func pace(of host: String, store: JobStore, timing: PullTiming) -> RequestPace {
    paces.withLock { paces in
      if let pace = paces[host] { return pace }
      let pace = RequestPace(now: timing.now) { count, interval in
        try await store.reserveRequests(count, of: "source/\(host)", every: interval)
      }
      paces[host] = pace
      return pace
    }
  }
}
