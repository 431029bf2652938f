import ArgumentParser
import FoundationEssentials
import JobModel
import JobStore
import PipelineDefinition
import Postgres

struct EnvCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "env", abstract: "Make, list, compare and remove scaled-down environments of this project.",
    discussion: """
      sluice env up NAME makes an environment with a database and a storage of its own: sluice --env NAME … works in it. Nothing \
      that it does leads out of it. See docs/environments.md.
      """,
    subcommands: [
      EnvUpCommand.self, EnvDownCommand.self, EnvListCommand.self, EnvShowCommand.self, EnvExtendCommand.self,
      EnvProtectCommand.self, EnvResetCommand.self, EnvPromoteCommand.self, EnvShellCommand.self, EnvDiffCommand.self,
      EnvSweepCommand.self,
      EnvForgetCommand.self,
    ])
}

extension ProjectOptions {
  /// The project, whatever environment the shell is in.
  func wholeProject() throws -> Project { try Project.load(directory: try resolvedDirectory()) }
}

struct EnvUpCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "up", abstract: "Make an environment; one that is there already stays as it is.",
    discussion: """
      It has the definitions of this project folder with the overlay of --like, a database and a storage. They begin empty, with the \
      datasets of --like without rows, or with a masked sample of their rows. With --release or --from it begins with a release of its \
      own, and the project folder may change. The same call again makes the rest of one that was interrupted.
      """)

  @OptionGroup var options: ProjectOptions
  @Argument(help: "Its name: lower-case letters, digits, - and _.") var name: String
  @Option(help: "The environment whose overlay it has.") var like = Project.defaultEnvironment
  @Option(help: "The part of slots, threads, workers, memory and budget that it has: over 0, at most 1.") var scale =
    1.0
  @Option(help: "How long it stays, such as 90m, 8h or 7d; none: until it is removed.") var ttl = "24h"
  @Option(help: "Begin with the definitions of this release of --like; current: of its current one.") var release:
    String?
  @Option(help: "Begin with the definitions of this folder.") var from: String?
  @Option(help: "What data of --like it begins with: none, schema or sample. Default: none.") var data: String?
  @Option(help: "How much of it: a part such as 1%, or so many rows of each dataset that names no other one.")
  var sample: String?
  @Flag(help: "Let streams go on from the cursors of --like.") var cursors = false

  private static let longest = Duration.seconds(366 * 86_400)

  func validate() throws {
    guard scale > 0, scale <= 1 else { throw ValidationError("--scale must be over 0 and at most 1") }
    guard release == nil || from == nil else { throw ValidationError("--release and --from exclude each other") }
  }

  func run() async throws {
    let time = try Self.time(ttl)
    let data = try EnvironmentData.asked(data: data, sample: sample, cursors: cursors)
    let project = try options.wholeProject()
    let (made, bundle) = try await EnvironmentServer.with(project) { server in
      let definition = try await definition(of: project)
      let bundle = try await definition?.bundle(model: like, directory: project.directory)
      let making = EnvironmentMaking(
        server: server, project: project, name: name, model: like, scale: scale,
        recipe: EnvironmentRecipe(ttl: time?.components.seconds, definition: definition, data: data), bundle: bundle)
      return (try await making.make(), bundle)
    }
    let copy = Project(
      bundle: bundle ?? project.bundle, directory: project.directory, environment: name, copy: made.file.copy)
    options.json ? Console.data(json: json(made, copy)) : Console.data(text(made, copy))
  }

  private func definition(of project: Project) async throws -> EnvironmentDefinition? {
    if let release { return try await .release(named: release, model: like, directory: project.directory) }
    return try from.map { try .folder($0) }
  }

  /// Nil for `none`.
  static func time(_ text: String) throws -> Duration? {
    if text == "none" { return nil }
    let time =
      text.hasSuffix("d") ? try days(text) : try DeployCommand.duration(text, option: "--ttl")
    guard time >= EnvironmentKeeper.shortestTTL, time <= longest else {
      throw StageFailure(
        code: "usage", message: "--ttl: \(text) is not from 10 minutes to 366 days",
        hint: "write --ttl 8h, or --ttl none to keep it until it is removed")
    }
    return time
  }

  private static func days(_ text: String) throws -> Duration {
    guard let days = Double(text.dropLast()), days > 0, days <= 366 else {
      throw StageFailure(
        code: "usage", message: "--ttl: \(text) is no time", hint: "write a number with m, h or d, such as 8h")
    }
    return .seconds(days * 86_400)
  }

  private func json(_ made: EnvironmentMaking.Made, _ project: Project) -> JSONValue {
    let limits = project.settings.limits
    return .object(
      [
        ("environment", .text(name)), ("made", .bool(made.isNew)), ("model", .text(made.file.copy.model)),
        ("scale", .double(made.file.copy.scale)), ("data", .text((made.file.copy.data?.kind ?? .none).rawValue)),
        ("database", .text(made.file.copy.database)),
        ("storage", .text(made.file.copy.storage)),
        ("expires_at", .optional(made.marker.expires.map { EnvironmentTime.text($0) })),
        ("definition", made.file.recipe?.definition?.json ?? .null),
        ("pipelines", .list(project.pipelines.map { .text($0.name) })), ("slots", .int(Int64(limits.slots))),
        ("max_workers", .optional(project.settings.scaling.map { Int64($0.maxWorkers) })),
      ] + made.filling.json)
  }

  private func text(_ made: EnvironmentMaking.Made, _ project: Project) -> String {
    let pipelines = project.pipelines.map(\.name)
    let end = made.marker.expires.map { "until \(EnvironmentTime.text($0))" } ?? "until it is removed"
    return made.filling.text + """
      \(name) \(made.isNew ? "is ready" : "is there already"), like \(made.file.copy.model), scale \(made.file.copy.scale), \(end)
        database \(made.file.copy.database), storage \(made.file.copy.storage), both its own, with \(made.file.copy.data?.text ?? "no data")
        \(pipelines.count) pipeline(s)\(pipelines.isEmpty ? "" : ": " + pipelines.joined(separator: ", ")), defined by \
      \(made.file.recipe?.definition?.text ?? "this project folder as it is at any time")
        no schedules and no notifications; targets are its own database; secrets are those below \
      secrets/\(EnvironmentCopy.secretsPrefix)
      next: sluice --env \(name) run PIPELINE --wait; remove it: sluice env down \(name)
      """
  }
}

