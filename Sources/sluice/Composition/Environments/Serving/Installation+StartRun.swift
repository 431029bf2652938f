import ControlPlane
import JobModel
import JobStore
import PipelineDefinition
import Postgres

extension Installation {
  /// Puts a run into the queue, for a client of the API.
  func startRun(_ pipeline: String) async throws -> ControlAPI.StartedRun {
    try await refusePaused(pipeline)
    return try await whileReleasesMove {
      let (definition, assignment) = try await begin(pipeline)
      let run = try await database.transaction {
        try await store.enqueue(definition.runPlan, with: assignment, in: $0)
      }
      return ControlAPI.StartedRun(run: run.runID.rawValue, pipeline: pipeline, release: assignment.release)
    }
  }

  /// The same in an environment that `env up` made, which the process that serves environments hears of.
  ///
  /// - Throws: ``Refusal``; `StageFailure` `unknown_environment`.
  func startRun(_ pipeline: String, in environment: String) async throws -> ControlAPI.StartedRun {
    guard project.copy == nil, !settings.isPooled,
      let made = try CopyFile.usable(directory, environment: environment)
    else {
      throw StageFailure(
        code: "unknown_environment", message: "control does not serve an environment \(environment)",
        hint: "sluice env list names those that env up made; the others have a control of their own")
    }
    let (_, url) = try await environmentOwner()
    let project = try Project.load(directory: directory, environment: environment, copy: made)
    let other = try copy(project, at: try PostgresSettings.conninfo(url, database: made.database))
    do {
      try await other.prepare(for: .writing)
      let run = try await other.startRun(pipeline)
      await other.tellOfWork()
      await other.database.close()
      return run
    } catch {
      await other.database.close()
      throw error
    }
  }
}
