import FoundationEssentials
import Glibc
import JobModel
import ObjectStore
import PipelineDefinition

/// What a project folder knows of an environment that `sluice env up` made: the file `.sluice/NAME/environment`.
///
/// It is there before anything else of the environment, and stays after its removal: a verb with the name of an environment that is
/// gone must not work on one that has the targets and the secrets of its model.
struct CopyFile: Codable, Equatable {
  enum State: String, Codable { case making, ready, removing, removed }

  var state: State
  var copy: EnvironmentCopy
  /// Also in the database's comment and in the storage.
  var token: String
  /// The server and the control database next to which it was made.
  var place: String
  /// Nil in files of earlier engines.
  var recipe: EnvironmentRecipe?
  /// Whether `env reset` removes it, to make it again; nil where not.
  var isReset: Bool?
  /// Whether `env protect` protects it; nil where not. The mark decides; this is for a database that lost its mark.
  var isProtected: Bool?

  static func path(_ stateDirectory: String) -> String { stateDirectory + "/environment" }

  /// - Throws: `StageFailure` `environment_file` where there is something else.
  static func read(_ stateDirectory: String) throws -> CopyFile? {
    let path = path(stateDirectory)
    guard access(path, F_OK) == 0 else { return nil }
    guard let data = FileManager.default.contents(atPath: path),
      let file = try? JSONDecoder().decode(CopyFile.self, from: data)
    else {
      throw StageFailure(
        code: "environment_file", message: "\(path), which says what this environment is, cannot be read",
        hint: "restore it from a backup, or give it up: sluice env forget NAME --lost")
    }
    return file
  }

  func write(_ stateDirectory: String) throws {
    try PrivateFiles.write(Array(try JSONEncoder().encode(self)), to: Self.path(stateDirectory))
  }

  /// The environment that a verb works in; nil where it was not made by `env up`.
  ///
  /// - Throws: ``Refusal`` `environment_unfinished`, `environment_gone`.
  static func usable(_ directory: String, environment: String) throws -> EnvironmentCopy? {
    try Project.check(environment: environment, in: directory)
    guard let file = try read(Installation.stateDirectory(directory, environment: environment)) else { return nil }
    switch file.state {
    case .ready: return file.copy
    case .making:
      throw Refusal(
        code: "environment_unfinished", message: "the environment \(environment) is half made",
        hint: (file.isReset == true
          ? "make it again as it was: sluice env reset \(environment)" : "make the rest: sluice env up \(environment)")
          + "; or remove it: sluice env down \(environment)")
    case .removing:
      throw Refusal(
        code: "environment_unfinished", message: "the environment \(environment) is half removed",
        hint: (file.isReset == true ? "make it again as it was: sluice env reset \(environment); or " : "")
          + "remove the rest: sluice env down \(environment)")
    case .removed: throw gone(file.copy, isReset: file.isReset == true)
    }
  }

  /// - Throws: ``Refusal`` `environment_elsewhere` where it was made on another server.
  func refuseElsewhere(_ place: String) throws {
    guard state != .removed, self.place != place else { return }
    throw Refusal(
      code: "environment_elsewhere",
      message: "the environment \(copy.name) was made next to another control database than this one",
      hint:
        "let SLUICE_DATABASE_URL or `database` in sluice.yaml name that one; if it is gone for good: sluice env forget "
        + "\(copy.name) --lost")
  }

  /// - Parameter isReset: Whether a reset that was interrupted has removed it.
  static func gone(_ copy: EnvironmentCopy, isReset: Bool = false) -> Refusal {
    let again = isReset ? "sluice env reset \(copy.name)" : "sluice env up \(copy.name) --like \(copy.model)"
    return Refusal(
      code: "environment_gone", message: "the environment \(copy.name), made by env up, was removed",
      hint: "make it again: \(again); to use the name for another environment: sluice env forget \(copy.name)")
  }

  /// The names of the folders in `.sluice` that are environments not made by `env up`.
  static func others(_ directory: String) -> [String] {
    let state = directory + "/.sluice"
    return ((try? FileManager.default.contentsOfDirectory(atPath: state)) ?? []).filter { name in
      (try? Project.check(environment: name, in: directory)) != nil && access(path(state + "/" + name), F_OK) != 0
    }
  }

  /// Every environment of a folder that was made by `env up`, and its state; without those whose file cannot be read.
  static func all(_ directory: String) -> [CopyFile] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: directory + "/.sluice")) ?? []
    return names.sorted().compactMap { name in
      let file = try? read(Installation.stateDirectory(directory, environment: name))
      return file?.copy.name == name ? file : nil
    }
  }
}
