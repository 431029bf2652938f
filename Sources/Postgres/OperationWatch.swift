import Synchronization

/// One call on a connection, as the thread that runs it and those who want it to stop see it.
final class OperationWatch: Sendable {
  /// Why a running statement is to end.
  enum Stop: Sendable, Equatable {
    case taskCancelled
    case cancelRequested
    case deadlinePassed
  }

  /// The statement's name.
  let name: String
  let limit: Duration?
  private let deadline: ContinuousClock.Instant?
  private let requested = Mutex<Stop?>(nil)

  /// - Parameter limit: From now on.
  init(_ name: String, limit: Duration? = nil) {
    self.name = name
    self.limit = limit
    deadline = limit.map { .now + $0 }
  }

  /// Asks for the end; the first reason stays. Whoever runs the statement must be woken.
  func stop(_ reason: Stop) {
    requested.withLock { if $0 == nil { $0 = reason } }
  }

  /// Why the statement is to end, nil while it may go on.
  var stopReason: Stop? {
    if let reason = requested.withLock({ $0 }) { return reason }
    guard let deadline, deadline <= .now else { return nil }
    stop(.deadlinePassed)
    return .deadlinePassed
  }

  /// When the deadline is to be looked at; nil when it no longer matters.
  var nextCheck: ContinuousClock.Instant? { requested.withLock { $0 } == nil ? deadline : nil }

  /// The error to throw for a statement that ended because it was to.
  func error(_ reason: Stop, sqlState: String? = nil) -> any Error {
    switch reason {
    case .taskCancelled: CancellationError()
    case .cancelRequested:
      PostgresError(.cancelled, operation: name, message: "cancelled on request", sqlState: sqlState)
    case .deadlinePassed:
      PostgresError(
        .timeout, operation: name, message: "not done within \(limit ?? .zero)", sqlState: sqlState,
        hint: "see whether it waits for a lock, or give it more time")
    }
  }
}
