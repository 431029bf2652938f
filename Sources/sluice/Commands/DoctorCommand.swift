import ArgumentParser
import AsyncHTTPClient
import DuckDB
import FoundationEssentials
import JobModel
import Loading
import PipelineDefinition
import Postgres

struct DoctorCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "What is missing on this machine and how to mend it; test a source or a target.")

  @OptionGroup var options: ProjectOptions
  @Argument(help: "A source or a target of a pipeline: its connection and the least grants it needs.") var name: String?

  struct Check {
    var name: String
    var ok: Bool
    var detail: String
    var fix: String?

    var json: JSONValue {
      .object([("name", .text(name)), ("ok", .bool(ok)), ("detail", .text(detail)), ("fix", .optional(fix))])
    }
  }

  func run() async throws {
    let project = try options.project()
    var checks: [Check] = []
    var url: String?
    var grants: String?
    if let name {
      (checks, grants) = try await ConnectionDoctor(project: project).examine(name)
    } else {
      (checks, url) = await machine(project)
    }
    let isWell = checks.allSatisfy(\.ok)
    if options.json {
      var fields: [(String, JSONValue)] = [
        ("ok", .bool(isWell)), ("database_url", .optional(url)), ("checks", .list(checks.map(\.json))),
      ]
      if let grants { fields.append(("grants", .text(grants))) }
      Console.data(json: .object(fields))
    } else {
      for check in checks {
        Console.data("\(check.ok ? "ok  " : "FAIL") \(check.name): \(check.detail)")
        if let fix = check.fix, !check.ok { Console.data("     \(fix)") }
      }
      if let grants { Console.data("\nthe least grants:\n\(grants)") }
    }
    guard isWell else { throw ExitStatus.failed }
  }

  private func machine(_ project: Project) async -> ([Check], url: String?) {
    var checks: [Check] = []
    let problems = project.diagnostics.filter(\.refusesRun)
    checks.append(
      Check(
        name: "project", ok: problems.isEmpty,
        detail: problems.isEmpty
          ? "\(project.pipelines.count) pipeline(s) in \(project.directory)" : "\(problems.count) problem(s)",
        fix: "sluice check"))
    do {
      let duckDB = try DuckDB.locate(projectDirectory: project.directory)
      checks.append(Check(name: "duckdb", ok: true, detail: duckDB.executable))
    } catch { checks.append(failed("duckdb", error)) }
    checks.append(privacy(project))
    checks += DiskDoctor(project: project).examine()
    var url: String?
    do {
      url = try await Installation.with(project, logger: Logs.quiet, migrating: false) { installation in
        checks += try await DatabaseDoctor(installation: installation).examine()
        return installation.settings.withoutPassword
      }
    } catch { checks.append(failed("database", error)) }
    return (checks, url)
  }

  /// Before the environment is opened, which tightens what it can.
  private func privacy(_ project: Project) -> Check {
    do {
      let open = try Installation.privateState(project).complaint
      return Check(
        name: "private files", ok: open == nil,
        detail: open.map { "others have rights on \($0.path)" } ?? "0700 and 0600",
        fix: open?.fix)
    } catch { return failed("private files", error) }
  }

  private func failed(_ name: String, _ error: any Error) -> Check {
    let failure = error as? any Failure
    return Check(
      name: name, ok: false, detail: failure?.message ?? "it failed with \(type(of: error))", fix: failure?.hint)
  }
}
