import Catalog
import ControlPlane
import FoundationEssentials
import JobModel
import JobStore
import Launchers
import PipelineDefinition
import Releases

extension Installation {
  /// What starts the workers of a pool; nil: another scaler does.
  ///
  /// - Parameter slots: Of each worker; nil: as many as it finds in its definition.
  /// - Throws: ``Refusal`` `embedded_database`.
  func launcher(_ aim: WorkerPool.Aim, slots: Int?) async throws -> (any Launcher)? {
    switch aim == .scaled ? project.settings.scaling?.launcher ?? .local : .local {
    case .external: return nil
    case .local:
      return LocalProcessLauncher(processes: processes, host: Self.host) { [self] in
        try await workerProcess(of: $0.release, slots: slots)
      }
    case .command(let words, let secrets, let patience, let place):
      guard !isEmbedded else {
        throw Refusal(
          code: "embedded_database",
          message: "workers of other machines cannot reach the database in this project's folder",
          hint: "give scaling.launcher a database: set database in sluice.yaml, or SLUICE_DATABASE_URL")
      }
      return CommandLauncher(
        command: words, owner: try await launchOwner(), directory: directory,
        patience: patience ?? CommandLauncher.usualPatience
      ) { [self] launch in
        try await surroundings(of: launch, slots: slots, secrets: secrets, at: place)
      }
    }
  }

  /// What the names of this installation's launches begin with: no other installation has it.
  func launchOwner() async throws -> String {
    let identity = try await catalog.projectFolder()?.identity ?? "unclaimed"
    let letters = identity.lowercased().filter { $0.isASCII && ($0.isLetter || $0.isNumber) }
    return "sluice-" + letters.prefix(12)
  }

  static func drawLaunch() -> String { UUID().uuidString.lowercased().filter { $0 != "-" } }

  /// What a launcher's command finds in its environment. Nothing in it needs quotes in a shell but the project's path and secrets.
  private func surroundings(
    of launch: Launch?, slots: Int?, secrets names: [String], at place: Place
  ) async throws -> CommandLauncher.Surroundings {
    var variables = ProgramEnvironment.common(of: ProcessInfo.processInfo.environment)
    variables["SLUICE_PROJECT"] = directory
    variables["SLUICE_ENV"] = environment
    if let launch {
      variables[Launch.variable] = launch.id
      var words = ["worker", "--env", environment] + (slots.map { ["--slots", "\($0)"] } ?? [])
      if launch.release != 0 {
        guard let record = try await store.release(launch.release) else {
          throw ReleaseRefusal("no_release", "release \(launch.release) is gone", hint: "sluice releases lists them")
        }
        words += ["--release", "\(launch.release)"]
        variables["SLUICE_RELEASE_HASH"] = record.contentHash
        variables["SLUICE_ENGINE_HASH"] = record.engineHash
      }
      variables["SLUICE_WORKER"] = words.joined(separator: " ")
    }
    let resolver = self.secrets.resolver(placeholders: ["env": environment])
    return CommandLauncher.Surroundings(
      variables: variables, secrets: try resolver.variables(ofSecrets: names, at: place))
  }

  /// A worker of a release, with the engine of that release; of none (0), with this one.
  private func workerProcess(of release: Int64, slots: Int?) async throws -> DetachedProcess {
    var verb = ["worker"] + (slots.map { ["--slots", "\($0)"] } ?? [])
    guard release != 0 else { return try detached(verb, log: "workers.log") }
    guard let record = try await store.release(release) else {
      throw ReleaseRefusal("no_release", "release \(release) is gone", hint: "sluice releases lists them")
    }
    let engine = try await self.engine(of: record)
    verb += ["--release", "\(release)"]
    var process = try detached(verb, log: "workers.log", executable: engine.executable)
    process.name = engine.path
    process.holding = engine
    process.environment.merge(engineEnvironment) { _, new in new }
    return process
  }
}