struct EnvListCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List the environments that env up made.",
    discussion: """
      Rows are those written since the last full snapshot of each dataset; storage is raw objects and data files, by the catalog; worker-hours \
      are the time of attempts. Of each, at most 20,000 rows of each table of the catalog are read: past that it says many (null in JSON).
      """)

  @OptionGroup var options: ProjectOptions

  func run() async throws {
    let entries = try await EnvironmentServer.with(try options.wholeProject()) {
      try await EnvironmentListing(server: $0).entries()
    }
    guard !options.json else {
      return Console.data(json: .object([("environments", .list(entries.map(\.json)))]))
    }
    let rows = entries.map { entry in
      [
        entry.name, entry.standing, entry.marker.model,
        entry.marker.by, EnvironmentTime.text(entry.marker.made),
        entry.secondsLeft.map { EnvironmentTime.span($0) } ?? "no end", entry.usage?.lastUseAt ?? "", entry.rowsText,
        ProgressDisplay.megabytes(entry.databaseBytes), entry.storageText, entry.hoursText,
      ]
    }
    Console.data(
      TextTable(
        [
          "name", "state", "like", "by", "made", "left", "last use", "rows", "database", "storage", "worker-hours",
        ], rows
      ).text)
  }
}

struct EnvShowCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show an environment that env up made.")

  @OptionGroup var options: ProjectOptions
  @Argument(help: "Its name.") var name: String

  func run() async throws {
    let entry = try await EnvironmentServer.with(try options.wholeProject()) {
      try await EnvironmentListing(server: $0).entry(name)
    }
    guard !options.json else { return Console.data(json: entry.json) }
    let end = entry.marker.expires.map { EnvironmentTime.text($0) } ?? "it is removed"
    Console.data(
      """
      \(entry.name): \(entry.standing), like \(entry.marker.model), scale \(entry.marker.scale)
        made by \(entry.marker.by) at \(EnvironmentTime.text(entry.marker.made))
        \(entry.marker.isProtected ? "protected: neither env down nor the sweep removes it" : "stays until \(end)")
        database \(entry.database): \(ProgressDisplay.megabytes(entry.databaseBytes)), \(entry.sessions) session(s)
        storage \(entry.marker.storage): \(entry.storageText) of raw objects and data files, \
      \(entry.storage.map { "\($0.files) file(s) of \(ProgressDisplay.megabytes($0.bytes)) in all" } ?? "not in this folder")
        \(entry.rowsText) row(s) of datasets, \(entry.hoursText) worker-hour(s)
        last run: \(entry.usage?.lastRunAt ?? "none"); last use: \(entry.usage?.lastUseAt ?? "none")
      """)
  }
}
