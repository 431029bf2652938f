import DuckDB
import FoundationEssentials
import JobModel
import PipelineDefinition

/// Makes an environment: a clone of the empty template, a storage, and the file that says what it is.
///
/// Each step is there before the next begins, and finds what an earlier call that was killed has left: the same call again, `env
/// down` and the sweep all continue from there.
struct EnvironmentMaking {
  let server: EnvironmentServer
  let project: Project
  let name: String
  let model: String
  let scale: Double
  let recipe: EnvironmentRecipe
  /// The content of `recipe.definition`.
  let bundle: ProjectBundle?

  struct Made {
    var file: CopyFile
    var marker: EnvironmentMarker
    /// Whether it was not there before.
    var isNew: Bool
    /// Of one that is new.
    var filling = EnvironmentFilling.Outcome()
  }

  private var stateDirectory: String { Installation.stateDirectory(server.directory, environment: name) }

  /// - Throws: What refuses an environment that is not there yet.
  func confirm() async throws {
    try EnvironmentName.check(new: name, others: project.overlayNames + CopyFile.others(server.directory))
    try requireModel()
    // One that is there, or was begun, keeps its name.
    let file = try CopyFile.read(stateDirectory)
    guard file.map({ $0.state == .removed && $0.isReset != true }) ?? true else { return }
    let protected = try await server.marked().compactMap(\.marker).filter { $0.isProtected && $0.name != name }
    try EnvironmentName.check(new: name, protected: protected.map(\.name))
  }

  func make() async throws -> Made {
    try await confirm()
    var file = try CopyFile.read(stateDirectory)
    try file?.refuseElsewhere(server.place)
    if let file, file.state == .ready, let marker = try await server.environment(name)?.marker,
      marker.token == file.token, marker.state == .ready
    {
      return try existing(file, marker)
    }
    let database = try server.database(of: name)
    // Before anything is removed: a ready environment whose database has another comment or name now is not lost.
    try await confirmPlace(file)
    if let known = file, [.ready, .removing].contains(known.state), let rest = try await removal() {
      try await rest.remove()
      file = nil
    }
    let isReset = file?.isReset
    if file?.state != .making { file = nil }
    try await refuseTaken(database, token: file?.token)
    let template = try await server.template()
    var begun = try file.map { try same($0) } ?? begin(database)
    begun.isReset = isReset
    return try await finish(begun, from: template)
  }

  /// A name that means no environment of the project would be the definitions without any overlay.
  private func requireModel() throws {
    try Project.check(environment: model, in: server.directory)
    let known = Set([Project.defaultEnvironment] + project.overlayNames + CopyFile.others(server.directory))
    guard !known.contains(model) else { return }
    throw DefinitionError(
      code: "unknown_environment",
      message: "no pipeline has an overlay for the environment \"\(model)\", and it was never used",
      hint: "known are \(known.sorted().joined(separator: ", "))")
  }

  private func finish(_ begun: CopyFile, from template: String) async throws -> Made {
    var file = begun
    let database = file.copy.database
    let storage = try EnvironmentStorage(
      location: file.copy.storage, directory: server.directory, token: file.token)
    if case .others = storage.standing { try storage.make() }
    try file.write(stateDirectory)
    EnvironmentStep.registered.pass()
    let draft = try server.draft(file.token)
    let made = try await server.now()
    var marker = EnvironmentMarker(
      .environment, owner: server.owner, name: name, model: file.copy.model, scale: file.copy.scale, token: file.token,
      storage: file.copy.storage, by: Installation.actor, folder: server.directory, made: made,
      ttl: file.recipe?.ttl)
    // Data of an earlier call that was killed is not told from whole data. No verb has used the database yet.
    if file.copy.data != nil, try await server.find(database) != nil { try await server.drop(database) }
    if let found = try await server.find(database)?.marker {
      // It had its name already when the earlier call was killed.
      marker = found
    } else {
      // The name of the draft was drawn for it, so that a database of that name is of no other origin.
      if try await server.find(draft) == nil { try await server.clone(template, as: draft) }
      EnvironmentStep.cloned.pass()
      try await server.mark(draft, marker)
      EnvironmentStep.marked.pass()
      try await server.rename(draft, to: database)
    }
    EnvironmentStep.named.pass()
    try await server.testify(database, file.token)
    try storage.make()
    EnvironmentStep.stored.pass()
    let filling = try await fill(file, storage)
    file.copy.data?.maskedStreams = filling.maskedStreams
    if let bundle { try await file.copy.begin(with: bundle, in: server.directory) }
    file.state = .ready
    file.isReset = nil
    try file.write(stateDirectory)
    return Made(file: file, marker: marker, isNew: true, filling: filling)
  }

