import ArgumentParser
import Curation
import DuckDB
import FoundationEssentials
import PipelineDefinition

struct CheckCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Validate the project without reading a source or a target.",
    discussion: "Exit code 2 when a pipeline cannot run; every problem is told with file, line and column.")

  @OptionGroup var options: ProjectOptions
  @Argument(help: "Only these pipelines.") var pipelines: [String] = []

  func run() async throws {
    let project = try options.project()
    for name in pipelines { _ = try project.definition(named: name) }
    let chosen = project.definitions.filter { pipelines.isEmpty || pipelines.contains($0.name) }
    var diagnostics = pipelines.isEmpty ? project.diagnostics : chosen.flatMap(\.diagnostics)
    let earlier = await EarlierFields.read(of: chosen.compactMap(\.pipeline), in: project)
    do {
      diagnostics += try await SQLReview.problems(of: chosen.compactMap(\.pipeline), in: project, earlier: earlier)
    } catch let error as DuckDBError where error.kind == .missing {
      // The definition may be right: it is this machine that cannot tell.
      diagnostics += chosen.compactMap(\.pipeline).flatMap { $0.unknownNames(earlier: earlier[$0.name] ?? [:]) }
      diagnostics.append(
        Diagnostic(
          .warning, code: error.code,
          place: SQLReview.steps(of: chosen.compactMap(\.pipeline)).first?.place ?? .unknown,
          message: "the SQL is not checked: \(error.message)", suggestion: error.hint))
    }
    diagnostics = diagnostics.sortedByPlace()
    let isGood = !diagnostics.contains(where: \.refusesRun)
    for diagnostic in diagnostics { Console.note(diagnostic.description) }
    if options.json {
      Console.data(
        json: .object([
          ("ok", .bool(isGood)), ("pipelines", .list(chosen.map { .text($0.name) })),
          ("diagnostics", .list(diagnostics.map(\.json))),
        ]))
    } else if isGood {
      Console.data(chosen.isEmpty ? "no pipelines" : "ok: " + chosen.map(\.name).joined(separator: ", "))
    }
    guard isGood else { throw ExitStatus.usage }
  }
}

/// What only the SQL engine can say of a project's SELECTs.
enum SQLReview {
  /// The steps that have SQL, or a contract with values in it.
  static func steps(of pipelines: [Pipeline]) -> [CurateStep] {
    pipelines.flatMap(\.curate).filter { $0.sqlPath != nil || !$0.sqlChecks.isEmpty || $0.hasLimits }
  }

  /// - Parameter earlier: By pipeline, the fields that earlier runs found in its streams.
  static func problems(
    of pipelines: [Pipeline], in project: Project, earlier: EarlierFields.ByPipeline = [:]
  ) async throws -> [Diagnostic] {
    let names = pipelines.flatMap { $0.unknownNames(earlier: earlier[$0.name] ?? [:]) }
    let steps = steps(of: pipelines)
    guard !steps.isEmpty else { return names }
    let duckDB: DuckDB
    do { duckDB = try DuckDB.locate(projectDirectory: project.directory) } catch {
      // Values of a contract are looked at once more where it is used; SQL is not.
      guard steps.contains(where: { $0.sqlPath != nil || !$0.sqlChecks.isEmpty }) else { return names }
      throw error
    }
    let scratch =
      FileManager.default.temporaryDirectory.path(percentEncoded: false) + "sluice-check-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: scratch) }
    let lint = CurationLint(duckdb: duckDB, scratch: scratch)
    var diagnostics = names
    for pipeline in pipelines {
      for step in Self.steps(of: [pipeline]) {
        diagnostics += try await problems(of: step, pipeline, lint, project, earlier[pipeline.name] ?? [:])
      }
    }
    return diagnostics
  }

  private static func problems(
    of step: CurateStep, _ pipeline: Pipeline, _ lint: CurationLint, _ project: Project,
    _ earlier: [StreamReference: [String]]
  ) async throws -> [Diagnostic] {
    var diagnostics = try await lint.reviewLimits(step)
    let checks = step.sqlChecks
    for (check, problems) in zip(
      checks, checks.isEmpty ? [] : try await lint.check(checks: checks.map(\.sql), of: step.name))
    {
      diagnostics += problems.map { Diagnostic(code: "check", place: check.place, message: $0.message) }
    }
    // A file that is missing has its diagnostic already.
    guard let path = step.sqlPath, let sql = try? project.text(at: path) else { return diagnostics }
    return diagnostics + (try await lint.review(step, of: pipeline, sql: sql, earlier: earlier, datasets: [step.name]))
  }
}

extension CurateStep {
  fileprivate var sqlChecks: [(sql: String, place: Place)] {
    checks.compactMap { check in
      guard case .sql(let text, _) = check.rule else { return nil }
      return (text, check.place)
    }
  }
}

extension Diagnostic {
  var json: JSONValue {
    .object([
      ("severity", .text(severity.rawValue)), ("code", .text(code)), ("at", .text(place.description)),
      ("message", .text(message)), ("hint", .optional(suggestion)),
    ])
  }
}

extension Project {
  /// The file of a pipeline, whether or not it is valid.
  func definition(named name: String) throws -> Definition {
    guard let definition = definitions.first(where: { $0.name == name }) else {
      _ = try pipeline(named: name)
      preconditionFailure("a project that has a pipeline has its definition")
    }
    return definition
  }

  /// A pipeline that can run.
  ///
  /// - Throws: ``DefinitionError`` with every problem, each told on standard error before.
  func runnablePipeline(named name: String) throws -> Pipeline {
    let definition = try definition(named: name)
    let relevant = (diagnostics.filter { $0.place.file == Self.settingsFile } + definition.diagnostics).sortedByPlace()
    if let error = DefinitionError(refusing: relevant) {
      for diagnostic in relevant.dropFirst(0) where diagnostic.place.description != error.at {
        Console.note(diagnostic.description)
      }
      throw error
    }
    return try pipeline(named: name)
  }
}
