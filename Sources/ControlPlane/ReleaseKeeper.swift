import JobModel
import Logging
import ServiceLifecycle

/// Looks after releases as long as control runs. Any number may run: each step is decided in a transaction of its own.
package struct ReleaseKeeper: Service {
  private let tick: Duration
  private let logger: Logger
  private let look: @Sendable () async throws -> Void

  /// - Parameter look: Judges the canary, moves runs of rejected releases, retires what has ended.
  package init(
    tick: Duration = .milliseconds(500), logger: Logger, look: @escaping @Sendable () async throws -> Void
  ) {
    self.tick = tick
    self.logger = logger
    self.look = look
  }

  package func run() async throws {
    // A graceful shutdown ends the waiting by cancellation; that is no failure of the service.
    do { try await cancelWhenGracefulShutdown { try await keepLooking() } } catch is CancellationError {}
  }

  private func keepLooking() async throws {
    while true {
      do { try await look() } catch is CancellationError {
        throw CancellationError()
      } catch {
        // A release that cannot be judged now must not end the rest of control.
        logger.warning("releases could not be looked after", metadata: ["error": "\(error)"])
      }
      try await ContinuousClock().sleep(for: tick)
    }
  }
}
