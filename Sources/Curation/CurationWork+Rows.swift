import DuckDB
import JobModel
import PipelineDefinition

/// The SELECT, the contract and the counts.
extension CurationWork {
  /// Decides what runs: the author's SELECT, with each row's place in raw added where its rows are records.
  ///
  /// - Parameter isRowByRow: Else a dataset that is computed from everything has no equation of its rows.
  func select(
    _ streams: [LoadedStream], _ statement: SelectStatement?, isRowByRow: Bool
  ) async throws -> Selection {
    guard let statement else { return try await selectAsIs(streams) }
    let names = StreamViews.names(of: streams.map(\.table.stream.reference))
    var byName: [SQLName: LoadedStream] = [:]
    for loaded in streams {
      for name in names[loaded.table.stream.reference] ?? [] { byName[SQLName(name)] = loaded }
    }
    let readNames = Set(statement.tables.filter { $0.schema.isEmpty }.map { SQLName($0.table) })
    let readIndexes = Set(readNames.compactMap { byName[$0]?.index })
    let read = streams.filter { readIndexes.contains($0.index) }
    let rules = CurationLint.Rules.dataset(request.streams.map(\.reference), previous: [step.name])
    let check: SelectStatement.Check = { [session] in try await CurationLint.refuse($0, rules, session) }
    let plain = try await statement.text(session, check: check)
    let columns = try await session.columns(of: plain)
    if let inner = columns.first(where: { SystemColumn.isInner($0.name) }) {
      throw StageFailure(
        code: "column_reserved", message: "dataset \(step.name): \"\(inner.name)\" is a name of Sluice's own",
        hint: "give the SELECT's column another name", at: "\(step.place)")
    }
    guard isRowByRow || step.over != .all, let table = statement.rowByRowSource(among: Set(byName.keys)),
      let source = byName[SQLName(table.table)]
    else { return selection(plain, columns, source: nil, read: read) }

    let given = Set(columns.map { SQLName($0.name) })
    let wanted = place(of: source)
    if wanted.allSatisfy({ given.contains(SQLName($0)) }) {
      return selection(plain, columns, source: source, read: read)
    }
    guard !wanted.contains(where: { given.contains(SQLName($0)) }) else {
      return selection(plain, columns, source: nil, read: read)
    }
    let added = try await statement.adding(columns: wanted, of: table, session, check: check)
    // An aggregate without GROUP BY is only told from other functions when the statement is bound.
    guard (try? await session.columns(of: added)) != nil else {
      return selection(plain, columns, source: nil, read: read)
    }
    return selection(added, columns, source: source, read: read, isProjection: statement.isProjection)
  }

  private func place(of source: LoadedStream) -> [String] {
    [SystemColumn.object, SystemColumn.position]
      + (source.table.stream.definition.cursor == nil ? [] : [SystemColumn.cursor])
  }

  private func selectAsIs(_ streams: [LoadedStream]) async throws -> Selection {
    guard streams.count == 1, let source = streams.first else {
      throw StageFailure(
        code: "sql_missing", message: "dataset \(step.name) is made from \(streams.count) streams and has no SQL",
        hint: "write `sql: sql/\(step.name).sql`", at: "\(step.place)")
    }
    let contract = Set(step.columns.map { SQLName($0.name) })
    let fields = source.table.fields.map(\.name).filter { contract.isEmpty || contract.contains(SQLName($0)) }
    let list = (fields + place(of: source)).map(quoteIdentifier).joined(separator: ", ")
    let text = "select \(list) from main.\(quoteIdentifier(source.table.stream.reference.description))"
    return selection(text, try await session.columns(of: text), source: source, read: [source], isProjection: true)
  }

  private func selection(
    _ text: String, _ columns: [DuckDBTable.Column], source: LoadedStream?, read: [LoadedStream],
    isProjection: Bool = false
  ) -> Selection {
    let contract = Set(step.columns.map { SQLName($0.name) })
    let own = columns.filter { !SystemColumn.isReserved($0.name) || contract.contains(SQLName($0.name)) }
    let plan = ContractPlan(
      columns: step.columns, selected: own, salts: request.salts, carriesPositions: source != nil,
      cursorIsCarried: source?.table.stream.definition.cursor != nil,
      notNull: request.edition >= .exact ? step.key + request.loadKeys : [],
      isLoaded: request.isLoaded && request.edition >= .exact, hasExactLimits: request.edition >= .exact)
    return Selection(text: text, plan: plan, source: source, read: read, isProjection: isProjection)
  }

  /// The stream's key under the names that the dataset has; empty where it has not all of it.
  /// The dataset's own key comes first.
  func accounting(for selection: Selection) throws -> Accounting {
    let plan = selection.plan
    func columns(_ names: [String]) -> [String] {
      names.compactMap { name in plan.outputNames.first { SQLName($0) == SQLName(name) } }
    }
    let wanted = step.key.isEmpty ? selection.source?.table.stream.definition.key ?? [] : step.key
    let key = columns(wanted)
    return Accounting(
      key: key.count == wanted.count ? key : [], cursorIsCarried: plan.cursorIsCarried,
      replaces: key.count == wanted.count ? columns(step.replaces) : [], carriesPositions: plan.carriesPositions)
  }

