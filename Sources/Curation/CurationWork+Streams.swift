import DuckDB
import JobModel
import PipelineDefinition

/// Reading the streams, and what changed in them.
extension CurationWork {
  /// The step's SQL, taken apart and found free of clocks, randomness and files; nil where it has none.
  func parseAndLint() async throws -> SelectStatement? {
    guard let sql = request.sql else { return nil }
    let path = step.sqlPath ?? "sql"
    do {
      let statement = try await SelectStatement.parse(sql, session)
      let problems = try await CurationLint.problems(
        of: statement, sql, .dataset(request.streams.map(\.reference), previous: [step.name]), session)
      if let problem = problems.first { throw problem }
      let rules = CurationLint.Rules.dataset(request.streams.map(\.reference), previous: [step.name])
      _ = try await statement.text(session) { [session] in try await CurationLint.refuse($0, rules, session) }
      return statement
    } catch let problem as SelectProblem {
      throw StageFailure(
        code: "sql_refused", message: "dataset \(step.name): \(problem.message)",
        hint: "\"sluice check\" lists all problems", at: "\(path):\(problem.line):\(problem.column)")
    }
  }

  /// Reads what is due of every stream, and finds records that break their stream's own types.
  func readStreams() async throws -> [LoadedStream] {
    let report = report
    let reader = StreamReader(
      session: session, scratch: request.scratch, dataset: step.name, expansion: request.expansion
    ) { report.objects($0) }
    var streams: [LoadedStream] = []
    for (index, stream) in request.streams.enumerated() {
      let loaded = try await reader.read(stream, stream.objects, into: "raw.due_\(index)", index: index)
      streams.append(loaded)
    }
    try await session.run(Self.setOrdinals)
    for loaded in streams {
      if let statement = loaded.table.takeTypeViolations(stream: loaded.index, hidesValues: hidesValues) {
        try await session.run(statement)
      }
    }
    return streams
  }

  /// Raw objects in the order in which their rows count: by run, then as they were pulled.
  private static let setOrdinals = """
    update raw.objects set ordinal = o.place
    from (select id, row_number() over (order by run, sequence, id) as place from raw.objects) o where o.id = objects.id
    """

  var hidesValues: Bool { step.columns.contains { $0.mask != nil } }

  /// Creates the views that SQL sees; `current.STREAM` and `previous.DATASET` only where the statement reads them.
  func createViews(_ streams: [LoadedStream], _ statement: SelectStatement?) async throws {
    let names = StreamViews.names(of: streams.map(\.table.stream.reference))
    let tables = statement?.tables ?? []
    for loaded in streams {
      let own = names[loaded.table.stream.reference] ?? []
      for statement in StreamViews.statements(loaded.table, names: own) { try await session.run(statement) }
      let mentioned = tables.contains { table in
        table.schema.lowercased() == "current" && own.contains { SQLName($0) == SQLName(table.table) }
      }
      if mentioned { try await createCurrent(loaded, names: own) }
    }
    if tables.contains(where: { $0.schema.lowercased() == "previous" }) { try await createPrevious() }
  }

  private func createCurrent(_ due: LoadedStream, names: [String]) async throws {
    let stream = due.table.stream
    guard !stream.definition.key.isEmpty else {
      throw StageFailure(
        code: "key_missing", message: "dataset \(step.name): current.\(stream.reference.stream) needs the stream's key",
        hint: "write `key: […]` on the stream", at: "\(stream.definition.place)")
    }
    let taken = Set(stream.objects.map(\.id))
    let report = report
    let reader = StreamReader(
      session: session, scratch: request.scratch, dataset: step.name, expansion: request.expansion
    ) { report.objects($0) }
    var history = stream
    history.knownFields = due.table.fields.map(\.name)
    let earlier = try await reader.read(
      history, stream.history.filter { !taken.contains($0.id) }, into: "raw.earlier_\(due.index)",
      index: due.index + Self.earlierRejects)
    try await session.run(Self.setOrdinals)
    for statement in StreamViews.currentStatements(due: due.table, earlier: earlier.table, names: names) {
      try await session.run(statement)
    }
  }

