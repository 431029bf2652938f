import Synchronization

/// Lets a bounded number in at once; the others wait in the order of asking.
final class Turnstile: Sendable {
  private struct State {
    var free: Int
    var isClosed = false
    var nextTicket: UInt64 = 0
    var waiters: [(ticket: UInt64, continuation: CheckedContinuation<Void, any Error>)] = []
    var closers: [CheckedContinuation<Void, Never>] = []
  }

  private let places: Int
  private let closedError: any Error
  private let state: Mutex<State>

  /// - Parameter closedError: What those get who ask after ``close()``.
  init(places: Int, closedError: any Error) {
    self.places = places
    self.closedError = closedError
    state = Mutex(State(free: places))
  }

  /// Waits for a place, which ``leave()`` gives back.
  ///
  /// - Throws: `CancellationError`, or the error of a closed turnstile; no place is taken then.
  func enter() async throws {
    let ticket = state.withLock { state in
      state.nextTicket += 1
      return state.nextTicket
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        admit(ticket, continuation)?.resume()
      }
    } onCancel: {
      let waiter = state.withLock { state in
        state.waiters.firstIndex { $0.ticket == ticket }.map { state.waiters.remove(at: $0) }
      }
      waiter?.continuation.resume(throwing: CancellationError())
    }
  }

  /// A continuation to resume once the lock is released.
  private struct Resumption {
    let continuation: CheckedContinuation<Void, any Error>
    let result: Result<Void, any Error>
    func resume() { continuation.resume(with: result) }
  }

  private func admit(_ ticket: UInt64, _ continuation: CheckedContinuation<Void, any Error>) -> Resumption? {
    state.withLock { state in
      if state.isClosed { return Resumption(continuation: continuation, result: .failure(closedError)) }
      // A cancellation before this has found no waiter; one after this will.
      if Task.isCancelled { return Resumption(continuation: continuation, result: .failure(CancellationError())) }
      if state.free > 0 {
        state.free -= 1
        return Resumption(continuation: continuation, result: .success(()))
      }
      state.waiters.append((ticket, continuation))
      return nil
    }
  }

  /// Passes the place on to the one who has waited longest, or frees it.
  func leave() {
    let next = state.withLock { state -> CheckedContinuation<Void, any Error>? in
      if !state.waiters.isEmpty { return state.waiters.removeFirst().continuation }
      state.free += 1
      precondition(state.free <= places, "a place was given back twice")
      return nil
    }
    next?.resume()
    for closer in closersOfAnEmptyHouse() { closer.resume() }
  }

  private func closersOfAnEmptyHouse() -> [CheckedContinuation<Void, Never>] {
    state.withLock { state in
      guard state.isClosed, state.free == places else { return [] }
      defer { state.closers = [] }
      return state.closers
    }
  }

  /// Turns the waiting away, lets nobody in any more, and returns when all have left.
  func close() async {
    let waiters = state.withLock { state in
      state.isClosed = true
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.continuation.resume(throwing: closedError) }
    await withCheckedContinuation { continuation in
      let isEmpty = state.withLock { state in
        if state.free < places { state.closers.append(continuation) }
        return state.free == places
      }
      if isEmpty { continuation.resume() }
    }
  }

  /// How many wait; for tests.
  var waiting: Int { state.withLock { $0.waiters.count } }
}
