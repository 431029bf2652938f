import ArgumentParser
import Catalog
import FoundationEssentials
import JobModel
import JobStore
import Loading
import PipelineDefinition
import Postgres

struct ReloadCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reload",
    abstract: "Load tables of a target again, which others truncated, dropped or restored; or load past a snapshot.",
    discussion: """
      A load compares its table with the target's ledger first. Where the two differ, the load fails and names \
      this command. It forgets what the ledger has of the table, and loads every snapshot that readers of the dataset see, in a run of \
      its own. A merge adds and updates rows and deletes none but by its deletes rule; a replacement replaces all; of a table that is \
      appended to, the rows of those snapshots are deleted first.

      With --accept the table stays as it is, and only new snapshots are loaded from now on.

      With --without a snapshot that the table refuses is left out, and the later ones are loaded. What it has in a table with \
      mode: append is deleted. Later reloads leave it out too, until one with --with loads everything and this snapshot again.

      sluice reload shop --target warehouse --table mart.orders --wait
      sluice reload shop --table mart.orders --without 17 --reason "a broken delivery" --wait
      """)

  @OptionGroup var options: ProjectOptions
  @OptionGroup var following: FollowingOptions
  @Argument(help: "The pipeline's name.") var pipeline: String
  @Option(help: "The target (default: the only one).") var target: String?
  @Option(help: "Only this table; may be given several times (default: all of the target).") var table: [String] = []
  @Flag(help: "Keep the table as it is, and load only new snapshots.") var accept = false
  @Option(help: "Leave this snapshot out: its number or UUID; may be given several times.") var without: [String] = []
  @Option(help: "Load the table again, and this snapshot too, which was left out.") var with: [String] = []
  @Option(help: "Why; kept with the run.") var reason: String?

  func validate() throws {
    if [accept, !without.isEmpty, !with.isEmpty].count(where: { $0 }) > 1 {
      throw ValidationError("--accept, --without and --with are three decisions: make one after the other")
    }
  }

  func run() async throws {
    let project = try options.project()
    try await project.refuseBeforeFirstStart(pipeline)
    try await Installation.with(project, logger: Logs.quiet) { installation in
      try await installation.refusePaused(pipeline)
      try await installation.carryOut(following, options) { choice in
        let (definition, assignment) = try await installation.begin(pipeline, choice: choice)
        let reload = try await reload(of: definition, installation)
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
    let what =
      switch reload.how {
      case .reload:
        "\(tables) is to be loaded again"
          + (reload.snapshots.map { " with snapshot \($0.joined(separator: ", "))" } ?? "")
      case .accept: "\(tables) is to be taken as it is"
      case .leaveOut: "\(tables) is to be loaded without snapshot \((reload.snapshots ?? []).joined(separator: ", "))"
      }
    return reason.map { "\(what): \($0)" } ?? what
  }

  private func reload(of definition: Pipeline, _ installation: Installation) async throws -> LoadPayload.Reload {
    let target = try chosenTarget(of: definition)
    let tables = try chosenTables(of: target)
    let words = without + with
    guard !words.isEmpty else {
      return LoadPayload.Reload(
        target: target.name, tables: tables.map(\.fullName), how: accept ? .accept : .reload, id: Self.newID())
    }
    let all = try await installation.catalog.snapshots(pipeline: pipeline, dataset: nil)
    var datasets: Set<String> = []
    var uuids: [String] = []
    for word in words {
      let found = all.first { $0.id == word.lowercased() || "\($0.number)" == word }
      // One that only the target's ledger has is named by its UUID: the control database was restored.
      guard let uuid = found?.id ?? UUID(uuidString: word)?.uuidString.lowercased() else {
        throw StageFailure(
          code: "usage", message: "the pipeline \(pipeline) has no snapshot \(word)",
          hint: "list the snapshots of each dataset: sluice catalog")
      }
      if let found { datasets.insert(found.dataset) }
      if !uuids.contains(uuid) { uuids.append(uuid) }
    }
    let loaded = datasets.isEmpty ? tables : tables.filter { datasets.contains($0.from) }
    guard loaded.count == 1, datasets.count <= 1 else {
      throw StageFailure(
        code: "usage",
        message: loaded.isEmpty
          ? "the target \(target.name) of \(pipeline) does not load dataset \(datasets.sorted().joined(separator: ", ")) into "
            + tables.map(\.fullName).joined(separator: ", ")
          : "a snapshot is named for one table at a time",
        hint: "name the table: --table SCHEMA.TABLE")
    }
    return LoadPayload.Reload(
      target: target.name, tables: loaded.map(\.fullName), how: without.isEmpty ? .reload : .leaveOut, snapshots: uuids,
      id: Self.newID())
  }

  private static func newID() -> Int64 { Int64.random(in: 1 << 40...Int64.max) }

  private func chosenTarget(of definition: Pipeline) throws -> LoadTarget {
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
    return found
  }

  private func chosenTables(of target: LoadTarget) throws -> [LoadTable] {
    // A table without a schema is in public, as in the definition.
    let wanted = table.map { $0.contains(".") ? $0 : "public.\($0)" }
    let known = target.tables.map(\.fullName)
    if let unknown = wanted.first(where: { name in !known.contains { $0.isExactly(name) } }) {
      throw StageFailure(
        code: "usage", message: "the target \(target.name) of \(pipeline) has no table \(unknown)",
        hint: "its tables are: \(known.joined(separator: ", "))")
    }
    return wanted.isEmpty
      ? target.tables : target.tables.filter { table in wanted.contains { $0.isExactly(table.fullName) } }
  }
}

extension LoadTable {
  fileprivate var fullName: String { "\(schema).\(table)" }
}
