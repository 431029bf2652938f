import JobModel
import Logging
import ServiceLifecycle

/// Ends control when its database was given to another project folder: two controls would end each other's schedules.
struct IdentityWatch: Service {
  let installation: Installation
  var tick = Duration.seconds(5)

  func run() async throws {
    // A graceful shutdown ends the waiting by cancellation; that is no failure of the service.
    do { try await cancelWhenGracefulShutdown { try await watch() } } catch is CancellationError {}
  }

  private func watch() async throws {
    while true {
      try await ContinuousClock().sleep(for: tick)
      do { try await installation.confirmIdentity(.writing) } catch let refusal as Refusal {
        return installation.logger.error(
          "control ends: \(refusal.message)", metadata: ["fix": "\(refusal.hint ?? "")"])
      } catch let error as any Failure {
        installation.logger.warning("the database could not be asked whose it is", metadata: ["error": "\(error)"])
      }
    }
  }
}
