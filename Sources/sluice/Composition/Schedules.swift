import JobModel
import JobStore
import Logging
import PipelineDefinition
import Postgres

extension Installation {
  /// Puts the schedules of the project's definitions in force, as the files are now, and ends those that are gone.
  ///
  /// A definition that is refused leaves its schedule as it was, with the definition that was in force; that is an event
  /// and a message, and no reason for the others not to run.
  func registerSchedules() async throws {
    let known = Set(try await store.schedules().filter { $0.cron != nil }.map(\.pipeline))
    var kept: [String] = []
    var release: Int64?
    for definition in project.definitions {
      do {
        guard let rule = try await schedule(of: definition) else { continue }
        if release == nil { release = try await registerRelease().id }
        guard let release else { preconditionFailure("the release was registered in the line above") }
        try await store.registerSchedule(rule, pipeline: definition.name, release: release)
        kept.append(definition.name)
      } catch let failure as any Failure
        where !failure.isTransient && (failure is DefinitionError || failure is ScheduleRefused)
      {
        kept.append(definition.name)
        try await tell(failure, refusing: definition.name, wasScheduled: known.contains(definition.name))
      }
    }
    for pipeline in try await store.retainSchedules(of: kept) {
      logger.info("the schedule is gone from the definition", metadata: ["pipeline": "\(pipeline)"])
    }
  }

  private func schedule(of definition: Project.Definition) async throws -> ScheduleRule? {
    let pipeline = try project.pipeline(named: definition.name)
    guard let rule = pipeline.schedule else { return nil }
    if let error = DefinitionError(refusing: try await SQLReview.problems(of: [pipeline], in: project)) { throw error }
    return rule
  }

  private func tell(_ failure: any Failure, refusing pipeline: String, wasScheduled: Bool) async throws {
    let message =
      wasScheduled
      ? "the definition is refused; runs start by the one that was in force"
      : "the definition is refused; no run starts"
    logger.error(
      "a definition is refused", metadata: ["pipeline": "\(pipeline)", "error": "\(failure)", "effect": "\(message)"])
    guard wasScheduled || failure is ScheduleRefused else { return }
    let body =
      "{\"event\":\"failed\",\"pipeline\":\(jsonString(pipeline)),\"message\":\(jsonString(message)),"
      + "\"error\":\(failure.json)}"
    try await database.transaction { transaction in
      try await store.note(
        event: "schedule_refused", pipeline: pipeline, run: nil, job: nil, message: "\(message): \(failure)",
        in: transaction)
      try await store.tell("failed", pipeline: pipeline, run: nil, body: body, in: transaction)
    }
  }
}
