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

  /// Whether each row of the SELECT's result comes from one record, whatever other records there are.
  ///
  /// - Throws: ``StageFailure`` `over_missing` where it does not, and the step does not say which rows it means.
  func isRowByRow(_ statement: SelectStatement?) async throws -> Bool {
    guard let statement else { return true }
    let streams = request.streams.map { (reference: $0.reference, read: $0.definition.read) }
    guard case .together(let what) = try await CurationLint.origin(of: statement, streams: streams, session) else {
      return true
    }
    guard step.over == nil, request.edition >= .exact else { return false }
    let (message, hint) = CurationLint.overMissing(what)
    throw StageFailure(
      code: "over_missing", message: "dataset \(step.name): \(message)", hint: hint, at: "\(step.place)")
  }

  /// Reads what is due of every stream, and finds records that break their stream's own types.
  func readStreams(_ statement: SelectStatement?, isRowByRow: Bool) async throws -> [LoadedStream] {
    let report = report
    let readsFiles = readsFiles(statement)
    let reader = StreamReader(
      session: session, scratch: request.scratchLimit, expansion: request.expansion, threads: request.limits.threads,
      keepsRecords: readsRecords(statement), readsFiles: readsFiles,
      sampledRows: readsFiles && !step.partitionBy.isEmpty ? Self.sampledRows : 0
    ) { report.objects($0) }
    var streams: [LoadedStream] = []
    for (index, stream) in request.streams.enumerated() {
      let name = "raw.due_\(index)"
      guard isLatest(stream.definition, isRowByRow: isRowByRow), stream.keepsSegments else {
        streams.append(try await reader.read(stream, stream.objects, into: name, index: index))
        continue
      }
      let history = try await history(of: stream, statement, keepsBad: true)
      streams.append(try await reader.read(history, without: [], stream, into: name, index: index))
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

  /// Whether the records are read so few times that they may stay in the reader's files: the SELECT is columns and a filter of one
  /// stream, and nothing else looks at them again.
  private func readsFiles(_ statement: SelectStatement?) -> Bool {
    guard request.streams.count == 1, step.replaces.isEmpty, statement?.isProjection ?? true else { return false }
    let isTyped = request.streams[0].definition.columns.contains { $0.type != nil && $0.type != .text }
    let isLatest = step.over == .all && !request.streams[0].definition.key.isEmpty
    return !isTyped && !isLatest && statement?.tables.allSatisfy { $0.schema.isEmpty } ?? true
  }

  /// Whether the text of JSON records is needed: the SELECT reads it, or the contract has it as a column.
  private func readsRecords(_ statement: SelectStatement?) -> Bool {
    statement?.mayRead(SystemColumn.record)
      ?? step.columns.contains { SQLName($0.name) == SQLName(SystemColumn.record) }
  }

  var hidesValues: Bool { step.columns.contains { $0.mask != nil } }

  /// Creates the views that SQL sees; `current.STREAM` and `previous.DATASET` only where the statement reads them.
  ///
  /// Computed from everything, a stream with a key is seen as its latest rows: an older version of a row is no row of its own.
  ///
  /// - Returns: Streams of which earlier records were read.
  func createViews(
    _ streams: [LoadedStream], _ statement: SelectStatement?, isRowByRow: Bool
  ) async throws -> [ReadHistory] {
    var histories: [ReadHistory] = []
    let names = StreamViews.names(of: streams.map(\.table.stream.reference))
    let tables = statement?.tables ?? []
    for loaded in streams {
      let own = names[loaded.table.stream.reference] ?? []
      let absent = absentFields(of: loaded, statement, names: own)
      let stream = loaded.table.stream
      let isLatest = isLatest(stream.definition, isRowByRow: isRowByRow)
      let table = isLatest ? needed(loaded.table, statement) : loaded.table
      if isLatest, stream.keepsSegments {
        let history = try await history(of: stream, statement, keepsBad: true)
        histories.append(ReadHistory(history: history, earlier: loaded, tables: [loaded.table]))
      }
      for statement in StreamViews.statements(table, names: own, absent: absent, isLatest: isLatest) {
        try await session.run(statement)
      }
      let mentioned = tables.contains { table in
        table.schema.lowercased() == "current" && own.contains { SQLName($0) == SQLName(table.table) }
      }
      if mentioned {
        let history = try await createCurrent(loaded, statement, names: own, absent: absent)
        if step.over != .all, stream.keepsSegments { histories.append(history) }
      }
    }
    if tables.contains(where: { $0.schema.lowercased() == "previous" }) { try await createPrevious() }
    return histories
  }

  /// Whether a stream is seen as its latest rows.
  private func isLatest(_ stream: PipelineDefinition.Stream, isRowByRow: Bool) -> Bool {
    step.over == .all && !isRowByRow && stream.read == .incremental && !stream.key.isEmpty
  }

  /// What a stream brought, as this dataset needs it.
  private func history(
    of stream: CurationStream, _ statement: SelectStatement?, keepsBad: Bool
  ) async throws -> StreamHistory {
    let isTyped = stream.definition.columns.contains { $0.type != nil && $0.type != .text }
    let isJSON = if case .csv = stream.definition.records { false } else { true }
    let shape = HistoryShape(
      keepsRecords: isJSON && (readsRecords(statement) || keepsBad && isTyped), keepsBad: keepsBad)
    let version = try await session.constantRows("select version() as v").first?["v"]?.text ?? ""
    return StreamHistory(stream, shape: shape, engine: version)
  }

  /// What a SELECT reads of a stream that has delivered nothing yet: an empty delivery is no reason to fail.
  private func absentFields(of loaded: LoadedStream, _ statement: SelectStatement?, names: [String]) -> [String] {
    guard let statement, isUnknown(loaded) else { return [] }
    var taken: Set<SQLName> = []
    return (loaded.table.stream.definition.key + statement.fieldsRead(from: Set(names.map(SQLName.init)))).filter {
      !SystemColumn.isReserved($0) && taken.insert(SQLName($0)).inserted
    }
  }

  /// Whether a view of a stream's latest rows needs a field: the key and the cursor decide which rows these are, a field with a type
  /// which records are good, and the SELECT reads the others or does not.
  private static func needs(
    _ field: RecordTable.Field, of stream: PipelineDefinition.Stream, _ statement: SelectStatement?
  ) -> Bool {
    let name = SQLName(field.name)
    return stream.key.contains { SQLName($0) == name } || stream.cursor.map { SQLName($0.field) == name } ?? false
      || field.type != nil && field.type != .text || statement?.mayRead(field.name) ?? true
  }

  private func needed(_ table: RecordTable, _ statement: SelectStatement?) -> RecordTable {
    var table = table
    table.fields.removeAll { !Self.needs($0, of: table.stream.definition, statement) }
    return table
  }

  private func createCurrent(
    _ due: LoadedStream, _ statement: SelectStatement?, names: [String], absent: [String]
  ) async throws -> ReadHistory {
    let stream = due.table.stream
    guard !stream.definition.key.isEmpty else {
      throw StageFailure(
        code: "key_missing", message: "dataset \(step.name): current.\(stream.reference.stream) needs the stream's key",
        hint: "write `key: […]` on the stream", at: "\(stream.definition.place)")
    }
    let taken = Set(stream.objects.map(\.id))
    let report = report
    var reader = StreamReader(
      session: session, scratch: request.scratchLimit, expansion: request.expansion, threads: request.limits.threads,
      keepsRecords: readsRecords(statement)
    ) { report.objects($0) }
    reader.keeps = { Self.needs($0, of: stream.definition, statement) }
    var known = stream
    known.knownFields = due.table.fields.map(\.name)
    let history = try await history(of: known, statement, keepsBad: false)
    let earlier = try await reader.read(
      history, without: taken, known, into: "raw.earlier_\(due.index)", index: due.index + Self.earlierRejects)
    try await session.run(Self.setOrdinals)
    let own = needed(due.table, statement)
    for statement in StreamViews.currentStatements(due: own, earlier: earlier.table, names: names, absent: absent) {
      try await session.run(statement)
    }
    return ReadHistory(history: history, earlier: earlier, due: due, tables: [earlier.table, own])
  }

  /// Rejects of earlier raw are kept apart: the run that brought it has quarantined them.
  private static let earlierRejects = 1_000_000

  /// A dataset with a key of its own: its latest rows.
  private func createKeyedPrevious() async throws {
    let versions = request.previous.numbered
    let columns = try await session.columns(of: versions)
    let cursors = request.streams.compactMap { stream in
      stream.definition.cursor.map { DatasetCursor(field: $0.field, type: $0.type) }
    }
    try await session.run(
      DatasetChecks.view(
        of: step, versions: versions, columns: columns, key: step.key, replaces: step.replaces,
        cursor: cursors.count == 1 ? cursors.first : nil, schema: "previous"))
  }

  private func createPrevious() async throws {
    let name = "previous.\(quoteIdentifier(step.name))"
    if !request.previous.files.isEmpty, !step.key.isEmpty { return try await createKeyedPrevious() }
    if !request.previous.files.isEmpty {
      return try await session.run("create view \(name) as \(request.previous.all)")
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
  func drift(of streams: [LoadedStream]) throws -> [CurationEvent] {
    try streams.flatMap { try step.drift(of: $0.table.stream, $0.found) }
  }

  func fields(of streams: [LoadedStream]) -> [StreamReference: [String]] {
    Dictionary(uniqueKeysWithValues: streams.map { ($0.table.stream.reference, $0.found.names) })
  }

  func recordsByObject(_ streams: [LoadedStream]) -> [Int64: Int] {
    var records: [Int64: Int] = [:]
    for loaded in streams {
      let known = Set(loaded.past.objects.map(\.id))
      for object in loaded.table.stream.objects where !known.contains(object.id) {
        records[object.id] = loaded.records[object.id] ?? 0
      }
    }
    return records
  }
}
