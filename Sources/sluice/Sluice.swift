import ArgumentParser
import Glibc
import JobModel

/// The command line: one file a subcommand under `Commands/`.
@main
struct Sluice: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sluice",
    abstract: "Batch data pipelines on a durable PostgreSQL queue: ingest, curate, load, exactly once.",
    discussion: """
      Data goes to standard output, everything else to standard error. Every verb takes --json.
      Exit codes: 0 done · 1 the work failed · 2 the definition or the usage is wrong · 3 refused · 4 unreachable · \
      5 rolled back by evidence · 6 timed out, still going.
      """,
    version: Engine.version,
    subcommands: [
      InitCommand.self, CheckCommand.self, PlanCommand.self, RunCommand.self, BackfillCommand.self, ReloadCommand.self,
      RunsCommand.self,
      JobsCommand.self, PauseCommand.self, ResumeCommand.self, StatusCommand.self,
      CatalogCommand.self, QueryCommand.self, UpCommand.self, DownCommand.self, ControlCommand.self,
      WorkerCommand.self, DeployCommand.self, PromoteCommand.self, RollbackCommand.self, DrainCommand.self,
      ReleasesCommand.self, EngineCommand.self, MigrateCommand.self, DoctorCommand.self, BenchCommand.self,
      ScaleCommand.self, AutoscaleCommand.self, TraceCommand.self, EnvCommand.self,
    ])

  static func main() async {
    _ = BrokenPipe.isAnError
    Engine.nameProcess()
    // Nothing that this process or its children create can be read by others.
    _ = PrivateState.userMask
    do {
      var command = try parseAsRoot(arguments)
      if var asynchronous = command as? any AsyncParsableCommand {
        try await asynchronous.run()
      } else {
        try command.run()
      }
    } catch {
      leave(after: error)
    }
  }

  /// What this program was called with, without its name.
  static let arguments = placed(Array(CommandLine.arguments.dropFirst()))

  /// The arguments with `--env NAME` before the verb moved behind it, where the verbs read it.
  static func placed(_ arguments: [String]) -> [String] {
    let first = arguments.first ?? ""
    let count = first == "--env" ? 2 : first.hasPrefix("--env=") ? 1 : 0
    guard count > 0, arguments.count > count else { return arguments }
    let rest = arguments.dropFirst(count)
    let end = rest.firstIndex(of: "--") ?? rest.endIndex
    return Array(rest[..<end] + arguments.prefix(count) + rest[end...])
  }

  /// Tells the error on standard error, on standard output as JSON where that was asked for, and exits with its code.
  private static func leave(after error: any Error) -> Never {
    if let status = error as? ExitStatus { Glibc.exit(status.rawValue) }
    if exitCode(for: error) == .success {
      Console.data(fullMessage(for: error))
      Glibc.exit(0)
    }
    let wantsJSON = CommandLine.arguments.contains("--json")
    let report = FailureReport(error) ?? FailureReport(usage: fullMessage(for: error))
    report.tell(asJSON: wantsJSON)
    Glibc.exit(report.status.rawValue)
  }
}
