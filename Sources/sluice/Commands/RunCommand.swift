import ArgumentParser
import JobModel
import JobStore
import PipelineDefinition
import Postgres

struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Run one pipeline over one batch now.",
    discussion: """
      It begins with the current release, or with the project directory where nothing was ever deployed.
      With workers running (sluice up) the run is put into the queue, and --wait follows it. Without, the whole run \
      is done in this process. Ctrl-C stops at the next checkpoint; running workers go on with it.
      """)

  @OptionGroup var options: ProjectOptions
  @OptionGroup var following: FollowingOptions
  @Argument(help: "The pipeline's name.") var pipeline: String

  func run() async throws {
    let project = try options.project()
    try await project.refuseBeforeFirstStart(pipeline)
    try await Installation.with(project, logger: Logs.quiet) { installation in
      try await installation.refusePaused(pipeline)
      try await installation.carryOut(following, options) { choice in
        let (definition, assignment) = try await installation.begin(pipeline, choice: choice)
        let run = try await installation.database.transaction {
          try await installation.store.enqueue(definition.runPlan, with: assignment, in: $0)
        }
        return (run.runID, assignment.release)
      }
    }
  }
}
