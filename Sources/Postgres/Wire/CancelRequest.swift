import CLibPQ
import Synchronization

/// Cancel requests for what one session runs, sent from threads of their own because each blocks for a connection.
///
/// Sendable because libpq's cancel object never changes, and lets any thread use it.
final class CancelSender: @unchecked Sendable {
  private let pointer: OpaquePointer?

  init(_ session: OpaquePointer) { pointer = PQgetCancel(session) }
  deinit { if let pointer { PQfreeCancel(pointer) } }

  /// Starts a request; `signal` is woken when it is done.
  func send(waking signal: WakeSignal) -> CancelRequest {
    let request = CancelRequest()
    startThread { [self] in
      var complaint = [CChar](repeating: 0, count: 256)
      // One that does not arrive changes nothing; whoever sent it notices that the statement goes on.
      if let pointer { _ = PQcancel(pointer, &complaint, Int32(complaint.count)) }
      request.finish()
      signal.wake()
    }
    return request
  }
}

/// A cancel request on its way.
final class CancelRequest: Sendable {
  private let done = Atomic(false)

  /// Whether the server has passed it on. From then on it cannot hit a later statement.
  var isDone: Bool { done.load(ordering: .acquiring) }
  fileprivate func finish() { done.store(true, ordering: .releasing) }
}
