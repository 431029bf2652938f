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
    checkKey(node, of: entry)
    checkDeletes(node)
    checkAppend(node)
    guard let from = node.text("from"), let mode = node.choice("mode", as: LoadTable.Mode.self) else { return nil }
    return LoadTable(
      schema: schema, table: name.table, from: from, mode: mode, key: node.texts("key"),
      deletes: deletes(node["deletes"]),
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

  private mutating func checkKey(_ node: YAMLNode, of entry: YAMLEntry) {
    let dataset = node.text("from").flatMap { datasets[$0] }
    if node.text("mode") == "merge", node["key"] == nil, let mode = node["mode"] {
      let key = dataset.flatMap { $0.from.count == 1 ? streams[$0.from[0]]?.key : nil } ?? []
      add(
        "missing_key", at: mode.place, "merge needs a key: \"\(entry.key)\" has none",
        "add key: [\(key.isEmpty ? "id" : key.joined(separator: ", "))]")
    }
    guard let dataset else { return }
    for field in node.oneOrMore("key") { checkColumn(field, of: dataset) }
  }

  private mutating func checkDeletes(_ node: YAMLNode) {
    guard let deletes = node.entry("deletes") else { return }
    if let mode = node.text("mode"), ["append", "replace"].contains(mode) {
      add(
        "deletes", at: deletes.place, "deletes belongs to merge; the mode is \(mode)", "remove it, or write mode: merge"
      )
    }
    let from = node.text("from").flatMap { datasets[$0] }?.from ?? []
    guard let partial = from.first(where: { readMode(of: $0) == .incremental }) else { return }
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
