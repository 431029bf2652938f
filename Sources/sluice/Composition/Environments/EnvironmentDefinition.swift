import Catalog
import FoundationEssentials
import JobModel
import JobStore
import PipelineDefinition
import Releases

/// Where an environment's first release comes from: a release of its model, or a folder.
struct EnvironmentDefinition: Codable, Equatable {
  /// In the control database of the model.
  var release: Int64?
  /// What people call the release.
  var label: String?
  /// Absolute.
  var folder: String?

  var text: String { release == nil ? "the folder \(folder ?? "")" : "release \(label ?? "")" }

  var json: JSONValue {
    .object([("release", .optional(label)), ("release_id", .optional(release)), ("folder", .optional(folder))])
  }

  static func folder(_ path: String) throws -> EnvironmentDefinition {
    let full = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
    var isDirectory = false
    guard FileManager.default.fileExists(atPath: full, isDirectory: &isDirectory), isDirectory else {
      throw StageFailure(code: "usage", message: "--from: there is no folder \(path)", hint: "check the path")
    }
    return EnvironmentDefinition(folder: full)
  }

  /// - Parameter name: Of a release; `current`: the one with which the model's runs begin.
  /// - Throws: `StageFailure` `usage` where the model has none of this name.
  static func release(named name: String, model: String, directory: String) async throws -> EnvironmentDefinition {
    try await inModel(model, directory) { installation in
      let release =
        if name == "current" {
          try await installation.store.releases(in: .current).first
        } else {
          try await installation.release(named: name) as JobStore.ReleaseRecord?
        }
      guard let release else {
        throw StageFailure(
          code: "usage", message: "nothing was deployed in the environment \(model): it has no current release",
          hint: "leave --release out: the environment then has the definitions of the project folder")
      }
      return EnvironmentDefinition(release: release.id, label: release.name)
    }
  }

  /// The files, as they are now.
  ///
  /// - Throws: ``ReleaseRefusal`` `release_removed`; `DefinitionError` where the folder is no project, or a definition does not
  ///   pass.
  func bundle(model: String, directory: String) async throws -> ProjectBundle {
    let bundle = try await files(model, directory)
    let source = Project(bundle: bundle, directory: directory, environment: model)
    try await Deployment.refuseBadDefinition(source, Edition(schema: Engine.description.schema))
    return bundle
  }

  private func files(_ model: String, _ directory: String) async throws -> ProjectBundle {
    guard let release else { return try ProjectBundle(directory: folder ?? directory) }
    return try await Self.inModel(model, directory) { installation in
      guard let record = try await installation.store.release(release) else {
        throw StageFailure(
          code: "usage", message: "the environment \(model) has no release \(label ?? "\(release)") any more",
          hint: "sluice releases lists them; name another one: sluice env up --release")
      }
      try ReleaseDesk.refuseRemoved(record)
      return try await ReleaseDefinitions(store: installation.store, of: installation.project).project(of: release)
        .bundle
    }
  }

  /// - Throws: ``Refusal`` `other_installation` where the database is another environment's.
  private static func inModel<T>(
    _ model: String, _ directory: String, _ body: (Installation) async throws -> T
  ) async throws -> T {
    let project = try Project.load(directory: directory, environment: model)
    return try await Installation.with(project, logger: Logs.quiet, access: .reading) { installation in
      if let owner = try await installation.catalog.projectFolder(), owner.environment != model {
        throw Refusal(
          code: "other_installation",
          message:
            "the \(installation.settings) is the control database of the environment \(owner.environment), not of "
            + model,
          hint: "let SLUICE_DATABASE_URL or `database` in sluice.yaml name the one of \(model)")
      }
      return try await body(installation)
    }
  }
}

extension EnvironmentCopy {
  /// Makes these definitions, run by this engine, the current release of an environment that is being made.
  ///
  /// A call that finds it there changes nothing.
  func begin(with bundle: ProjectBundle, in directory: String) async throws {
    let project = try Project.load(directory: directory, environment: name, copy: self)
    let source = Project(bundle: bundle, directory: directory, environment: name, copy: self)
    try await Installation.with(project, logger: Logs.quiet) { installation in
      let deployment = Deployment(
        installation: installation, source: source, enginePath: try Engine.path(), label: nil,
        author: JobStore.Author(Installation.actor, reason: "env up"))
      let examination = try await deployment.examine()
      guard examination.known?.state != .current else { return }
      // This process is the engine: it need not be tried.
      _ = try await deployment.promote(try await deployment.record(examination), replacing: nil)
    }
  }
}
