import ArgumentParser
import DuckDB
import FoundationEssentials
import JobModel

struct QueryCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "query", abstract: "SQL over the curated zone.",
    discussion: """
      Each dataset is a view of its name (or "pipeline.dataset" where two share one): the latest row of each key where \
      it has a key. For results that fit in memory.
      """)

  @OptionGroup var options: ProjectOptions
  @Argument(help: "One SELECT.") var sql: String

  func run() async throws {
    try await Installation.with(options) { installation in
      let views = try await DatasetViews.gather(installation)
      let scratch = installation.stateDirectory + "/scratch/query-\(ProcessInfo.processInfo.processIdentifier)"
      try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(atPath: scratch) }
      let sql = self.sql
      let table = try await installation.duckDB().withSession(
        in: DuckDBPlace(directory: scratch), limits: installation.sqlLimits
      ) { session in
        for view in views { try await session.run(view) }
        return try await session.table(sql)
      }
      if options.json {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        Console.data(String(decoding: try encoder.encode(table), as: UTF8.self))
      } else {
        let names = table.columns.map(\.name)
        let rows = table.rows.map { row in names.map { row[$0].map(Self.text) ?? "" } }
        Console.data(TextTable(names, rows).text)
      }
    }
  }

  private static func text(_ value: DuckDBValue) -> String {
    if case .null = value { return "" }
    return value.text ?? value.json
  }
}
