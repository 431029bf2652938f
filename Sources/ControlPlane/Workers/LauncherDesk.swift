import JobModel
import Launchers
import Synchronization

/// Calls a launcher apart from the looks of a pool: a slow answer keeps no look waiting.
final class LauncherDesk: Sendable {
  enum Order: Sendable {
    case start(Launch)
    case stop(WorkerHandle)
    case list
  }

  enum Answer: Sendable {
    case started(Launch, WorkerHandle)
    case notStarted(Launch, any Failure)
    case stopped(WorkerHandle)
    case notStopped(WorkerHandle, any Failure)
    case listed(PoolState.Listing)
    case notListed(any Failure)
  }

  /// Calls at once: all starts that a pool asks for, a list, and a stop.
  private static let maxCalls = PoolState.maxAsked + 2

  private let launcher: any Launcher
  private let state = Mutex(State())
  private let orders: AsyncStream<Order>
  private let order: AsyncStream<Order>.Continuation
  private let clock = ContinuousClock()

  private struct State {
    var answers: [Answer] = []
    /// Workers whose stop was ordered and is not answered: a launcher that hangs gets no second one.
    var stopping: Set<WorkerHandle> = []
    var isClosed = false
  }

  init(_ launcher: any Launcher) {
    self.launcher = launcher
    (orders, order) = AsyncStream.makeStream()
  }

  /// Orders a call. A stop of a worker that is being stopped is none more.
  func ask(_ order: Order) {
    if case .stop(let worker) = order, !state.withLock({ $0.stopping.insert(worker).inserted }) { return }
    self.order.yield(order)
  }

  /// No more is ordered, and what has not begun is left out; ``run()`` returns once every call has been answered.
  func close() {
    state.withLock { $0.isClosed = true }
    order.finish()
  }

  /// The answers that have come since this was asked last.
  func take() -> [Answer] {
    state.withLock { state in
      defer { state.answers = [] }
      return state.answers
    }
  }

  /// Does what is ordered; called once.
  func run() async {
    await withTaskGroup(of: Void.self) { group in
      var calls = 0
      for await order in orders {
        if calls == Self.maxCalls {
          await group.next()
          calls -= 1
        }
        // The wait may have been long.
        guard !state.withLock({ $0.isClosed }) else { continue }
        calls += 1
        group.addTask { [self] in
          let answer = await answer(to: order)
          state.withLock { state in
            if case .stop(let worker) = order { state.stopping.remove(worker) }
            state.answers.append(answer)
          }
        }
      }
    }
  }

  private func answer(to order: Order) async -> Answer {
    let begunAt = clock.now
    switch order {
    case .start(let launch):
      do { return .started(launch, try await launcher.start(launch)) } catch {
        return .notStarted(launch, Self.failure(error))
      }
    case .stop(let worker):
      do {
        try await launcher.stop(worker)
        return .stopped(worker)
      } catch { return .notStopped(worker, Self.failure(error)) }
    case .list:
      do { return .listed(PoolState.Listing(begunAt: begunAt, workers: try await launcher.list())) } catch {
        return .notListed(Self.failure(error))
      }
    }
  }

  private static func failure(_ error: any Error) -> any Failure {
    error as? any Failure
      ?? LauncherError(code: "launcher_failed", message: "the launcher did not answer: \(error)", doubt: .unknown)
  }
}
