import FoundationEssentials
import Glibc
import JobModel
import Launchers
import PipelineDefinition

/// Removes an environment that `env up` made, and nothing else.
///
/// The mark that it is being removed comes first. What is left of a removal that was killed is found by it, or by the file in the
/// project folder, and removed by the next `env down`, `env up` or sweep.
struct EnvironmentRemoval {
  let server: EnvironmentServer
  let name: String
  /// Nil where the state folder is gone, or is a plain environment's: what is in it then is not this environment's.
  private let file: CopyFile?
  /// Nil where the database is gone.
  let marker: EnvironmentMarker?
  let token: String
  /// A database without a mark that bears witness of this environment, where that is asked for.
  private let unmarked: String?

  /// Something that is there of an environment.
  struct Part: Equatable {
    var kind: String
    var place: String
    var bytes: Int64?
  }

  /// For workers to reach a checkpoint.
  private static let patience = Duration.seconds(10)

  private var stateDirectory: String { Installation.stateDirectory(server.directory, environment: name) }
  private var processes: ProcessTable { Installation.processes(stateDirectory) }
  private var entries: [ProcessTable.Entry] { file == nil ? [] : processes.entries() }
  /// Also where its database has another name or owner now.
  private let isProtected: Bool

  /// Nil where `env up` made no environment of this name, or nothing is left of it.
  ///
  /// - Parameter isForced: Whether a database whose mark cannot be read is removed too, by its other witness.
  /// - Throws: ``Refusal`` `mark_unreadable`, `environment_elsewhere`.
  static func find(
    _ name: String, on server: EnvironmentServer, isForced: Bool = false
  ) async throws -> EnvironmentRemoval? {
    try Project.check(environment: name, in: server.directory)
    var file = try CopyFile.read(Installation.stateDirectory(server.directory, environment: name))
    if file?.state == .removed { file = nil }
    try file?.refuseElsewhere(server.place)
    // Anyone who may make databases may write comments: env up makes no environment with a reserved name.
    guard file != nil || (try? EnvironmentName.check(new: name, others: [])) != nil else { return nil }
    let marker = try await server.environment(name)?.marker
    guard let token = file?.token ?? marker?.token else { return nil }
    let unmarked = try await unmarked(name, file, on: server, isForced: isForced)
    let isMarked = try await server.marked().contains { $0.marker?.token == token && $0.marker?.isProtected == true }
    // A database of another environment that had the same name is no part of this one.
    return EnvironmentRemoval(
      server: server, name: name, file: file, marker: marker?.token == token ? marker : nil, token: token,
      unmarked: unmarked, isProtected: isMarked || (unmarked != nil && file?.isProtected == true))
  }

  /// The database under the environment's name where its mark cannot be read, and its witness can: `env up` made it.
  private static func unmarked(
    _ name: String, _ file: CopyFile?, on server: EnvironmentServer, isForced: Bool
  ) async throws -> String? {
    // A database gets its name after its mark: one that is still being made has none under its name.
    guard let file, file.state != .making, let found = try await server.find(try server.database(of: name)),
      found.marker == nil
    else { return nil }
    let isOwn = found.isOwn && found.connects ? try await server.isWitness(found.name, of: file.token) : false
    if isOwn, isForced { return found.name }
    throw Refusal(
      code: "mark_unreadable",
      message: "the database \(found.name) has no mark of env up any more; nothing is removed"
        + (isOwn ? "" : ", and nothing in it says that env up made it for \(name)"),
      hint: isOwn
        ? "it was made for \(name), by the token in it: sluice env down \(name) --force"
        : "restore its comment; or rename or drop the database yourself, then: sluice env down \(name)")
  }

  /// - Throws: ``Refusal`` `protected`.
  func refuseProtected() throws {
    guard isProtected else { return }
    throw Refusal(
      code: "protected", message: "the environment \(name) is protected; nothing is removed",
      hint: unmarked.map {
        "the database \($0) has no mark of env up any more: restore its comment, or drop it, then: sluice env down \(name)"
      } ?? "end the protection first: sluice env protect \(name) --off"
        + (marker == nil ? ", after its database has its former name and owner" : ""))
  }

