import DuckDB
import PipelineDefinition

/// Refuses what would make a dataset depend on anything but its raw: clocks, randomness, files, settings.
///
/// What a function does is asked of DuckDB itself, so the list is right for the version that runs.
package struct CurationLint: Sendable {
  let duckdb: DuckDB
  let scratch: String

  package init(duckdb: DuckDB, scratch: String) {
    self.duckdb = duckdb
    self.scratch = scratch
  }

  /// The problems of one SQL file, in the order of its text; empty where it may be used.
  ///
  /// - Parameters:
  ///   - streams: The streams of the step's `from`: the tables that it may read.
  ///   - datasets: What may be read as `previous.NAME`.
  /// - Throws: ``DuckDBError`` where DuckDB itself cannot be run.
  package func check(_ sql: String, streams: [StreamReference], datasets: [String]) async throws -> [SelectProblem] {
    let place = DuckDBPlace(directory: scratch, directories: [])
    return try await duckdb.withSession(in: place, limits: DuckDBLimits(threads: 1)) { session in
      let statement: SelectStatement
      do { statement = try await Self.parse(sql, session) } catch let problem as SelectProblem { return [problem] }
      return try await Self.problems(of: statement, sql, streams: streams, datasets: datasets, session)
    }
  }

  static func parse(_ sql: String, _ session: DuckDBSession) async throws -> SelectStatement {
    let tree = try await session.rows(SelectStatement.serializing(sql)).first?["tree"] ?? .null
    return try SelectStatement(serialized: tree.json, source: sql)
  }

  static func problems(
    of statement: SelectStatement, _ sql: String, streams: [StreamReference], datasets: [String],
    _ session: DuckDBSession
  ) async throws -> [SelectProblem] {
    let unstable = try await session.rows(unstableFunctions).compactMap { $0["name"]?.text?.lowercased() }
    let refused = Set(unstable).union(alsoRefused)
    let allowed = Set(StreamViews.names(of: streams).flatMap(\.value).map { $0.lowercased() })
    let current = Set(streams.map { $0.stream.lowercased() } + streams.map { $0.description.lowercased() })
    let previous = Set(datasets.map { $0.lowercased() })
    var problems: [(Int, String)] = []
    for table in statement.tables {
      let name = table.table.lowercased()
      let known =
        switch table.schema.lowercased() {
        case "": allowed.contains(name)
        case "current": current.contains(name)
        case "previous": previous.contains(name)
        default: false
        }
      if !known {
        let full = table.schema.isEmpty ? table.table : "\(table.schema).\(table.table)"
        problems.append((table.location, "there is no stream \"\(full)\" here; `from` has \(list(streams))"))
      }
    }
    statement.visit { node in
      let location = node["query_location"]?.int ?? 0
      if let problem = problem(of: node, refused: refused) { problems.append((location, problem)) }
    }
    return problems.sorted { $0 < $1 }.map { SelectProblem($0.1, at: $0.0, in: sql) }
  }

  private static func problem(of node: [String: DuckDBValue], refused: Set<String>) -> String? {
    if node["type"]?.text == "TABLE_FUNCTION" {
      let name = node["function"]?.object?["function_name"]?.text?.lowercased() ?? ""
      if !tableFunctions.contains(name) {
        return "\(name)() reads something else than the streams; name a stream in `from` instead"
      }
    }
    if node["class"]?.text == "COLUMN_REF", let names = node["column_names"]?.list, names.count == 1,
      let name = names[0].text?.lowercased(), clockWords.contains(name)
    {
      return "\(name) gives another result at another time; the run's time is _run_at"
    }
    if let name = node["function_name"]?.text?.lowercased(), refused.contains(name) {
      return "\(name)() gives another result at another time; the run's time is _run_at"
    }
    if let sample = node["sample"], sample != .null {
      return "a sample gives other rows each time; use a condition on hash(key) instead"
    }
    return nil
  }

  private static func list(_ streams: [StreamReference]) -> String {
    streams.map(\.description).joined(separator: ", ")
  }

  private static let unstableFunctions = """
    select distinct function_name as name from duckdb_functions()
    where function_type = 'scalar' and stability <> 'CONSISTENT'
    """

  /// Called constant by DuckDB's list, and not so from one run to the next.
  private static let alsoRefused: Set<String> = [
    "current_localtime", "current_localtimestamp", "getenv", "current_setting", "getvariable", "version",
  ]
  private static let clockWords: Set<String> = [
    "current_date", "current_time", "current_timestamp", "localtime", "localtimestamp", "now", "today",
  ]
  private static let tableFunctions: Set<String> = [
    "unnest", "range", "generate_series", "json_each", "json_tree", "regexp_split_to_table",
  ]
}
