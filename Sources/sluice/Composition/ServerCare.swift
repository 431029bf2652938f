import JobModel
import Logging
import ServiceLifecycle

/// Keeps the project's own PostgreSQL running as long as control runs: without it, a server that was killed or lost its socket
/// would stay away until the next verb.
struct ServerCare: Service {
  let installation: Installation
  var tick = Duration.seconds(2)

  func run() async throws {
    // A graceful shutdown ends the waiting by cancellation; that is no failure of the service.
    do { try await cancelWhenGracefulShutdown { try await care() } } catch is CancellationError {}
  }

  private func care() async throws {
    while true {
      try await ContinuousClock().sleep(for: tick)
      do { try await installation.keepServerReachable() } catch let error as any Failure {
        installation.logger.warning("PostgreSQL could not be started again", metadata: ["error": "\(error)"])
      }
    }
  }
}
