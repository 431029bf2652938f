import JobModel
import Logging
import ServiceLifecycle
import Synchronization

/// Watches whether the current release has another engine than this control, and ends once that one is tried and ready: the
/// process then becomes it.
package final class ControlSuccession<Engine: Sendable>: Service {
  /// After a successor that could not be had.
  private static var pauseAfterFailure: Duration { .seconds(5) }

  private let tick: Duration
  private let logger: Logger
  private let isAsked: @Sendable () -> Bool
  private let find: @Sendable () async throws -> Engine?
  private let found = Mutex<Engine?>(nil)

  /// - Parameters:
  ///   - isAsked: Whether control was asked to stop, perhaps before its services could hear of it: then it just ends.
  ///   - find: The engine that is to take over, tried and ready to run; nil as long as this one is right.
  package init(
    tick: Duration = .milliseconds(500), logger: Logger, isAsked: @escaping @Sendable () -> Bool = { false },
    find: @escaping @Sendable () async throws -> Engine?
  ) {
    self.tick = tick
    self.logger = logger
    self.isAsked = isAsked
    self.find = find
  }

  /// The engine that this process becomes when its services have ended; nil: it just ends.
  package var successor: Engine? { found.withLock { $0 } }

  package func run() async throws {
    // A graceful shutdown ends the waiting by cancellation; that is no failure of the service.
    do { try await cancelWhenGracefulShutdown { try await self.watch() } } catch is CancellationError {}
  }

  private func watch() async throws {
    while !isAsked() {
      do {
        if let engine = try await find() {
          logger.info("control continues with the current release's engine")
          return found.withLock { $0 = engine }
        }
        try await ContinuousClock().sleep(for: tick)
      } catch let error as any Failure {
        logger.warning("the current release's engine does not take over", metadata: ["error": "\(error)"])
        try await ContinuousClock().sleep(for: error.isTransient ? tick : Self.pauseAfterFailure)
      }
    }
  }
}
