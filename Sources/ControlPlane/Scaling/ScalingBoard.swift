import JobStore
import Synchronization

/// What the service that decides and the pool that starts workers tell each other, in one process.
package final class ScalingBoard: Sendable {
  package typealias Instant = ContinuousClock.Instant

  /// What a pool may do.
  package struct Allotment: Sendable, Equatable {
    /// Of the decision.
    package var epoch: Int64
    /// Workers by release; 0: of none.
    package var counts: [Int64: Int]
    /// Idle workers that may be stopped.
    package var stops: Set<Int64>
    /// Workers that are to finish what they do and end.
    package var drains: Set<Int64>
    /// Until when this process may start workers by it; nil: another process decides and starts them.
    package var launchesUntil: Instant?

    package init(
      epoch: Int64, counts: [Int64: Int], stops: Set<Int64> = [], drains: Set<Int64> = [], launchesUntil: Instant? = nil
    ) {
      self.epoch = epoch
      self.counts = counts
      self.stops = stops
      self.drains = drains
      self.launchesUntil = launchesUntil
    }
  }

  /// A worker that was launched and has not registered.
  package struct Coming: Sendable, Equatable {
    package var release: Int64
    package var since: Instant

    package init(release: Int64, since: Instant) {
      self.release = release
      self.since = since
    }
  }

  /// The start-up times that are remembered: enough for the ninth of ten, and few enough to follow a change.
  private static let maxStarts = 20
  private static let maxRungLanes = 10_000
  /// Of a process of this machine, before one was measured, in seconds.
  private static let firstStart = 2.0

  private struct State {
    var allotment: Allotment?
    var coming: [Coming] = []
    var starts: [Double] = []
    var troubles: [Int64: String] = [:]
    var isQuiet = true
    var rungLanes: Set<Int64> = []
  }

  private let state = Mutex(State())
  /// Set when jobs became ready while there was nothing to do.
  package let rung = WakeUp()
  /// Set when what a pool may do has changed.
  package let changed = WakeUp()

  package init() {}

  package func post(_ allotment: Allotment) {
    let isNews = state.withLock { state in
      defer { state.allotment = allotment }
      return state.allotment?.counts != allotment.counts || state.allotment?.stops != allotment.stops
        || state.allotment?.drains != allotment.drains
    }
    if isNews { changed.set() }
  }

  /// The last one; nil: nothing is decided yet.
  package var allotment: Allotment? { state.withLock { $0.allotment } }

  /// Says which workers are coming.
  package func note(coming: [Coming]) { state.withLock { $0.coming = coming } }
  package var coming: [Coming] { state.withLock { $0.coming } }

  /// Says why workers could not be started, by release.
  package func note(troubles: [Int64: String]) { state.withLock { $0.troubles = troubles } }
  package var troubles: [Int64: String] { state.withLock { $0.troubles } }

  /// Says how long a worker took from its launch until it registered.
  package func note(start: Duration) {
    state.withLock { state in
      state.starts.append(start.inSeconds)
      state.starts.removeFirst(max(0, state.starts.count - Self.maxStarts))
    }
  }

  /// How long a start takes, in seconds: what nine of ten recent ones did not exceed.
  package var startSeconds: Double {
    state.withLock { state in
      guard !state.starts.isEmpty else { return Self.firstStart }
      let sorted = state.starts.sorted()
      return sorted[min(sorted.count - 1, sorted.count * 9 / 10)]
    }
  }

  /// Says whether the last look found nothing to do: then the first job is not to wait for the next one.
  package func note(isQuiet: Bool) { state.withLock { $0.isQuiet = isQuiet } }

  /// Jobs became ready, in these lanes where they are known.
  package func ring(_ lanes: Set<Int64> = []) {
    let isQuiet = state.withLock { state in
      // What has no place is found in its turn.
      if state.rungLanes.count < Self.maxRungLanes { state.rungLanes.formUnion(lanes) }
      return state.isQuiet
    }
    if isQuiet { rung.set() }
  }

  /// The lanes that rang since the last call.
  package func takeRungLanes() -> Set<Int64> {
    state.withLock { state in
      defer { state.rungLanes = [] }
      return state.rungLanes
    }
  }
}
