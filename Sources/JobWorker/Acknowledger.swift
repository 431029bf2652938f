import JobModel
import JobStore
import Synchronization

/// Gathers jobs that are done until the queue's loop takes them along on its next turn: no timer, and none waits while no
/// turn is under way.
final class Acknowledger: Acknowledging {
  /// Of one turn.
  static let maximum = 1000

  /// One job, and who waits for the news of it.
  struct Entry {
    var finished: FinishedJob
    var waiter: CheckedContinuation<Void, any Error>
  }

  private struct State {
    var entries: [Entry] = []
    var isClosed = false
  }
  private let state = Mutex(State())
  private let arrived: @Sendable () -> Void

  /// - Parameter arrived: Called after a job came in.
  init(arrived: @escaping @Sendable () -> Void) { self.arrived = arrived }

  func acknowledge(_ finished: FinishedJob) async throws {
    try await withCheckedThrowingContinuation { continuation in
      let isClosed = state.withLock { state in
        if !state.isClosed { state.entries.append(Entry(finished: finished, waiter: continuation)) }
        return state.isClosed
      }
      if isClosed { continuation.resume(throwing: LeaseLost(finished.holder)) } else { arrived() }
    }
  }

  var isEmpty: Bool { state.withLock { $0.entries.isEmpty } }

  /// What has gathered, at most ``maximum``.
  func take() -> [Entry] {
    state.withLock { state in
      guard state.entries.count > Self.maximum else {
        defer { state.entries = [] }
        return state.entries
      }
      defer { state.entries.removeFirst(Self.maximum) }
      return Array(state.entries.prefix(Self.maximum))
    }
  }

  /// Entries whose turn failed and that go along on the next.
  func putBack(_ entries: [Entry]) { state.withLock { $0.entries.insert(contentsOf: entries, at: 0) } }

  /// Nobody will take any more: the worker ends in disorder. Whoever waits gives its job up.
  func close() {
    let entries = state.withLock { state in
      state.isClosed = true
      defer { state.entries = [] }
      return state.entries
    }
    for entry in entries { entry.waiter.resume(throwing: LeaseLost(entry.finished.holder)) }
  }
}
