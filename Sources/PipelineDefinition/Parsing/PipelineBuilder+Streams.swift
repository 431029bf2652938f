import JobModel

extension PipelineBuilder {
  /// - Parameter source: The entry of the source that the stream is read from.
  mutating func stream(_ entry: YAMLEntry, of source: YAMLEntry) -> Stream? {
    let node = entry.value
    let cursor = cursor(node["cursor"])
    let columns = columns(node["columns"])
    let isHTTP = source.value["http"] != nil
    if isHTTP { checkPlaceholders(of: entry, in: source) }
    guard isHTTP || source.value["files"] != nil, let records = records(entry) else { return nil }
    if case .csv = records { checkFields(of: node, columns: columns) }
    checkPages(of: node, records: records)
    checkEnd(of: node)
    let request = isHTTP ? request(node) : nil
    let match = isHTTP ? nil : node.text("match")
    guard request != nil || match != nil else { return nil }
    return Stream(
      name: entry.key, was: node.text("was"), request: request, match: match, read: Self.readMode(of: node),
      records: records, maximumRecordBytes: maximumRecordBytes(node),
      key: node.texts("key"), cursor: cursor, columns: columns, fixesColumns: fixesColumns(node), place: entry.place)
  }

  /// How much of a stream a run reads, of kinds that come later too.
  func readMode(of reference: StreamReference) -> ReadMode? {
    definition[path: "sources", reference.source, "streams", reference.stream].map { Self.readMode(of: $0) }
  }

  private static func readMode(of stream: YAMLNode) -> ReadMode {
    switch stream.text("read") {
    case "full": .full
    case "new": .incremental
    default: stream["cursor"] == nil && stream["match"] == nil ? .full : .incremental
    }
  }

  private func request(_ node: YAMLNode) -> HTTPRequest? {
    let method = node["post"] == nil ? "GET" : "POST"
    guard let path = node.template(method.lowercased(), in: .request) else { return nil }
    let query = (node["query"]?.entries ?? []).compactMap { entry in
      entry.value.template(in: .request).map { (name: entry.key, value: $0) }
    }
    return HTTPRequest(
      method: method, path: path, query: query, body: node.template("body", in: .request),
      paginate: node["paginate"].map { pagination($0) } ?? .none,
      maxPages: node.integer("max_pages") ?? HTTPRequest.defaultMaxPages,
      redirects: node.choice("redirects") ?? .sameHost,
      end: Set(node.oneOrMore("end").compactMap { $0.scalar?.integer }))
  }

  private func pagination(_ node: YAMLNode) -> Pagination {
    if node.text == "link_header" { return .linkHeader }
    if let path = node.text("token"), let param = node.text("param") { return .token(path: path, param: param) }
    if let path = node.text("next_url") { return .nextURL(path: path) }
    if let param = node.text("page") { return .page(param: param, start: node.integer("start") ?? 1) }
    if let param = node.text("offset") { return .offset(param: param, start: node.integer("start") ?? 0) }
    return .none
  }

  private func columns(_ node: YAMLNode?) -> [StreamColumn] {
    guard let node else { return [] }
    if case .sequence(let names) = node.content { return names.compactMap(\.text).map { StreamColumn(name: $0) } }
    return node.entries.map { entry in
      StreamColumn(name: entry.key, type: entry.value.text.flatMap { try? ColumnTypeText.columnType($0) })
    }
  }

  private func fixesColumns(_ node: YAMLNode) -> Bool {
    guard case .sequence? = node["columns"]?.content else { return false }
    return true
  }

  private mutating func cursor(_ node: YAMLNode?) -> Cursor? {
    guard let node, let field = node.text("field"), let type = node.columnType("type") else { return nil }
    let comparable =
      type.isInteger || type.isTemporal || ["text", "uuid"].contains(type.name) || type.name.hasPrefix("decimal")
    if !comparable, let place = node["type"]?.place {
      add(
        "cursor_type", at: place, "values of the type \(type) do not grow in an order that a cursor can follow",
        "write a field of type timestamptz, timestamp, date, bigint, integer or text")
    }
    let lag = node.duration("lag") ?? .zero
    if lag > .zero, !type.isTemporal, let place = node.entry("lag")?.place {
      add(
        "cursor_lag", at: place, "a lag is a time, and the cursor's type is \(type)",
        "remove lag, or take a field of type timestamptz, timestamp or date")
    }
    if let start = node["start"], let text = start.text, let problem = CursorStart.problem(text, type: type) {
      add(problem.code, at: start.place, problem.message, problem.suggestion)
    }
    let maximum = node.text("max").flatMap { try? CursorLimitText.ahead($0) }
    if maximum != nil, !type.isTemporal, let place = node.entry("max")?.place {
      add(
        "cursor_max", at: place, "the limit of a cursor is a time, and the cursor's type is \(type)",
        "remove max, or take a field of type timestamptz, timestamp or date")
    }
    return Cursor(field: field, type: type, start: node.text("start"), lag: lag, maximumAhead: maximum)
  }

  /// A list of columns fixes all names, so a key or cursor outside of it can never be found.
  private mutating func checkFields(of node: YAMLNode, columns: [StreamColumn]) {
    guard let list = node["columns"], case .sequence(let names) = list.content else { return }
    var listed: Set<ExactText> = []
    for name in names {
      guard let text = name.text, !listed.insert(ExactText(text)).inserted else { continue }
      add("duplicate_name", at: name.place, "the column \"\(text)\" is listed twice", "remove one of the two")
    }
    let known = columns.map(\.name)
    let fields = node.oneOrMore("key") + [node[path: "cursor", "field"]].compactMap { $0 }
    for field in fields {
      guard let text = field.text, !listed.contains(ExactText(text)) else { continue }
      let suggestion = Self.didYouMean(text, among: known, else: "add it to columns")
      add("unknown_column", at: field.place, "\"\(text)\" is not among the columns", suggestion)
    }
  }

  private mutating func checkEnd(of node: YAMLNode) {
    for status in node.oneOrMore("end") {
      // What is no status at all is told by the shape.
      guard let code = status.scalar?.integer, (204...499).contains(code), let problem = EndStatus.problem(code) else {
        continue
      }
      add(problem.code, at: status.place, "end: \(problem.message)", problem.suggestion)
    }
  }

  private mutating func checkPages(of node: YAMLNode, records: RecordFormat) {
    guard let paginate = node.entry("paginate") else { return }
    let pagination = pagination(paginate.value)
    switch (pagination, records) {
    case (.token, .json), (.nextURL, .json), (.none, _), (.linkHeader, _): return
    case (.token, _), (.nextURL, _):
      add(
        "pagination", at: paginate.place,
        "the next page is found in a JSON document, and the records are \(records.name)",
        "write link_header, page or offset")
    case (.page, .bytes), (.offset, .bytes):
      add(
        "pagination", at: paginate.place, "the last page is the one without records, and bytes have no records",
        "write link_header or none")
    case (.page, _), (.offset, _): return
    }
  }
}
