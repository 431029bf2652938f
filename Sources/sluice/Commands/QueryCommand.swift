import ArgumentParser
import Curation
import DuckDB
import FoundationEssentials
import JobModel
import ObjectStore

struct QueryCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "query", abstract: "SQL over the curated zone.",
    discussion: """
      Each dataset is a table of its name (or "pipeline.dataset" where two share one): the latest row of each key where \
      it has a key. One SELECT; it reads datasets and nothing else. Rows are printed as they come.

      With --json: one object, {"columns":[{"name":…,"type":…}],"rows":[{…}]}. Numbers are written as DuckDB writes them; numbers \
      that JSON has no form for are the texts "nan", "inf" and "-inf". An error after the first rows ends the object with \
      "error":{"code":…,"message":…} after "rows", and the exit code is not 0.
      """)

  @OptionGroup var options: ProjectOptions
  @Argument(help: "One SELECT.") var sql: String
  @Option(help: "End with an error after this many rows.") var maxRows = 1_000_000
  @Option(help: "End with an error after this many seconds.") var seconds = 600

  func validate() throws {
    if maxRows < 1 { throw ValidationError("--max-rows must be at least 1") }
    if !(1...86_400).contains(seconds) { throw ValidationError("--seconds must be from 1 to 86400") }
  }

  func run() async throws {
    try await Installation.with(options, access: .reading) { installation in
      let views = try await DatasetViews.gather(installation)
      let scratch = installation.stateDirectory + "/scratch/query-\(ProcessInfo.processInfo.processIdentifier)"
      try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(atPath: scratch) }
      let folders = try ["curated", Compactor.root].compactMap { installation.objects.localPath(try ObjectKey($0)) }
      var limits = installation.sqlLimits
      limits.time = .seconds(seconds)
      let query = ConfinedQuery(
        duckdb: try installation.duckDB(),
        place: DuckDBPlace(directory: scratch, directories: folders), duckDBLimits: limits,
        limits: ConfinedQuery.Limits(rows: maxRows))
      let printer = QueryPrinter(isJSON: options.json)
      do {
        try await query.run(sql, over: views, begin: { printer.begin($0) }, take: { printer.take($0) })
        printer.end()
      } catch let problem as SelectProblem {
        throw StageFailure(
          code: "query_refused", message: problem.message, hint: "sluice catalog lists the datasets",
          at: "query:\(problem.line):\(problem.column)")
      } catch {
        guard printer.hasBegun else { throw error }
        throw printer.end(after: FailureReport(error) ?? FailureReport(usage: Self.fullMessage(for: error)))
      }
    }
  }
}