  /// Rejects of earlier raw are kept apart: the run that brought it has quarantined them.
  private static let earlierRejects = 1_000_000

  private func createPrevious() async throws {
    let name = "previous.\(quoteIdentifier(step.name))"
    if !request.previous.files.isEmpty {
      return try await session.run("create view \(name) as \(request.previous.select())")
    }
    guard !step.columns.isEmpty else {
      throw StageFailure(
        code: "previous_missing", message: "dataset \(step.name): there is no snapshot before the first",
        hint: "write `columns`, so that previous.\(step.name) has a shape when it is empty", at: "\(step.place)")
    }
    let columns = step.columns.map { "\(quoteIdentifier($0.name)) \($0.mask == nil ? $0.type.duckDBName : "VARCHAR")" }
    try await session.run("create table \(name) (\(columns.joined(separator: ", ")))")
  }

  /// What changed in the fields since the deliveries before.
  ///
  /// - Throws: ``StageFailure`` `schema_drift` where the step's `drift` says so.
  func drift(of streams: [LoadedStream]) async throws -> [CurationEvent] {
    var events: [CurationEvent] = []
    for loaded in streams where !loaded.table.stream.objects.isEmpty {
      let stream = loaded.table.stream
      let known = stream.knownFields + stream.definition.columns.map(\.name)
      let found = Set(loaded.found.names.map { SQLName($0) })
      let isFirst = known.isEmpty
      let before = Set(known.map { SQLName($0) })
      let new = isFirst ? [] : loaded.found.names.filter { !before.contains(SQLName($0)) }
      var seen: Set<SQLName> = []
      let missing =
        found.isEmpty
        ? [] : known.filter { !found.contains(SQLName($0)) && seen.insert(SQLName($0)).inserted }
      events += new.map { CurationEvent(.newField, "stream \(stream.reference): the field \"\($0)\" is new") }
      events += loaded.found.extra.map {
        CurationEvent(.extraField, "stream \(stream.reference): rows have a field beyond `columns`, \($0)")
      }
      events += loaded.found.unusable.map {
        CurationEvent(
          .unusableField,
          "stream \(stream.reference): the field \"\(FieldName.shown($0))\" cannot be a column; its values stay in _record"
        )
      }
      events += missing.map {
        CurationEvent(.missingField, "stream \(stream.reference): the field \"\($0)\" is not in this delivery")
      }
      try refuse(step.drift.newColumn == .fail ? new + loaded.found.extra : [], "new", in: stream)
      try refuse(step.drift.missingColumn == .fail ? missing : [], "missing", in: stream)
    }
    return events
  }

  private func refuse(_ fields: [String], _ what: String, in stream: CurationStream) throws {
    guard let first = fields.first else { return }
    throw StageFailure(
      code: "schema_drift", message: "stream \(stream.reference): the field \"\(first)\" is \(what)",
      hint: "adapt the dataset, or change its `drift`; the raw stays due", at: "\(step.place)")
  }

  func fields(of streams: [LoadedStream]) -> [StreamReference: [String]] {
    Dictionary(uniqueKeysWithValues: streams.map { ($0.table.stream.reference, $0.found.names) })
  }

  func recordsByObject(_ streams: [LoadedStream]) async throws -> [Int64: Int] {
    var records: [Int64: Int] = [:]
    for loaded in streams {
      for object in loaded.table.stream.objects { records[object.id] = 0 }
      for row in try await session.rows(Accounting.recordsByObject(loaded.table, index: loaded.index)) {
        guard let id = row["id"]?.int, let count = row["n"]?.int else { continue }
        records[Int64(id)] = count
      }
    }
    return records
  }
}
