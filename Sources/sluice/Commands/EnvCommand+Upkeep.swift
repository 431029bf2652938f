import ArgumentParser
import FoundationEssentials
import Glibc
import JobModel
import PipelineDefinition
import Postgres

/// Changes the mark of an environment, and shows it.
private func remark(
  _ name: String, _ options: ProjectOptions, _ change: @Sendable (inout EnvironmentMarker, Int64) throws -> Void
) async throws {
  let project = try options.wholeProject()
  let entry = try await EnvironmentServer.with(project) { server in
    let listing = EnvironmentListing(server: server)
    let before = try await listing.entry(name)
    var marker = before.marker
    guard marker.state == .ready else {
      throw Refusal(
        code: "environment_unfinished", message: "the environment \(name) is half removed",
        hint: "remove the rest: sluice env down \(name)")
    }
    try change(&marker, try await server.now())
    try await server.mark(before.database, marker)
    let stateDirectory = Installation.stateDirectory(server.directory, environment: name)
    if var file = try? CopyFile.read(stateDirectory), file.token == marker.token,
      marker.isProtected != (file.isProtected == true)
    {
      file.isProtected = marker.isProtected ? true : nil
      try file.write(stateDirectory)
    }
    return try await listing.entry(name)
  }
  guard !options.json else { return Console.data(json: entry.json) }
  let end = entry.marker.expires.map { "stays until \(EnvironmentTime.text($0))" } ?? "stays until it is removed"
  Console.data("\(name) \(entry.marker.isProtected ? "is protected" : end)")
}

struct EnvExtendCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "extend", abstract: "Let an environment stay longer, from now on.")

  @OptionGroup var options: ProjectOptions
  @Argument(help: "Its name.") var name: String
  @Option(help: "How long it stays from now, such as 8h; none: until it is removed.") var ttl: String

  func run() async throws {
    let time = try EnvUpCommand.time(ttl)?.components.seconds
    try await remark(name, options) { marker, now in
      marker.ttl = time
      marker.expires = time.map { now + $0 }
      marker.isExtended = false
      marker.due = nil
    }
  }
}

struct EnvProtectCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "protect", abstract: "Keep an environment from env down and from the sweep.")

  @OptionGroup var options: ProjectOptions
  @Argument(help: "Its name.") var name: String
  @Flag(help: "End the protection.") var off = false

  func run() async throws {
    try await remark(name, options) { [off] marker, _ in marker.isProtected = !off }
  }
}

struct EnvShellCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "shell",
    abstract: "Print what makes a shell work in an environment: eval \"$(sluice env shell NAME)\".",
    discussion: """
      SLUICE_ENV for sluice, PGHOST, PGPORT, PGUSER and PGDATABASE for psql (without a password), and the prompt. The project's own \
      server answers psql while sluice up or another verb runs.
      """)

  @OptionGroup var options: ProjectOptions
  @Argument(help: "Its name.") var name: String

  func run() async throws {
    let project = try options.wholeProject()
    let variables = try await EnvironmentServer.with(project) { server in
      let entry = try await EnvironmentListing(server: server).entry(name)
      let settings = try PostgresSettings(try server.url(entry.database))
      let own = [
        ("PGHOST", settings["host"]), ("PGPORT", settings["port"]), ("PGUSER", settings["user"]),
        ("PGDATABASE", settings["dbname"]),
      ]
      return [("SLUICE_ENV", name)] + own.compactMap { key, value in value.map { (key, $0) } }
    }
    _ = try CopyFile.usable(project.directory, environment: name)
    guard !options.json else {
      return Console.data(json: .object(variables.map { ($0.0, .text($0.1)) }))
    }
    for (key, value) in variables { Console.data("export \(key)=\(Self.quoted(value))") }
    // The name has letters, digits, - and _ only.
    Console.data("export PS1=\"(\(name)) ${PS1-}\"")
  }

  /// One word of a POSIX shell.
  static func quoted(_ text: String) -> String { "'" + text.replacing("'", with: "'\\''") + "'" }
}

struct EnvDiffCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diff", abstract: "Compare definitions, releases and datasets of two environments.",
    discussion: """
      Datasets are compared by their columns, their number of rows as sluice query sees them, and by what became of their checks in the \
      newest run.
      """)

  @OptionGroup var options: ProjectOptions
  @Argument(help: "One environment.") var first: String
  @Argument(help: "The other one.") var second: String

  func run() async throws {
    let comparison = EnvironmentComparison(left: try await side(first), right: try await side(second))
    options.json ? Console.data(json: comparison.json) : Console.data(comparison.text)
  }

  private func side(_ environment: String) async throws -> EnvironmentSide {
    let directory = try options.resolvedDirectory()
    let project = try Project.load(
      directory: directory, environment: environment,
      copy: try CopyFile.usable(directory, environment: environment))
    return try await Installation.with(project, logger: Logs.quiet, access: .reading) {
      try await EnvironmentSide.gather($0)
    }
  }
}

struct EnvSweepCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sweep", abstract: "Remove environments whose time is over, and what interrupted calls left.",
    discussion: """
      Control does the same every minute. An environment in use gets one extension. Another one is warned of, and removed by a sweep \
      after an eighth of its time to live, at least a minute.
      """)

  @OptionGroup var options: ProjectOptions

  func run() async throws {
    let project = try options.wholeProject()
    let outcomes = try await EnvironmentServer.with(project) { try await EnvironmentSweep(server: $0).run() }
    guard !options.json else {
      let list = outcomes.map { outcome in
        JSONValue.object([
          ("name", .text(outcome.name)), ("action", .text(outcome.action)), ("detail", .text(outcome.detail)),
        ])
      }
      return Console.data(json: .object([("swept", .list(list))]))
    }
    for outcome in outcomes { Console.data("\(outcome.action) \(outcome.name): \(outcome.detail)") }
    if outcomes.isEmpty { Console.data("nothing is to be removed") }
  }
}

struct EnvForgetCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "forget", abstract: "Free the name of a removed environment for one that env up does not make.",
    discussion: """
      The name of a removed environment stays refused, so that a forgotten --env or SLUICE_ENV does not work on the targets and with \
      the secrets of the project itself.
      """)

  @OptionGroup var options: ProjectOptions
  @Argument(help: "Its name.") var name: String
  @Flag(help: "Also where its server is gone for good; its database and storage are left alone.") var lost = false

  func run() throws {
    let directory = try options.resolvedDirectory()
    try Project.check(environment: name, in: directory)
    let stateDirectory = Installation.stateDirectory(directory, environment: name)
    let file = if lost { try? CopyFile.read(stateDirectory) } else { try CopyFile.read(stateDirectory) }
    // With --lost also one that cannot be read.
    guard file != nil || (lost && access(CopyFile.path(stateDirectory), F_OK) == 0) else {
      throw Refusal(
        code: "not_made_by_env_up", message: "env up made no environment \(name) here", hint: "sluice env list")
    }
    guard file?.state == .removed || lost else {
      throw Refusal(
        code: "environment_exists", message: "the environment \(name) is not removed",
        hint: "remove it: sluice env down \(name)")
    }
    unlink(CopyFile.path(stateDirectory))
    rmdir(stateDirectory)
    options.json
      ? Console.data(json: .object([("forgotten", .text(name))])) : Console.data("the name \(name) is free")
  }
}
