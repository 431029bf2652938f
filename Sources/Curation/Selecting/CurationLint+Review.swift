import DuckDB
import JobModel
import PipelineDefinition

/// What `check` can say of a dataset's SELECT before any data is read.
extension CurationLint {
  /// The problems of a step's SQL file: what it may not say, and columns that do not fit the contract or the streams' fields.
  ///
  /// - Parameters:
  ///   - sql: The text of the file.
  ///   - earlier: The fields that earlier runs found in the streams.
  ///   - datasets: What may be read as `previous.NAME`.
  /// - Throws: ``DuckDBError`` where DuckDB itself cannot be run.
  package func review(
    _ step: CurateStep, of pipeline: Pipeline, sql: String, earlier: [StreamReference: [String]] = [:],
    datasets: [String]
  ) async throws -> [Diagnostic] {
    let rules = Rules.dataset(step.from, previous: datasets)
    return try await duckdb.withSession(in: DuckDBPlace(directory: scratch), limits: DuckDBLimits(threads: 1)) {
      session in
      let (statement, problems) = try await Self.parse(sql, rules, session)
      guard problems.isEmpty, let statement else {
        return problems.map { Diagnostic(code: "select", place: step.sqlPlace($0), message: $0.message) }
      }
      let over = try await Self.over(statement, step, pipeline, session)
      if let names = statement.resultColumns {
        let columns = names.map { (name: $0.name, place: step.sqlPlace(SelectProblem("", at: $0.location, in: sql))) }
        return over + (try await Self.bind(statement, step, pipeline, earlier, rules, session).problems)
          + Self.misfits(step, columns) + Self.longNames(step, pipeline, columns)
          + Self.misnamed(step, pipeline, columns.map(\.name))
      }
      let bound = try await Self.bind(statement, step, pipeline, earlier, rules, session)
      guard let columns = bound.columns else { return over + bound.problems }
      let start = step.sqlPlace(SelectProblem("", at: 0, in: sql))
      let own = columns.filter { !SystemColumn.isReserved($0) }.map { (name: $0, place: start) }
      return over + Self.misfits(step, own) + Self.longNames(step, pipeline, own)
        + Self.misnamed(step, pipeline, own.map(\.name))
    }
  }

  private static func over(
    _ statement: SelectStatement, _ step: CurateStep, _ pipeline: Pipeline, _ session: DuckDBSession
  ) async throws -> [Diagnostic] {
    guard step.over == nil else { return [] }
    let streams = step.from.compactMap { reference in
      pipeline.stream(reference).map { (reference: reference, read: $0.read) }
    }
    guard case .together(let what) = try await origin(of: statement, streams: streams, session) else { return [] }
    let (message, hint) = overMissing(what)
    return [Diagnostic(code: "over", place: step.place, message: "\"\(step.name)\": \(message)", suggestion: hint)]
  }

  static func longName(_ name: String) -> String {
    "the column \"\(name)\" has \(name.utf8.count) bytes, and a name in PostgreSQL at most \(StorageRule.maximumNameBytes)"
  }

  private static func longNames(
    _ step: CurateStep, _ pipeline: Pipeline, _ columns: [(name: String, place: Place)]
  ) -> [Diagnostic] {
    guard pipeline.load.contains(where: { $0.tables.contains { $0.from == step.name } }) else { return [] }
    return columns.filter { $0.name.utf8.count > StorageRule.maximumNameBytes }.map {
      Diagnostic(
        code: "column_name", place: $0.place, message: longName($0.name), suggestion: "write a shorter name after AS")
    }
  }

  /// Names of a dataset without a contract that its SELECT does not give; with one, they are held against the contract.
  private static func misnamed(_ step: CurateStep, _ pipeline: Pipeline, _ columns: [String]) -> [Diagnostic] {
    guard step.columns.isEmpty else { return [] }
    var names = (step.key + step.replaces + step.partitionBy.map(\.column) + step.files.sort).map { ($0, step.place) }
    for check in step.checks {
      if case .unique(let unique) = check.rule { names += unique.map { ($0, check.place) } }
    }
    for table in pipeline.load.flatMap(\.tables) where table.from == step.name {
      names += table.key.map { ($0, table.place) }
    }
    let given = Set(columns.map(SQLName.init))
    return names.filter { !given.contains(SQLName($0.0)) }.map { name, place in
      Diagnostic(
        code: "unknown_column", place: place, message: "the SELECT of \"\(step.name)\" gives no column \"\(name)\"",
        suggestion: Spelling.didYouMean(name, among: columns)
          ?? "columns: \(columns.prefix(20).joined(separator: ", "))")
    }
  }

  /// Columns that the contract lists and the SELECT does not give, and the other way round.
  private static func misfits(_ step: CurateStep, _ columns: [(name: String, place: Place)]) -> [Diagnostic] {
    guard !step.columns.isEmpty else { return [] }
    let names = columns.map(\.name)
    let fit = ContractFit(step: step, given: names)
    var found = fit.missing.map { column in
      Diagnostic(
        code: "unknown_column", place: column.place,
        message: "the SELECT of \"\(step.name)\" gives no column \"\(column.name)\"",
        suggestion: Spelling.didYouMean(column.name, among: names) ?? "add it to \(step.sqlPath ?? "the SELECT")")
    }
    for name in fit.extra {
      let place = columns.first { $0.name == name }?.place ?? step.place
      found.append(
        Diagnostic(
          code: "extra_column", place: place,
          message: "the column \"\(name)\" is not in `columns` of \"\(step.name)\"",
          suggestion: Spelling.didYouMean(name, among: fit.missing.map(\.name)) ?? "list it there, or write extra: drop"
        ))
    }
    return found
  }

  /// Binds the SELECT to empty tables with the fields of its streams; nothing where these are not all known.
  private static func bind(
    _ statement: SelectStatement, _ step: CurateStep, _ pipeline: Pipeline, _ earlier: [StreamReference: [String]],
    _ rules: Rules, _ session: DuckDBSession
  ) async throws -> (columns: [String]?, problems: [Diagnostic]) {
    var fields: [StreamReference: [String]] = [:]
    for reference in step.from {
      guard let known = pipeline.fields(of: reference, earlier: earlier) else { return (nil, []) }
      fields[reference] = known
    }
    guard !statement.tables.contains(where: { $0.schema.lowercased() == "previous" }) else { return (nil, []) }
    try await session.run("create schema \"current\"")
    for (reference, names) in StreamViews.names(of: step.from) {
      guard let stream = pipeline.stream(reference) else { return (nil, []) }
      let columns = StreamViews.emptyColumns(of: stream, fields: fields[reference] ?? [])
      for name in names {
        for schema in ["main", "\"current\""] {
          try await session.run("create table \(schema).\(quoteIdentifier(name)) (\(columns.joined(separator: ", ")))")
        }
      }
    }
    let text = try await statement.text(session) { try await refuse($0, rules, session) }
    do { return (try await session.columns(of: text).map(\.name), []) } catch let error as DuckDBError
      where error.kind == .sql
    {
      let place = step.sqlPath.map { Place(file: $0, line: 1, column: 1) } ?? step.place
      return (nil, [Diagnostic(code: "select", place: place, message: error.message)])
    }
  }
}

extension CurateStep {
  fileprivate func sqlPlace(_ problem: SelectProblem) -> Place {
    Place(file: sqlPath ?? place.file, line: problem.line, column: problem.column)
  }
}
