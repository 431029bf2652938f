import Synchronization

/// Where jobs became ready, for those who wait for them: the workers of this process are called at once, and what is to go to
/// other processes gathers here until a notifier takes it.
///
/// A hint and no more: who misses it finds the jobs at its next look.
public final class LaneBell: Sendable {
  /// What PostgreSQL calls the channel.
  package static let channel = "sluice_ready"

  private struct State {
    var pending: Set<Int64> = []
    var listeners: [Int: @Sendable (Set<Int64>) -> Void] = [:]
    var nextListener = 0
  }

  private let state = Mutex(State())
  /// Set when something was rung.
  package let rung = WakeUp()

  public init() {}

  /// Says that jobs became ready in these lanes. To be called after the commit.
  public func ring(_ lanes: some Collection<Int64>) {
    guard !lanes.isEmpty else { return }
    let lanes = Set(lanes)
    let listeners = state.withLock { state in
      state.pending.formUnion(lanes)
      return Array(state.listeners.values)
    }
    for listener in listeners { listener(lanes) }
    rung.set()
  }

  /// Calls `body` whenever this process rings, until the number is given to ``remove(_:)``.
  package func listen(_ body: @escaping @Sendable (Set<Int64>) -> Void) -> Int {
    state.withLock { state in
      state.nextListener += 1
      state.listeners[state.nextListener] = body
      return state.nextListener
    }
  }

  package func remove(_ listener: Int) { state.withLock { $0.listeners[listener] = nil } }

  /// What was rung and not taken yet.
  package var pending: Set<Int64> { state.withLock { $0.pending } }
  package func take(_ lanes: some Sequence<Int64>) { state.withLock { $0.pending.subtract(lanes) } }

  /// The lanes that a notification names; empty for something else, such as a probe.
  package static func lanes(in payload: String) -> Set<Int64> {
    Set(payload.split(separator: ",").compactMap { Int64($0) })
  }
}
