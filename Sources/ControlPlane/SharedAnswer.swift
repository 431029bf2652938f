import Synchronization

/// One answer for many callers: computed only when a caller asks, by one computation at a time, and given to every caller
/// that asks within its lifetime.
///
/// A caller whose task is cancelled leaves at once. When the last one has left, and none has come for a lifetime, the computation
/// is cancelled: callers that come and go start no more than one in that time.
package final class SharedAnswer<Value: Sendable>: Sendable {
  private struct State {
    var last: (result: Result<Value, any Error>, at: ContinuousClock.Instant)?
    var waiters: [UInt64: CheckedContinuation<Value, any Error>] = [:]
    var nextTicket: UInt64 = 0
    /// Told when the last caller of the computation under way has left.
    var abandon: AsyncStream<Void>.Continuation?
    var isClosed = false

    mutating func takeWaiters() -> [CheckedContinuation<Value, any Error>] {
      defer { waiters = [:] }
      return Array(waiters.values)
    }
  }

  private let state = Mutex(State())
  private let demands: AsyncStream<Void>
  private let demand: AsyncStream<Void>.Continuation
  private let lifetime: Duration
  private let now: @Sendable () -> ContinuousClock.Instant
  private let compute: @Sendable () async throws -> Value

  /// - Parameters:
  ///   - lifetime: For how long an answer, or a failure, is given out before it is computed again.
  ///   - now: By which answers age.
  package init(
    lifetime: Duration = .seconds(1), now: @escaping @Sendable () -> ContinuousClock.Instant = { .now },
    compute: @escaping @Sendable () async throws -> Value
  ) {
    self.lifetime = lifetime
    self.now = now
    self.compute = compute
    (demands, demand) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
  }

  /// The last answer while it is young enough, else the next one, which ``run()`` computes.
  ///
  /// - Throws: What the computation threw; `CancellationError` after the end of ``run()``.
  package func value() async throws -> Value {
    let ticket = state.withLock { state in
      state.nextTicket += 1
      return state.nextTicket
    }
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        if let ready = admit(ticket, continuation) { continuation.resume(with: ready) } else { demand.yield() }
      }
    } onCancel: {
      leave(ticket)
    }
  }

  private func admit(
    _ ticket: UInt64, _ continuation: CheckedContinuation<Value, any Error>
  ) -> Result<Value, any Error>? {
    state.withLock { state in
      // A cancellation before this has found no waiter; one after this will.
      if state.isClosed || Task.isCancelled { return .failure(CancellationError()) }
      if let last = state.last, last.at.duration(to: now()) < lifetime { return last.result }
      state.waiters[ticket] = continuation
      return nil
    }
  }

  private func leave(_ ticket: UInt64) {
    let (waiter, abandon) = state.withLock { state in
      let waiter = state.waiters.removeValue(forKey: ticket)
      return (waiter, waiter != nil && state.waiters.isEmpty ? state.abandon : nil)
    }
    waiter?.resume(throwing: CancellationError())
    abandon?.yield()
  }

  /// Computes for the callers until the task is cancelled; called once.
  package func run() async {
    for await _ in demands { await answer() }
    let waiters = state.withLock { state in
      state.isClosed = true
      return state.takeWaiters()
    }
    for waiter in waiters { waiter.resume(throwing: CancellationError()) }
  }

  private func answer() async {
    let (abandonment, abandon) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
    let isAwaited = state.withLock { state in
      guard !state.waiters.isEmpty else { return false }
      state.abandon = abandon
      return true
    }
    guard isAwaited else { return }
    let result = await withTaskGroup(of: Result<Value, any Error>?.self) { group in
      group.addTask { [compute] in
        do { return .success(try await compute()) } catch { return .failure(error) }
      }
      group.addTask { [self] in
        for await _ in abandonment {
          try? await ContinuousClock().sleep(for: lifetime)
          if waiting == 0 { break }
        }
        return nil
      }
      defer { group.cancelAll() }
      return await group.next() ?? nil
    }
    let waiters = state.withLock { state in
      state.abandon = nil
      // Abandoned: a caller that has come since then has asked again.
      guard let result else { return [CheckedContinuation<Value, any Error>]() }
      state.last = (result, now())
      return state.takeWaiters()
    }
    guard let result else { return }
    for waiter in waiters { waiter.resume(with: result) }
  }

  /// How many callers wait.
  package var waiting: Int { state.withLock { $0.waiters.count } }
}
