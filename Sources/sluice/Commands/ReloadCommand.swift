import ArgumentParser
import JobModel
import JobStore
import Loading
import PipelineDefinition
import Postgres

struct ReloadCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reload", abstract: "Load tables of a target again, which others truncated, dropped or restored.",
    discussion: """
      A load compares its table with the target's ledger first. Where rows are missing that the ledger has, the load fails and names \
      this command. It forgets what the ledger has of the table, and loads every snapshot that readers of the dataset see, in a run of \
      its own. A merge adds and updates rows and deletes none but by its deletes rule; a replacement replaces all; of a table that is \
      appended to, the rows of those snapshots are deleted first.

      With --accept the table stays as it is, and only new snapshots are loaded from now on.

      sluice reload shop --target warehouse --table mart.orders --wait
      """)

  @OptionGroup var options: ProjectOptions
  @OptionGroup var following: FollowingOptions
  @Argument(help: "The pipeline's name.") var pipeline: String
  @Option(help: "The target (default: the only one).") var target: String?
  @Option(help: "Only this table; may be given several times (default: all of the target).") var table: [String] = []
  @Flag(help: "Keep the table as it is, and load only new snapshots.") var accept = false
  @Option(help: "Why; kept with the run.") var reason: String?

  func run() async throws {
    let project = try options.project()
    try await project.refuseBeforeFirstStart(pipeline)
    try await Installation.with(project, logger: Logs.quiet) { installation in
      try await installation.refusePaused(pipeline)
      try await installation.carryOut(following, options) { choice in
        let (definition, assignment) = try await installation.begin(pipeline, choice: choice)
        let reload = try reload(of: definition)
        let plan = try definition.plan(reload)
        let run = try await installation.database.transaction { transaction in
          let run = try await installation.store.enqueue(plan, with: assignment, in: transaction)
          try await installation.store.note(
            event: "reload", pipeline: pipeline, run: run.runID, job: nil, message: message(reload), in: transaction)
          return run
        }
        return (run.runID, assignment.release)
      }
    }
  }

  private func message(_ reload: LoadPayload.Reload) -> String {
    let tables = "\(reload.tables.joined(separator: ", ")) of target \(reload.target)"
    let what = accept ? "\(tables) is to be taken as it is" : "\(tables) is to be loaded again"
    return reason.map { "\(what): \($0)" } ?? what
  }

  private func reload(of definition: Pipeline) throws -> LoadPayload.Reload {
    let names = definition.load.map(\.name)
    guard let name = target ?? (names.count == 1 ? names[0] : nil),
      let found = definition.load.first(where: { $0.name == name })
    else {
      throw StageFailure(
        code: "usage",
        message: target.map { "the pipeline \(pipeline) has no target \($0)" }
          ?? "the pipeline \(pipeline) has \(names.count) targets",
        hint: names.isEmpty ? nil : "name one: --target \(names.joined(separator: ", --target "))")
    }
    let known = found.tables.map { "\($0.schema).\($0.table)" }
    // A table without a schema is in public, as in the definition.
    let wanted = table.map { $0.contains(".") ? $0 : "public.\($0)" }
    if let unknown = wanted.first(where: { name in !known.contains { $0.isExactly(name) } }) {
      throw StageFailure(
        code: "usage", message: "the target \(name) of \(pipeline) has no table \(unknown)",
        hint: "its tables are: \(known.joined(separator: ", "))")
    }
    return LoadPayload.Reload(
      target: name, tables: wanted.isEmpty ? known : wanted, how: accept ? .accept : .reload)
  }
}
