import ArgumentParser
import JobStore
import PipelineDefinition

struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Run one pipeline over one batch now.",
    discussion: """
      With workers running (sluice up) the run is put into the queue, and --wait follows it. Without, the whole run \
      is done in this process. Ctrl-C stops at the next checkpoint; running workers go on with it.
      """)

  @OptionGroup var options: ProjectOptions
  @OptionGroup var following: FollowingOptions
  @Argument(help: "The pipeline's name.") var pipeline: String

  func run() async throws {
    let project = try options.project()
    let definition = try project.runnablePipeline(named: pipeline)
    let problems = try await SQLReview.problems(of: [definition], in: project)
    if let error = DefinitionError(refusing: problems) { throw error }
    try await Installation.with(project, logger: Logs.quiet) { installation in
      try await installation.refusePaused(pipeline)
      let release = try await installation.registerRelease()
      try await installation.carryOut(following, options) {
        try await installation.store.enqueue(definition.runPlan, release: release.id).runID
      }
    }
  }
}
