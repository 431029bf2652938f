import Synchronization

/// Is set by one task or thread and seen by others: that work is no longer wanted, or that it is done.
final class SharedFlag: Sendable {
  private let state = Mutex(false)
  var isSet: Bool { state.withLock { $0 } }
  func set() { state.withLock { $0 = true } }
}