  /// What cannot be filled is removed.
  private func fill(_ file: CopyFile, _ storage: EnvironmentStorage) async throws -> EnvironmentFilling.Outcome {
    guard let data = file.copy.data else { return EnvironmentFilling.Outcome() }
    do {
      try storage.clear()
      return try await EnvironmentFilling.fill(data, file, storage, bundle, on: server)
    } catch {
      // The first error is the one to tell. Storage first: on a full disk the rest needs room.
      var isRemoved = true
      do { try storage.clear() } catch { isRemoved = false }
      do { _ = try await removal()?.remove() } catch { isRemoved = false }
      guard let full = error as? DuckDBError, full.kind == .diskFull else { throw error }
      throw StageFailure(
        code: full.code, message: full.message,
        hint: "free space there and call this again; "
          + (isRemoved ? "nothing of the environment is left" : "what is left of the environment is removed then"))
    }
  }

  private func begin(_ database: String) throws -> CopyFile {
    let token = UUID().uuidString.lowercased().replacing("-", with: "").prefix(16)
    let resolver = project.installationSecrets.resolver(placeholders: ["env": name])
    let storage = try Installation.storageLocation(project.settings.storage, environment: name, resolver)
    return CopyFile(
      state: .making,
      copy: EnvironmentCopy(
        name: name, model: model, scale: scale, database: database, storage: storage, data: recipe.data),
      token: String(token), place: server.place, recipe: recipe)
  }

  private func existing(_ file: CopyFile, _ marker: EnvironmentMarker) throws -> Made {
    Made(file: try same(file), marker: marker, isNew: false)
  }

  /// What was begun or is there is what is wanted.
  private func same(_ file: CopyFile) throws -> CopyFile {
    let isSameData =
      file.copy.data.map { data in recipe.data.map { data.asks(like: $0) } ?? false } ?? (recipe.data == nil)
    guard file.copy.model == model, file.copy.scale == scale, file.recipe?.definition == recipe.definition, isSameData
    else {
      let definition = file.recipe?.definition.map { ", with the definitions of \($0.text)" } ?? ""
      let data = file.copy.data.map { ", with \($0.text)" } ?? ""
      throw Refusal(
        code: "environment_exists",
        message: "the environment \(name) is there already, like \(file.copy.model) with scale \(file.copy.scale)"
          + definition + data,
        hint: "remove it first: sluice env down \(name)")
    }
    return file
  }

  /// - Throws: ``Refusal`` `database_taken`, `database_renamed`.
  func confirmPlace(_ file: CopyFile?) async throws {
    let database = try server.database(of: name)
    try await refuseTaken(database, token: file?.token)
    try await refuseRenamed(file, database)
  }

  /// Refuses a name under which there is a database of other origin.
  private func refuseTaken(_ database: String, token: String?) async throws {
    if let found = try await server.find(database), found.marker?.token != token || token == nil {
      let isOurs = try await server.environment(name) != nil
      throw Refusal(
        code: "database_taken",
        message: "the database \(database) is there already"
          + (isOurs ? ", of an environment of this name whose state folder is gone" : " without the mark of env up"),
        hint: isOurs
          ? "sluice env down \(name)"
          : "choose another name for the environment, or restore the database's comment"
            + (token == nil ? "" : "; to give the environment up: sluice env down \(name) --force"))
    }
  }

  private func refuseRenamed(_ file: CopyFile?, _ database: String) async throws {
    guard let file, file.state == .ready,
      let moved = try await server.marked().first(where: { $0.marker?.token == file.token && $0.name != database })
    else { return }
    throw Refusal(
      code: "database_renamed", message: "the database of the environment \(name) has the name \(moved.name) now",
      hint: "rename it to \(database), or remove the rest: sluice env down \(name)")
  }

  private func removal() async throws -> EnvironmentRemoval? {
    try await EnvironmentRemoval.find(name, on: server)
  }
}