  /// What is there, by the same rules by which it is removed.
  func parts() async throws -> [Part] {
    var parts = entries.map {
      Part(kind: "process", place: $0.pid.map { "pid \($0)" } ?? "\($0.name), in another container")
    }
    for database in try await databases() {
      parts.append(Part(kind: "database", place: database, bytes: try await server.bytes(database)))
    }
    if let storage = try storage(), [.own, .empty].contains(storage.standing) {
      parts.append(Part(kind: "storage", place: storage.root, bytes: storage.size().bytes))
    }
    if !rest().isEmpty { parts.append(Part(kind: "state", place: stateDirectory)) }
    return parts
  }

  /// Removes all of it.
  ///
  /// - Parameter isReset: Whether it is to be made again: the note that stays says as what. Nil: as its file says.
  /// - Returns: What is left of it: nothing, unless a part could not be removed.
  @discardableResult
  func remove(isReset: Bool? = nil) async throws -> [Part] {
    let isReset = isReset ?? (file?.isReset == true)
    if var marker {
      marker.state = .removing
      try await server.mark(try server.database(of: name), marker)
    }
    if var file {
      file.state = .removing
      file.isReset = isReset ? true : nil
      // A file of an earlier engine has none, and its mark goes with the database.
      if file.recipe == nil { file.recipe = marker.map { EnvironmentRecipe(ttl: $0.ttl) } }
      try file.write(stateDirectory)
    }
    EnvironmentStep.announced.pass()
    try await stopProcesses()
    try storage()?.remove()
    if let model = file?.copy.model ?? marker?.model {
      // What a sample that was killed has left in the model's scratch.
      let scratch = EnvironmentFilling.scratch(server.directory, model: model, token: token)
      try? FileManager.default.removeItem(atPath: scratch)
    }
    EnvironmentStep.emptied.pass()
    for database in try await databases() { try await server.drop(database) }
    EnvironmentStep.dropped.pass()
    for path in rest() { try FileManager.default.removeItem(atPath: path) }
    EnvironmentStep.cleared.pass()
    let left = try await parts()
    guard left.isEmpty else { return left }
    // A folder that is not this environment's gets no note: its environment would be refused.
    guard file != nil || isFolderEmpty else { return [] }
    var copy =
      file?.copy
      ?? EnvironmentCopy(
        name: name, model: marker?.model ?? Project.defaultEnvironment, scale: 1, database: "", storage: "")
    copy.database = ""
    copy.storage = ""
    try CopyFile(
      state: .removed, copy: copy, token: "", place: server.place,
      recipe: file?.recipe ?? marker.map { EnvironmentRecipe(ttl: $0.ttl) }, isReset: isReset ? true : nil
    ).write(stateDirectory)
    return []
  }

  /// Its own database, by the mark, and one that was not finished, by the name that was drawn for it.
  private func databases() async throws -> [String] {
    var names: [String] = []
    if let found = try await server.environment(name), found.marker?.token == token { names.append(found.name) }
    if let unmarked, let found = try await server.find(unmarked), found.marker == nil { names.append(unmarked) }
    if file != nil, let found = try await server.find(try server.draft(token)), found.isOwn { names.append(found.name) }
    return names
  }

  private func storage() throws -> EnvironmentStorage? {
    guard let location = file?.copy.storage ?? marker?.storage, !location.isEmpty else { return nil }
    return try EnvironmentStorage(location: location, directory: server.directory, token: token)
  }

  /// Everything in the state folder but the file that says what the environment is.
  private func rest() -> [String] {
    guard file != nil else { return [] }
    let names = (try? FileManager.default.contentsOfDirectory(atPath: stateDirectory)) ?? []
    return names.map { stateDirectory + "/" + $0 }.filter { $0 != CopyFile.path(stateDirectory) }.sorted()
  }

  private var isFolderEmpty: Bool {
    ((try? FileManager.default.contentsOfDirectory(atPath: stateDirectory)) ?? []).isEmpty
  }

  private func stopProcesses() async throws {
    let clock = ContinuousClock()
    for signal in [SIGTERM, SIGKILL] {
      for entry in entries { processes.send(signal, to: entry) }
      let deadline = clock.now + Self.patience
      while clock.now < deadline {
        if entries.allSatisfy({ $0.pid == nil }) { return }
        try await clock.sleep(for: .milliseconds(20))
      }
    }
  }
}
