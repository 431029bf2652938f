extension PipelineBuilder {
  /// Where Sluice keeps its own tables; a control database may itself be a target.
  private static let ownSchemas = ["sluice", "sluice_ledger"]

  mutating func loadTargets() -> [LoadTarget] {
    var targets: [LoadTarget] = []
    for entry in definition["load"]?.entries ?? [] {
      var tables: [LoadTable] = []
      for table in entry.value["tables"]?.entries ?? [] {
        guard let built = loadTable(table) else { continue }
        if let first = tables.first(where: { $0.schema == built.schema && $0.table == built.table }) {
          add(
            "duplicate_name", at: table.place,
            "the table \"\(built.schema).\(built.table)\" is loaded twice; it is on line \(first.place.line) already",
            "remove one of the two")
        }
        tables.append(built)
      }
      guard let url = entry.value["postgres"]?.template("url", in: .environment) else { continue }
      targets.append(
        LoadTarget(
          name: entry.key, kind: .postgres(url: url), concurrency: entry.value["limits"]?.integer("concurrency"),
          tables: tables, place: entry.place))
    }
    return targets
  }

  private mutating func loadTable(_ entry: YAMLEntry) -> LoadTable? {
    let node = entry.value
    guard let name = try? NameText.table(entry.key) else { return nil }
    let schema = name.schema ?? LoadTable.defaultSchema
    if Self.ownSchemas.contains(schema) {
      add(
        "own_schema", at: entry.place, "the schema \"\(schema)\" belongs to Sluice's own tables",
        "choose another schema")
    }
    checkDataset(node)
    checkNames(node)
    checkKey(node, of: entry)
    checkReplace(node)
    checkDeletes(node)
    checkAppend(node)
    checkApply(node)
    guard let from = node.text("from"), let mode = node.choice("mode", as: LoadTable.Mode.self) else { return nil }
    return LoadTable(
      schema: schema, table: name.table, from: from, mode: mode,
      key: node["key"] == nil && mode == .merge ? datasets[from]?.key ?? [] : node.texts("key"),
      deletes: deletes(node["deletes"]), apply: node.choice("apply", as: LoadTable.Apply.self) ?? .once,
      place: entry.place)
  }

  private func deletes(_ node: YAMLNode?) -> LoadTable.Deletes? {
    if let kind = node?.text.flatMap(LoadTable.Deletes.Kind.init(rawValue:)) { return LoadTable.Deletes(kind: kind) }
    guard let kind = node?.choice("kind", as: LoadTable.Deletes.Kind.self) else { return nil }
    return LoadTable.Deletes(kind: kind, stopOver: node?.share("stop_over"))
  }

  private mutating func checkDataset(_ node: YAMLNode) {
    guard let from = node["from"], let name = from.text, datasets[name] == nil else { return }
    let known = (definition["curate"]?.entries ?? []).map(\.key)
    let fallback = known.isEmpty ? "add it under curate" : "datasets: \(known.joined(separator: ", "))"
    let suggestion = Self.didYouMean(name, among: known, else: fallback)
    add("unknown_dataset", at: from.place, "there is no dataset \"\(name)\"", suggestion)
  }

  /// PostgreSQL would cut a longer name, and then not find it.
  private mutating func checkNames(_ node: YAMLNode) {
    let columns = node.text("from").flatMap { datasets[$0] }?.columns ?? []
    for column in columns where column.name.utf8.count > 63 {
      add(
        "column_name", at: column.place,
        "the column \"\(column.name)\" has \(column.name.utf8.count) bytes, and a name in PostgreSQL at most 63",
        "give it a shorter name")
    }
  }

  private mutating func checkKey(_ node: YAMLNode, of entry: YAMLEntry) {
    let dataset = node.text("from").flatMap { datasets[$0] }
    if node.text("mode") == "merge", node["key"] == nil, dataset?.key.isEmpty ?? true, let mode = node["mode"] {
      let key = dataset.flatMap { $0.from.count == 1 ? streams[$0.from[0]]?.key : nil } ?? []
      add(
        "missing_key", at: mode.place, "merge needs a key: \"\(entry.key)\" has none",
        "add key: [\(key.isEmpty ? "id" : key.joined(separator: ", "))]")
    }
    guard let dataset else { return }
    for field in node.oneOrMore("key") { checkColumn(field, of: dataset) }
  }

  /// Replacing a table by one snapshot of an incremental dataset would lose the other snapshots.
  private mutating func checkReplace(_ node: YAMLNode) {
    guard node.text("mode") == "replace", let mode = node["mode"],
      let dataset = node.text("from").flatMap({ datasets[$0] }), dataset.over != .all,
      let partial = dataset.from.first(where: { readMode(of: $0) == .incremental })
    else { return }
    add(
      "replace_needs_full", at: mode.place,
      "replace needs a full dataset: \"\(partial)\" is read incrementally, so a snapshot of \"\(dataset.name)\" has new rows only",
      "write mode: merge with a key, mode: append, read: full on the stream, or over: all on the dataset")
  }

  private mutating func checkDeletes(_ node: YAMLNode) {
    guard let deletes = node.entry("deletes") else { return }
    if let mode = node.text("mode"), ["append", "replace"].contains(mode) {
      add(
        "deletes", at: deletes.place, "deletes belongs to merge; the mode is \(mode)", "remove it, or write mode: merge"
      )
    }
    let dataset = node.text("from").flatMap { datasets[$0] }
    let from = dataset?.from ?? []
    guard dataset?.over != .all, let partial = from.first(where: { readMode(of: $0) == .incremental }) else { return }
    if from.contains(where: { readMode(of: $0) == .full }) {
      return later(
        at: deletes.place,
        "deletes of a dataset of full and incremental streams (\"\(partial)\") are not supported yet",
        "write read: full on every stream, or remove deletes")
    }
    add(
      "deletes", at: deletes.place,
      "deletes compares full reads, and \"\(partial)\" is read incrementally: what is not in a read is not gone",
      "write read: full on the stream, or remove deletes")
  }

  /// A lag reads records again, and an append would keep them twice.
  private mutating func checkApply(_ node: YAMLNode) {
    if node.text("apply") == "per_chunk", let apply = node["apply"],
      let dataset = node.text("from").flatMap({ datasets[$0] }), !dataset.replaces.isEmpty
    {
      add(
        "apply_with_replaces", at: apply.place,
        "per_chunk is not possible for \"\(dataset.name)\", whose files hold marks of parents without rows (replaces)",
        "remove apply")
    }
    guard node.text("apply") == "per_chunk", let mode = node.text("mode"), mode != "append", let apply = node["apply"]
    else { return }
    add(
      "apply_without_append", at: apply.place,
      "per_chunk goes with mode: append; \(mode) makes all rows visible at once",
      "write apply: once, or mode: append")
  }

  private mutating func checkAppend(_ node: YAMLNode) {
    guard node.text("mode") == "append", let mode = node["mode"],
      let dataset = node.text("from").flatMap({ datasets[$0] })
    else { return }
    guard let late = dataset.from.first(where: { (streams[$0]?.cursor?.lag ?? .zero) > .zero }) else { return }
    add(
      "append_with_lag", at: mode.place,
      "append would double rows: the cursor of \"\(late)\" has a lag and reads some again",
      "write mode: merge with a key, or remove the lag")
  }
}