  /// Rows whose keys are in memory at a time, for each of its bytes: the hash tables of a join, a grouping and a sort.
  private static let bytesPerKeyedRow = 500

  /// Whether equal keys have equal hashes: not under a collation, and not as variants.
  private static let hashesAsItCompares = """
    select not regexp_matches(sql, '(?i) collate |variant') as n from duckdb_tables()
    where schema_name || '.' || table_name = '\(ContractPlan.table)'
    """

  func findLosers(_ accounting: Accounting) async throws {
    let rows =
      accounting.findsLosers
      ? try await session.value("select count(*) as n from \(ContractPlan.table)").int ?? 0 : 0
    let most = max(1, request.limits.memoryBytes / Self.bytesPerKeyedRow)
    let parts = rows <= most ? 1 : try await session.value(Self.hashesAsItCompares).bool == true ? 1 + rows / most : 1
    for statement in accounting.findLosers(parts: parts) { try await session.run(statement) }
  }

  /// The column that orders the versions of a row; nil where the dataset does not have it, or only its hash.
  func cursor(of selection: Selection) -> DatasetCursor? {
    guard let cursor = selection.source?.table.stream.definition.cursor,
      let field = selection.plan.outputNames.first(where: { SQLName($0) == SQLName(cursor.field) }),
      !step.columns.contains(where: { SQLName($0.name) == SQLName(field) && $0.mask != nil })
    else { return nil }
    return DatasetCursor(field: field, type: cursor.type)
  }

  /// Refuses a batch with too many bad rows, or with too few rows left. One that brought nothing is neither.
  ///
  /// Bad rows that the run before quarantined already do not count: a row at the edge of an inclusive cursor comes with every read.
  ///
  /// - Throws: ``StageFailure`` `schema_drift`, `stop_over` or `min_rows`.
  func refuseBadBatch(_ counts: CurationCounts, _ quarantine: Quarantine) async throws {
    if step.drift.typeChange == .fail {
      let changed = try await session.value(Self.typeReasons).text
      if let changed {
        throw StageFailure(
          code: "schema_drift", message: "dataset \(step.name): values of \(changed) are not of its type",
          hint: "adapt the dataset, or write `drift: {type_change: quarantine}`; the raw stays due", at: "\(step.place)"
        )
      }
    }
    guard step.badRows.stopOver != nil || step.minRows != nil else { return }
    var known = 0
    if counts.quarantined > 0, let path = request.previous.quarantine {
      known = try await session.value(quarantine.known(in: path)).int ?? 0
    }
    let (bad, all) = (counts.quarantined - known, counts.rowsIn - known)
    if let limit = step.badRows.stopOver, Double(bad) > limit * Double(all) {
      throw StageFailure(
        code: "stop_over",
        message: "dataset \(step.name): \(bad) of \(all) rows are bad, more than `stop_over` "
          + "allows: \(try await commonReasons())",
        hint: "nothing was committed and the raw stays due; fix the source or the contract", at: "\(step.place)")
    }
    if let minimum = step.minRows, all > 0, counts.rowsOut < minimum {
      let reasons = counts.quarantined > 0 ? ": \(try await commonReasons())" : ""
      throw StageFailure(
        code: "min_rows",
        message:
          "dataset \(step.name): of \(counts.rowsIn) rows \(counts.rowsOut) are left, fewer than `min_rows`\(reasons)",
        hint: "nothing was committed and the raw stays due; fix the SQL or the contract, or lower `min_rows`",
        at: "\(step.place)")
    }
  }

  /// Why rows broke the contract, in the order of the reasons' bytes.
  func badReasons() async throws -> [BadReason] {
    try await session.rows(
      """
      select reason, count(*) as n from (select unnest(_reasons) as reason from \(ContractPlan.bad))
      group by all order by reason
      """
    ).compactMap { row in row["reason"]?.text.map { BadReason(reason: $0, rows: row["n"]?.int ?? 0) } }
  }

  /// What a target could not store of the rows in quarantine, by column, with what to do about it.
  static func unstorable(_ reasons: [BadReason], dataset: String) -> [CurationEvent] {
    reasons.compactMap { bad in
      let text = bad.reason
      guard let colon = text.unicodeScalars.lastIndex(of: ":") else { return nil }
      let column = String(text[..<colon])
      let reason = String(text.unicodeScalars[text.unicodeScalars.index(after: colon)...])
      guard let hint = StorageRule.hint(reason, column: column) else { return nil }
      return CurationEvent(
        .unstorableValue, "dataset \(dataset): \(bad.rows) rows are in quarantine for \(text); \(hint)")
    }
  }

  private static let allReasons = """
    select unnest(reasons) as reason from raw.rejects where stream < 1000000
    union all select unnest(_reasons) from \(ContractPlan.bad)
    """
  private static let typeReasons = """
    select any_value(reason) as reason from (\(allReasons)) where suffix(reason, ':type')
    """

  /// The reasons with the most rows, names and numbers only.
  private func commonReasons() async throws -> String {
    let rows = try await session.rows(
      "select reason, count(*) as n from (\(Self.allReasons)) group by all order by n desc, reason limit 5")
    return rows.map { "\($0["reason"]?.text ?? "") (\($0["n"]?.int ?? 0))" }.joined(separator: ", ")
  }
}
