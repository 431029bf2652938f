extension PipelineBuilder {
  mutating func curateSteps() -> [CurateStep] {
    var steps: [CurateStep] = []
    for entry in definition["curate"]?.entries ?? [] {
      let step = curateStep(entry)
      datasets[step.name] = step
      steps.append(step)
    }
    return steps
  }

  private mutating func curateStep(_ entry: YAMLEntry) -> CurateStep {
    let node = entry.value
    let columns = (node["columns"]?.entries ?? []).compactMap { contractColumn($0) }
    let step = CurateStep(
      name: entry.key, from: from(entry), sqlPath: node.text("sql"), key: node.texts("key"),
      replaces: node.texts("replaces"), over: node.choice("over"),
      columns: columns,
      extra: node.choice("extra") ?? .fail,
      drift: DriftPolicy(
        newColumn: node["drift"]?.choice("new_column") ?? .keepInRaw,
        missingColumn: node["drift"]?.choice("missing_column") ?? .event,
        typeChange: node["drift"]?.choice("type_change") ?? .quarantine),
      badRows: BadRowsPolicy(stopOver: node["bad_rows"]?.share("stop_over")), minRows: node.integer("min_rows"),
      checks: checks(node["checks"]),
      partitionBy: partitions(node["partition_by"], columns: columns), files: fileLayout(node["files"]),
      nativeTypes: Set(["uuid", "time", "json"].filter { node["parquet"]?.text($0) == "native" }),
      references: references(node), place: entry.place)
    if step.sqlPath == nil, node["sql"] == nil, node.oneOrMore("from").count > 1, let place = node.entry("from")?.place
    {
      add(
        "missing_key", at: place, "the dataset \"\(entry.key)\" is made from several streams without a SELECT",
        "add sql: sql/\(entry.key).sql")
    }
    if let over = node.entry("over"), node["sql"] == nil {
      add("over", at: over.place, "over says which rows a SELECT sees, and there is none", "remove it, or add sql")
    }
    checkFields(of: step, node)
    return step
  }

  /// The contract's columns are all that the dataset has, with a SELECT too.
  private mutating func checkFields(of step: CurateStep, _ node: YAMLNode) {
    let checks = (node["checks"]?.elements ?? []).flatMap { $0.oneOrMore("unique") }
    let partitions = (node["partition_by"]?.entries ?? []).flatMap { node["partition_by"]?.oneOrMore($0.key) ?? [] }
    let names = node.oneOrMore("key") + node.oneOrMore("replaces") + checks + partitions
    for field in names + (node["files"]?.oneOrMore("sort") ?? []) { checkColumn(field, of: step) }
    checkReplaces(of: step, node)
    checkReferences(of: step, node)
    checkMasks(of: step, node)
  }

  /// A parent is named by a part of its rows' key.
  private mutating func checkReplaces(of step: CurateStep, _ node: YAMLNode) {
    guard let replaces = node.entry("replaces"), !step.replaces.isEmpty else { return }
    if step.key.isEmpty {
      add(
        "replaces", at: replaces.place, "replaces needs a key: what identifies one of a parent's rows",
        "add key: [\(step.replaces.joined(separator: ", ")), …]")
    } else if let other = step.replaces.first(where: { !step.key.contains($0) }) {
      add(
        "replaces", at: replaces.place, "\"\(other)\" of replaces is not a part of the key",
        "add it to key: [\(step.key.joined(separator: ", "))]")
    } else if step.key.allSatisfy(step.replaces.contains) {
      add(
        "replaces", at: replaces.place, "replaces names the whole key, so that a parent has one row",
        "remove it: the latest row of a key wins")
    }
  }

  /// SQL does not tell names by their case.
  mutating func checkColumn(_ field: YAMLNode, of dataset: CurateStep) {
    guard let name = field.text, !dataset.columns.isEmpty else { return }
    let known = dataset.columns.map(\.name)
    guard !known.contains(where: { $0.lowercased() == name.lowercased() }) else { return }
    let suggestion = Self.didYouMean(name, among: known, else: "add it to the columns of \"\(dataset.name)\"")
    add("unknown_column", at: field.place, "the dataset \"\(dataset.name)\" has no column \"\(name)\"", suggestion)
  }

  private mutating func from(_ dataset: YAMLEntry) -> [StreamReference] {
    let known = streamNames
    var references: [StreamReference] = []
    for node in dataset.value.oneOrMore("from") {
      guard let text = node.text, let reference = try? NameText.stream(text) else { continue }
      guard known.contains(reference) else {
        let candidates = known.map(\.description)
        let short = known.filter { $0.stream == reference.stream }
        let fallback = candidates.isEmpty ? nil : "streams: \(candidates.joined(separator: ", "))"
        let suggestion = short.count == 1 ? "did you mean \"\(short[0])\"?" : nil
        add(
          "unknown_stream", at: node.place, "there is no stream \"\(text)\"",
          suggestion ?? Self.didYouMean(text, among: candidates, else: fallback))
        continue
      }
      if references.contains(reference) {
        add("duplicate_name", at: node.place, "the stream \"\(text)\" is listed twice", "remove one of the two")
        continue
      }
      if streams[reference]?.records == .bytes {
        add(
          "wrong_format", at: node.place, "the stream \"\(text)\" is kept as bytes and has no records",
          "give its records another format, or leave it out")
      }
      references.append(reference)
    }
    return references
  }

  private mutating func contractColumn(_ entry: YAMLEntry) -> ContractColumn? {
    let node = entry.value
    if let text = node.text {
      return (try? ColumnTypeText.columnType(text)).map {
        ContractColumn(name: entry.key, type: $0, place: entry.place)
      }
    }
    guard let type = node.columnType("type") else { return nil }
    var column = ContractColumn(
      name: entry.key, type: type, required: node.boolean("required") ?? false,
      optional: node.boolean("optional") ?? false, min: node.text("min"),
      max: node.text("max"), oneOf: node["one_of"]?.elements.compactMap(\.text) ?? [], pattern: node.text("pattern"),
      sourceTimezone: node.text("source_timezone"), isLossy: node.text("lossy") == "allow", place: entry.place)
    if node.text("mask") == Mask.Kind.sha256.rawValue {
      column.mask = Mask(kind: .sha256, salt: node.template("salt", in: .none))
    }
    column.isMaskedInCopies = node["mask"] != nil
    check(column, node)
    return column
  }

  /// What does not go together in a column's contract.
  private mutating func check(_ column: ContractColumn, _ node: YAMLNode) {
    let type = column.type
    if column.required, column.optional, let optional = node.entry("optional") {
      add("column", at: optional.place, "a required column cannot be absent", "remove required or optional")
    }
    if let zone = node.entry("source_timezone"), type.name != "timestamptz" {
      add(
        "column", at: zone.place, "source_timezone belongs to timestamptz; this column is \(type)",
        "remove it, or write type: timestamptz")
    }
    if let lossy = node.entry("lossy"), !["double", "real"].contains(type.name) {
      add(
        "column", at: lossy.place, "lossy belongs to double and real; this column is \(type)",
        "remove it: values of other types are never rounded")
    }
    for key in ["mask", "pattern"] where type != .text {
      guard let entry = node.entry(key), key != "mask" || entry.value.text != "copies" else { continue }
      add("column", at: entry.place, "\(key) belongs to text; this column is \(type)", "remove it, or write type: text")
    }
    checkMask(of: column, node)
    if let salt = node.entry("salt"), node.text("mask") != "sha256" {
      add("column", at: salt.place, "a salt without a mask does nothing", "add mask: sha256")
    }
    let bounds = ["min", "max"].compactMap { node.entry($0) }
    for bound in bounds {
      if !type.isNumber && !type.isTemporal {
        add("column", at: bound.place, "\(bound.key) belongs to numbers and times; this column is \(type)", "remove it")
      } else if type.isNumber, Double(bound.value.text ?? "") == nil {
        add("column", at: bound.value.place, "\(bound.key) is not a number", "write one")
      }
    }
    if type.isNumber, bounds.count == 2, let min = column.min.flatMap(Double.init),
      let max = column.max.flatMap(Double.init),
      min > max
    {
      add("column", at: bounds[1].place, "max is less than min", "exchange the two")
    }
  }

  private func checks(_ node: YAMLNode?) -> [DatasetCheck] {
    (node?.elements ?? []).compactMap { check in
      let rule: DatasetCheck.Rule
      if check["unique"] != nil {
        rule = .unique(check.texts("unique"))
      } else if let text = check[path: "rows", "change_from_last_run"]?.text, let range = try? MeasureText.change(text)
      {
        rule = .rowsChange(range)
      } else if let sql = check.text("sql"), let expected = check.anyText("expect") {
        rule = .sql(sql, expect: expected)
      } else {
        return nil
      }
      return DatasetCheck(rule: rule, severity: check.choice("severity") ?? .fail, place: check.place)
    }
  }

  private mutating func partitions(_ node: YAMLNode?, columns: [ContractColumn]) -> [Partition] {
    var partitions: [Partition] = []
    for entry in node?.entries ?? [] {
      guard let transform = Partition.Transform(rawValue: entry.key) else { continue }
      for value in node?.oneOrMore(entry.key) ?? [] {
        guard let name = value.text else { continue }
        if transform != .value, let column = columns.first(where: { $0.name == name }), !column.type.isTemporal {
          add(
            "partition", at: value.place, "\"\(name)\" is \(column.type), which has no \(entry.key)",
            "write value: \(name), or a column of type date, timestamp or timestamptz")
        }
        partitions.append(Partition(transform: transform, column: name))
      }
    }
    return partitions
  }

  private func fileLayout(_ node: YAMLNode?) -> FileLayout {
    let standard = FileLayout()
    return FileLayout(targetBytes: node?.byteCount("target") ?? standard.targetBytes, sort: node?.texts("sort") ?? [])
  }
}
