import FoundationEssentials
import JobModel

/// One SELECT of a reader that may read tables and do nothing else: `sluice query`, and every other place that shows data to people.
///
/// DuckDB's own parser decides that the text is exactly one SELECT, and writes the text that runs. It may name the given tables
/// and functions that make rows of their arguments. The child opens the given directories only, writes no file, sees no
/// environment, and has limits. The result streams: no more of it than a row is held here.
package struct ConfinedQuery: Sendable {
  /// What one result may be, so that a mistake fills neither a terminal nor a disk.
  package struct Limits: Sendable {
    package var rows: Int
    /// As text.
    package var bytes: Int
    package init(rows: Int = 1_000_000, bytes: Int = 1_000_000_000) {
      self.rows = rows
      self.bytes = bytes
    }
  }

  /// A table that the SELECT may read.
  package struct View: Sendable {
    package var name: String
    /// The SELECT behind it, written by us.
    package var select: String
    package init(name: String, select: String) {
      self.name = name
      self.select = select
    }
  }

  let duckdb: DuckDB
  let place: DuckDBPlace
  let duckDBLimits: DuckDBLimits
  let limits: Limits

  /// - Parameter place: Its directories hold the files of the views; the child can open no others.
  package init(duckdb: DuckDB, place: DuckDBPlace, duckDBLimits: DuckDBLimits, limits: Limits = Limits()) {
    self.duckdb = duckdb
    self.place = place
    self.duckDBLimits = duckDBLimits
    self.limits = limits
  }

  /// Runs the SELECT.
  ///
  /// - Parameters:
  ///   - begin: Is given the columns before the first row.
  ///   - take: Is given each row, a value for each column as text; null is nil. Values of the type JSON and of columns that are
  ///     ``DuckDBTable/Column/isJSON`` are JSON without what only DuckDB understands.
  /// - Throws: ``SelectProblem`` for a text that may not run, ``DuckDBError``, and what the closures throw.
  package func run(
    _ sql: String, over views: [View], begin: @escaping @Sendable ([DuckDBTable.Column]) async throws -> Void,
    take: @escaping @Sendable ([String?]) async throws -> Void
  ) async throws {
    let (used, text, columns) = try await duckdb.withSession(in: place, limits: duckDBLimits) { session in
      let statement = try await SelectStatement.parse(sql, session)
      let used = try Self.views(of: statement, sql, among: views)
      for view in used { try await session.run(Self.create(view)) }
      let text = try await statement.text(session) { _ = try Self.views(of: $0, "", among: views) }
      return (used, text, try await session.columns(of: text))
    }
    try await begin(columns)
    var opened = place
    opened.files.append(Self.output)
    let script = (used.map(Self.create) + [Self.copy(text, columns)]).joined(separator: ";\n")
    try await duckdb.withStream(of: script, in: opened, limits: duckDBLimits) { bytes in
      var rows = RowReader(columns: columns, limits: limits)
      for try await chunk in bytes {
        for row in try rows.take(chunk) { try await take(row) }
      }
    }
  }

  /// The views that the statement reads.
  ///
  /// - Throws: ``SelectProblem`` where it reads anything else.
  private static func views(of statement: SelectStatement, _ sql: String, among views: [View]) throws -> [View] {
    let known = Dictionary(views.map { (SQLName($0.name), $0) }) { first, _ in first }
    var used: [SQLName: View] = [:]
    for table in statement.tables {
      let name = SQLName(table.table)
      guard table.schema.isEmpty, table.catalog.isEmpty, let view = known[name] else {
        let full = [table.catalog, table.schema, table.table].filter { !$0.isEmpty }.joined(separator: ".")
        let names = views.map(\.name).sorted().joined(separator: ", ")
        throw SelectProblem(
          "there is no dataset \"\(full)\"" + (names.isEmpty ? "" : "; there are: \(names)"), at: table.location,
          in: sql)
      }
      used[name] = view
    }
    let functions = statement.tableFunctions(notAmong: SelectStatement.pureTableFunctions)
    if let function = functions.first {
      throw SelectProblem("\(function.name)() is not possible here; name a dataset", at: function.location, in: sql)
    }
    if let source = statement.refusedSources.first {
      throw SelectProblem("\(source.kind) is not possible here; name a dataset", at: source.location, in: sql)
    }
    if let problem = statement.unwritable.first { throw SelectProblem(problem.message, at: problem.location, in: sql) }
    var refused: (name: String, location: Int)?
    statement.visit { node in
      guard let name = node["function_name"]?.text, surroundings.contains(SQLName(name)) else { return }
      refused = (name, node["query_location"]?.int ?? 0)
    }
    if let refused { throw SelectProblem("\(refused.name)() is not possible here", at: refused.location, in: sql) }
    return used.values.sorted { $0.name < $1.name }
  }

  /// Functions that tell of the process instead of the data.
  private static let surroundings: Set<SQLName> = [
    SQLName("getenv"), SQLName("current_setting"), SQLName("getvariable"),
  ]

  private static func create(_ view: View) -> String { "create view \(quoteIdentifier(view.name)) as \(view.select)" }

  private static let output = "/proc/self/fd/1"

  /// Every value as text, so that no reader rounds one, and every column by its number, so that no name matters.
  private static func copy(_ text: String, _ columns: [DuckDBTable.Column]) -> String {
    let names = columns.indices.map { "c\($0)" }
    let values = columns.enumerated().map { index, column in
      column.isJSON ? "to_json(c\(index))::VARCHAR as c\(index)" : "c\(index)::VARCHAR as c\(index)"
    }
    return """
      copy (select \(values.joined(separator: ", ")) from (\(text)) as result(\(names.joined(separator: ", "))))
      to '\(output)' (format json, array false, use_tmp_file false)
      """
  }
}

