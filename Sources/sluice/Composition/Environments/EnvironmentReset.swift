import JobModel
import PipelineDefinition

/// Puts an environment back to what `env up` made: it is removed, and made again with the same model, scale and recipe.
///
/// The file in the project folder says so until it is ready again. A reset that was killed is continued by the next one, or
/// given up by `env down`.
struct EnvironmentReset {
  let server: EnvironmentServer
  let making: EnvironmentMaking
  /// Nil where a reset that was killed has removed it.
  let removal: EnvironmentRemoval?

  /// - Throws: ``Refusal``: `not_made_by_env_up`, `environment_gone`, `protected`; and what refuses to make it, before
  ///   anything is removed.
  static func find(_ name: String, of project: Project, on server: EnvironmentServer) async throws -> EnvironmentReset {
    let removal = try await EnvironmentRemoval.find(name, on: server)
    try removal?.refuseProtected()
    let stateDirectory = Installation.stateDirectory(server.directory, environment: name)
    guard let file = try CopyFile.read(stateDirectory) else {
      throw Refusal(
        code: "not_made_by_env_up", message: "env up made no environment \(name) in this folder; nothing is removed",
        hint: "sluice env list")
    }
    if file.state == .removed, file.isReset != true { throw CopyFile.gone(file.copy) }
    let recipe = file.recipe ?? EnvironmentRecipe(ttl: removal?.marker?.ttl)
    let making = EnvironmentMaking(
      server: server, project: project, name: name, model: file.copy.model, scale: file.copy.scale, recipe: recipe,
      bundle: try await recipe.definition?.bundle(model: file.copy.model, directory: server.directory))
    try await making.confirm()
    try await making.confirmPlace(file)
    _ = try await server.template()
    return EnvironmentReset(server: server, making: making, removal: removal)
  }

  func parts() async throws -> [EnvironmentRemoval.Part] { try await removal?.parts() ?? [] }

  /// - Returns: What is left of what was there, and then nothing is made; and what was made.
  func run() async throws -> (left: [EnvironmentRemoval.Part], made: EnvironmentMaking.Made?) {
    let left = try await removal?.remove(isReset: true) ?? []
    guard left.isEmpty else { return (left, nil) }
    return ([], try await making.make())
  }
}
