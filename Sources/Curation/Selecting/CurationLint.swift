import DuckDB
import JobModel
import PipelineDefinition

/// Refuses what would make a dataset depend on anything but its raw: clocks, randomness, files, settings, other tables.
///
/// What a function does is asked of DuckDB itself, so the list is right for the version that runs.
package struct CurationLint: Sendable {
  let duckdb: DuckDB
  let scratch: String

  package init(duckdb: DuckDB, scratch: String) {
    self.duckdb = duckdb
    self.scratch = scratch
  }

  /// The tables that a statement may read, and whether it may ask the clock.
  struct Rules: Sendable {
    /// By schema; `""` is for names without one.
    var tables: [String: Set<SQLName>]
    var mayAskTheClock = false
    /// Where the names come from, for messages.
    var sources: [StreamReference]

    /// The SELECT of a dataset: its streams, `current.STREAM`, `previous.DATASET`.
    ///
    /// - Parameters:
    ///   - streams: The streams of the step's `from`.
    ///   - datasets: What may be read as `previous.NAME`.
    static func dataset(_ streams: [StreamReference], previous datasets: [String]) -> Rules {
      let names = StreamViews.names(of: streams).flatMap(\.value)
      return Rules(
        tables: [
          "": Set(names.map(SQLName.init)),
          "current": Set((streams.map(\.stream) + streams.map(\.description)).map(SQLName.init)),
          "previous": Set(datasets.map(SQLName.init)),
        ], sources: streams)
    }

    /// A check of a dataset: the dataset alone. A check may compare with the present time.
    static func check(of dataset: String) -> Rules {
      Rules(tables: ["": [SQLName(dataset)]], mayAskTheClock: true, sources: [])
    }
  }

  /// The problems of a step's SQL file, in the order of its text; empty where it may be used.
  ///
  /// - Throws: ``DuckDBError`` where DuckDB itself cannot be run.
  package func check(_ sql: String, streams: [StreamReference], datasets: [String]) async throws -> [SelectProblem] {
    try await problems(in: [sql], .dataset(streams, previous: datasets)).first ?? []
  }

  /// The problems of a dataset's `checks: sql`, a list for each text.
  ///
  /// - Throws: ``DuckDBError`` where DuckDB itself cannot be run.
  package func check(checks: [String], of dataset: String) async throws -> [[SelectProblem]] {
    try await problems(in: checks, .check(of: dataset))
  }

  private func problems(in texts: [String], _ rules: Rules) async throws -> [[SelectProblem]] {
    try await duckdb.withSession(in: DuckDBPlace(directory: scratch), limits: DuckDBLimits(threads: 1)) { session in
      var found: [[SelectProblem]] = []
      for text in texts { found.append(try await Self.parse(text, rules, session).problems) }
      return found
    }
  }

  /// A text taken apart and checked. Without problems it can be written again as well.
  static func parse(
    _ text: String, _ rules: Rules, _ session: DuckDBSession
  ) async throws -> (statement: SelectStatement?, problems: [SelectProblem]) {
    do {
      let statement = try await SelectStatement.parse(text, session)
      let problems = try await problems(of: statement, text, rules, session)
      if problems.isEmpty { _ = try await statement.text(session) { try await refuse($0, rules, session) } }
      return (statement, problems)
    } catch let problem as SelectProblem {
      return (nil, [problem])
    }
  }

  /// The check of a text that DuckDB wrote.
  static func refuse(_ statement: SelectStatement, _ rules: Rules, _ session: DuckDBSession) async throws {
    if let problem = try await problems(of: statement, "", rules, session).first { throw problem }
  }

  static func problems(
    of statement: SelectStatement, _ sql: String, _ rules: Rules, _ session: DuckDBSession
  ) async throws -> [SelectProblem] {
    var refused = try await EngineFunctions.of(session).unstable.union(alsoRefused)
    if rules.mayAskTheClock { refused.subtract(clockFunctions) }
    var problems: [(Int, String)] = statement.tables.compactMap { table in
      rules.problem(of: table).map { (table.location, $0) }
    }
    problems += statement.refusedSources.map { ($0.location, "\($0.kind) is not possible here; name a table") }
    problems += statement.tableFunctions(notAmong: SelectStatement.pureTableFunctions).map {
      ($0.location, "\($0.name)() reads something else than the streams; name a stream in `from` instead")
    }
    problems += statement.unwritable.map { ($0.location, $0.message) }
    statement.visit { node in
      let location = node["query_location"]?.int ?? 0
      if let problem = problem(of: node, refused: refused, mayAskTheClock: rules.mayAskTheClock) {
        problems.append((location, problem))
      }
    }
    return problems.sorted { $0 < $1 }.map { SelectProblem($0.1, at: $0.0, in: sql) }
  }

  private static func problem(
    of node: [String: DuckDBValue], refused: Set<String>, mayAskTheClock: Bool
  ) -> String? {
    if !mayAskTheClock, node["class"]?.text == "COLUMN_REF", let names = node["column_names"]?.list, names.count == 1,
      let name = names[0].text?.lowercased(), clockWords.contains(name)
    {
      return "\(name) gives another result at another time; the run's time is _run_at"
    }
    if !mayAskTheClock, node["function_name"]?.text?.lowercased() == "age", node["children"]?.list?.count == 1 {
      return "age() of one time compares it with the present; the run's time is _run_at"
    }
    if let name = node["function_name"]?.text?.lowercased(), refused.contains(name) {
      return "\(name)() gives another result at another time; the run's time is _run_at"
    }
    if let sample = node["sample"], sample != .null {
      return "a sample gives other rows each time; use a condition on hash(key) instead"
    }
    return nil
  }

  /// Called constant by DuckDB's list, and not so from one run to the next.
  private static let alsoRefused: Set<String> = [
    "current_localtime", "current_localtimestamp", "getenv", "current_setting", "getvariable", "version",
    // Aggregates whose result depends on the order in which threads give them rows.
    "reservoir_quantile", "approx_quantile", "approx_top_k",
  ]
  private static let clockFunctions: Set<String> = [
    "now", "today", "current_date", "current_timestamp", "transaction_timestamp", "get_current_timestamp",
    "current_localtimestamp",
  ]
  private static let clockWords: Set<String> = [
    "current_date", "current_time", "current_timestamp", "localtime", "localtimestamp", "now", "today",
  ]
}

extension CurationLint.Rules {
  /// Nil for a table that may be read.
  func problem(of table: TableName) -> String? {
    let isKnown =
      table.catalog.isEmpty && tables[table.schema.lowercased()]?.contains(SQLName(table.table)) == true
    guard !isKnown else { return nil }
    let full = [table.catalog, table.schema, table.table].filter { !$0.isEmpty }.joined(separator: ".")
    guard !sources.isEmpty else { return "there is no table \"\(full)\" here; a check reads its own dataset" }
    if let meant = sources.first(where: { $0.source == table.schema && $0.stream == table.table }) {
      let name = StreamViews.names(of: sources)[meant]?.first ?? meant.stream
      return "a stream is named without its source here: write \(name == meant.stream ? name : "\"\(name)\"")"
    }
    return "there is no stream \"\(full)\" here; `from` has \(sources.map(\.description).joined(separator: ", "))"
  }
}
