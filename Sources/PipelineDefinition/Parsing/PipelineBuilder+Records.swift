extension PipelineBuilder {
  /// The format as it is written, else as the suffix of what is read tells it.
  mutating func records(_ stream: YAMLEntry) -> RecordFormat? {
    let node = stream.value
    guard let records = node["records"] else {
      if let format = Self.formatOfSuffix(node.text("get") ?? node.text("post") ?? node.text("match") ?? "") {
        return format
      }
      if node["get"] != nil || node["post"] != nil || node["match"] != nil {
        add(
          "missing_key", at: stream.place, "\"\(stream.key)\" does not say how its bytes become records",
          "add records: {format: json}, or csv, ndjson or bytes")
      }
      return nil
    }
    guard let format = records.text("format") else { return nil }
    refuseKeysOfOtherFormats(in: records, found: format)
    switch format {
    case "csv": return .csv(csv(records))
    case "json": return .json(path: records.text("path") ?? RecordFormat.defaultPath)
    case "ndjson": return .ndjson
    case "bytes":
      refuseFields(of: node)
      return .bytes
    default: return nil
    }
  }

  /// Of `max_record`; a line format's.
  mutating func maximumRecordBytes(_ stream: YAMLNode) -> Int {
    guard let records = stream["records"], let node = records["max_record"] else {
      return RecordFormat.defaultMaximumRecordBytes
    }
    let bytes = records.byteCount("max_record") ?? RecordFormat.defaultMaximumRecordBytes
    if bytes > RecordFormat.largestMaximumRecordBytes || bytes < 1 {
      add(
        "wrong_value", at: node.place, "a record may have from 1 byte to 64MB",
        "write max_record: 64MB, or split the records at their source")
    }
    return bytes
  }

  private mutating func refuseKeysOfOtherFormats(in records: YAMLNode, found: String) {
    for entry in records.entries {
      let formats = PipelineSchema.records.key(entry.key)?.recordFormats ?? []
      guard let format = formats.first, !formats.contains(found) else { continue }
      add(
        "wrong_format", at: entry.place,
        "\"\(entry.key)\" belongs to the format \(formats.joined(separator: " or ")); this one is \(found)",
        "remove it, or write format: \(format)")
    }
  }

  private mutating func refuseFields(of node: YAMLNode) {
    for entry in node.entries where ["key", "cursor", "columns"].contains(entry.key) {
      add("wrong_format", at: entry.place, "bytes have no fields, so \"\(entry.key)\" has no meaning", "remove it")
    }
  }

  private mutating func csv(_ node: YAMLNode) -> CSVFormat {
    let standard = CSVFormat()
    if let quote = node["quote"], quote.text == (node.text("delimiter") ?? standard.delimiter) {
      add("wrong_value", at: quote.place, "the quote is the delimiter", "choose another of the two")
    }
    return CSVFormat(
      header: node.boolean("header") ?? standard.header, delimiter: node.text("delimiter") ?? standard.delimiter,
      quote: node.text("quote") ?? standard.quote, escape: node.text("escape"),
      null: node.anyText("null") ?? standard.null, encoding: node.text("encoding") ?? standard.encoding,
      skip: node.integer("skip") ?? standard.skip)
  }

  private static func formatOfSuffix(_ path: String) -> RecordFormat? {
    var name = path.prefix { $0 != "?" }
    for packing in [".gz", ".zst"] where name.hasSuffix(packing) { name = name.dropLast(packing.count) }
    if name.hasSuffix(".csv") { return .csv(CSVFormat()) }
    if name.hasSuffix(".json") { return .json(path: RecordFormat.defaultPath) }
    return name.hasSuffix(".ndjson") || name.hasSuffix(".jsonl") ? .ndjson : nil
  }
}

extension RecordFormat {
  /// A document that is a list of records.
  package static let defaultPath = "$[*]"
}