extension DuckDBTable.Column {
  /// Whether a ``ConfinedQuery`` gives the values as JSON. DuckDB's JSON would round a decimal inside of a list, so that such a
  /// list is given as DuckDB writes it.
  package var isJSON: Bool {
    let isNested = type.hasSuffix("]") || ["STRUCT", "MAP", "UNION"].contains { type.hasPrefix($0) }
    return isNested && !["DECIMAL", "HUGEINT"].contains { type.contains($0) }
  }
}

/// Takes the lines of JSON apart that the child writes, one object of texts each.
private struct RowReader {
  let holdsJSON: [Bool]
  let limits: ConfinedQuery.Limits
  private var rest: [UInt8] = []
  private var rows = 0
  private var bytes = 0
  private let decoder = JSONDecoder()

  init(columns: [DuckDBTable.Column], limits: ConfinedQuery.Limits) {
    holdsJSON = columns.map { $0.isJSON || $0.type == "JSON" }
    self.limits = limits
  }

  mutating func take(_ chunk: [UInt8]) throws -> [[String?]] {
    bytes += chunk.count
    guard bytes <= limits.bytes else { throw tooLarge("\(limits.bytes / 1_000_000) MB") }
    var found: [[String?]] = []
    var start = chunk.startIndex
    while let end = chunk[start...].firstIndex(of: UInt8(ascii: "\n")) {
      rest += chunk[start..<end]
      start = end + 1
      rows += 1
      guard rows <= limits.rows else { throw tooLarge("\(limits.rows) rows") }
      let object = try decoder.decode([String: String?].self, from: Data(rest))
      found.append(
        holdsJSON.enumerated().map { index, isJSON in
          let text = object["c\(index)"] ?? nil
          return isJSON ? text.map(StrictJSON.text) : text
        })
      rest.removeAll(keepingCapacity: true)
    }
    rest += chunk[start...]
    guard rest.count <= LineReader.maximumLineBytes else {
      throw tooLarge("\(LineReader.maximumLineBytes) bytes in a row")
    }
    return found
  }

  private func tooLarge(_ size: String) -> DuckDBError {
    DuckDBError(
      .resultTooLarge, "the result has more than \(size)", hint: "ask for less: a condition, a LIMIT, fewer columns")
  }
}
