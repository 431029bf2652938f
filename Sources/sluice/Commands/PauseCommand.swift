import ArgumentParser
import JobStore
import PipelineDefinition

struct PauseCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pause", abstract: "Stop a pipeline from starting work.",
    discussion: """
      No scheduled run starts, and jobs that are ready wait; what is running goes on to its end. Scheduled times that go \
      by are noted as skipped and not caught up. sluice resume PIPELINE ends it.
      """)

  @OptionGroup var options: ProjectOptions
  @Argument(help: "The pipeline's name.") var pipeline: String

  func run() async throws {
    let project = try options.project()
    try await Installation.with(project, logger: Logs.quiet, access: .steering) { installation in
      try await installation.requireKnown(pipeline)
      let (since, wasPaused) = try await installation.store.pause(pipeline)
      options.json
        ? Console.data(
          json: .object([
            ("pipeline", .text(pipeline)), ("paused", .bool(true)), ("paused_since", .text(since)),
            ("was_paused", .bool(wasPaused)),
          ]))
        : Console.data("\(pipeline) is paused since \(since); let it go on: sluice resume \(pipeline)")
    }
  }
}

struct ResumeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "resume", abstract: "Let a paused pipeline go on.",
    discussion: "Jobs that waited are ready again; the next run starts at the schedule's next time.")

  @OptionGroup var options: ProjectOptions
  @Argument(help: "The pipeline's name.") var pipeline: String

  func run() async throws {
    let project = try options.project()
    try await Installation.with(project, logger: Logs.quiet, access: .steering) { installation in
      try await installation.requireKnown(pipeline)
      let since = try await installation.store.resume(pipeline)
      options.json
        ? Console.data(
          json: .object([
            ("pipeline", .text(pipeline)), ("paused", .bool(false)), ("was_paused", .bool(since != nil)),
            ("paused_since", .optional(since)),
          ]))
        : Console.data(since.map { "\(pipeline) goes on; it was paused since \($0)" } ?? "\(pipeline) was not paused")
    }
  }
}

extension Installation {
  /// A pipeline of the project, right or wrong, or one that the database knows although it has no file here: its file is gone, or its
  /// jobs come from other programs, which name any pipeline they like and `default` where they name none.
  ///
  /// - Throws: ``DefinitionError`` `unknown_pipeline`.
  func requireKnown(_ pipeline: String) async throws {
    if project.definitions.contains(where: { $0.name == pipeline }) { return }
    if try await !store.schedules(pipeline: pipeline).isEmpty { return }
    if try await !store.runs(pipeline: pipeline, limit: 1).isEmpty { return }
    if pipeline == NewJob.standardPipeline { return }
    if try await store.hasLanes(pipeline) { return }
    _ = try project.definition(named: pipeline)
  }
}
