import JobModel
import JobStore
import PipelineDefinition

/// The definitions that runs began with, by release: a run keeps its own to its end, whatever happens to the files.
actor ReleaseDefinitions {
  private let store: JobStore
  private let folder: Project
  private var projects: [Int64: Project] = [:]

  /// - Parameter folder: The project whose directory and environment the definitions are read for.
  init(store: JobStore, of folder: Project) {
    self.store = store
    self.folder = folder
  }

  func project(of release: Int64) async throws -> Project {
    if let known = projects[release] { return known }
    let stored = try await store.releaseFiles(release)
    let bundle = ProjectBundle(files: stored.files.map { .init(path: $0.path, bytes: $0.bytes) })
    var project = Project(
      bundle: bundle, directory: folder.directory, environment: folder.environment, copy: folder.copy, isStored: true)
    project.edition = Edition(schema: try await store.release(release)?.schemaNumber)
    projects[release] = project
    return project
  }

  func pipeline(for attempt: JobAttempt) async throws -> Pipeline {
    try await projectOfRun(attempt).pipeline(named: attempt.pipeline)
  }

  func projectOfRun(_ attempt: JobAttempt) async throws -> Project {
    guard let release = attempt.claim.releaseID else {
      throw StageFailure(code: "release_missing", message: "job \(attempt.jobID) belongs to no run")
    }
    return try await project(of: release)
  }
}

extension Installation {
  /// The project directory as it is now, as a release: the same content is the same release.
  func registerRelease() async throws -> (id: Int64, hash: String) {
    let hash = project.definitionHash
    let id = try await store.registerRelease(
      contentHash: hash, files: project.bundle.files.map { ($0.path, $0.bytes) }, label: nil, engine: Engine.version)
    return (id, hash)
  }
}
