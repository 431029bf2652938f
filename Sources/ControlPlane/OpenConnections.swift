import NIOCore
import Synchronization

/// The open connections of the API and how far each is. They are bounded in number and in time, so that a client that says
/// nothing, or never stops, keeps no other client out.
final class OpenConnections: Sendable {
  private let limits: ControlLimits

  private struct Connection {
    let channel: any Channel
    let number: UInt64
    var isAnswering = false
    var deadline: Scheduled<Void>?
  }
  private struct State {
    var connections: [ObjectIdentifier: Connection] = [:]
    var next: UInt64 = 0
    var answering = 0
  }
  private let state = Mutex(State())

  init(_ limits: ControlLimits) { self.limits = limits }

  /// Takes a connection in. The oldest one that is not being answered makes room.
  func add(_ channel: any Channel) {
    let id = ObjectIdentifier(channel)
    let deadline = closing(channel, in: limits.requestLimit)
    let surplus = state.withLock { state -> Connection? in
      state.next += 1
      state.connections[id] = Connection(channel: channel, number: state.next, deadline: deadline)
      guard state.connections.count > limits.maxConnections else { return nil }
      let oldest = state.connections.filter { !$0.value.isAnswering }.min { $0.value.number < $1.value.number }
      // At once, and not when it has closed: the next one that comes makes another one close.
      return oldest.flatMap { state.connections.removeValue(forKey: $0.key) }
    }
    surplus?.channel.close(promise: nil)
    channel.closeFuture.whenComplete { [self] _ in
      state.withLock { state in
        guard let gone = state.connections.removeValue(forKey: id) else { return }
        gone.deadline?.cancel()
      }
    }
  }

  /// Counts a request as being answered, until ``endAnswer(on:)``.
  ///
  /// - Returns: false where there are as many as may be.
  func beginAnswer(on channel: any Channel) -> Bool {
    state.withLock { state in
      let id = ObjectIdentifier(channel)
      state.connections[id]?.deadline?.cancel()
      guard state.answering < limits.maxRequests else { return false }
      state.answering += 1
      state.connections[id]?.isAnswering = true
      return true
    }
  }

  func endAnswer(on channel: any Channel) {
    state.withLock { state in
      state.answering -= 1
      state.connections[ObjectIdentifier(channel)]?.isAnswering = false
    }
  }

  /// The client is expected to read its answer and to close.
  func farewell(_ channel: any Channel) {
    let deadline = closing(channel, in: limits.farewellLimit)
    state.withLock { $0.connections[ObjectIdentifier(channel)]?.deadline = deadline }
  }

  private func closing(_ channel: any Channel, in time: Duration) -> Scheduled<Void> {
    channel.eventLoop.scheduleTask(in: TimeAmount(time)) { channel.close(promise: nil) }
  }

  /// How many are being answered; for tests.
  var answering: Int { state.withLock { $0.answering } }
  /// How many there have been; for tests.
  var accepted: UInt64 { state.withLock { $0.next } }
  /// How many there are; for tests.
  var count: Int { state.withLock { $0.connections.count } }
}
