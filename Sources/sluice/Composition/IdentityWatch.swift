import JobModel
import Logging
import ServiceLifecycle

/// Ends control when its database was given to another project folder, since two controls would end each other's schedules, and
/// when its own folder is no longer at its path: no verb at the new path would find it.
struct IdentityWatch: Service {
  let installation: Installation
  var tick = Duration.seconds(5)

  func run() async throws {
    // A graceful shutdown ends the waiting by cancellation; that is no failure of the service.
    do { try await cancelWhenGracefulShutdown { try await watch() } } catch is CancellationError {}
  }

  private func watch() async throws {
    let place = InstallationFile.inode(installation.stateDirectory)
    while true {
      try await ContinuousClock().sleep(for: tick)
      guard place == nil || InstallationFile.inode(installation.stateDirectory) == place else {
        return installation.logger.error(
          "control ends: the project folder is no longer at \(installation.directory)",
          metadata: ["fix": "the folder was moved: sluice up there"])
      }
      do { try await installation.confirmIdentity(.writing) } catch let refusal as Refusal {
        return installation.logger.error(
          "control ends: \(refusal.message)", metadata: ["fix": "\(refusal.hint ?? "")"])
      } catch let error as any Failure {
        installation.logger.warning("the database could not be asked whose it is", metadata: ["error": "\(error)"])
      }
    }
  }
}
