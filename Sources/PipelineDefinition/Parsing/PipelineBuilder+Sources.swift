extension PipelineBuilder {
  mutating func sources() -> [Source] {
    var sources: [Source] = []
    for entry in definition["sources"]?.entries ?? [] {
      let node = entry.value
      if let streams = node["streams"], streams.entries.isEmpty, case .mapping = streams.content {
        add(
          "no_streams", at: entry.place, "the source \"\(entry.key)\" has no streams", "add one, or remove the source")
      }
      var streams: [Stream] = []
      for stream in node["streams"]?.entries ?? [] {
        guard let built = self.stream(stream, of: entry) else { continue }
        self.streams[StreamReference(source: entry.key, stream: stream.key)] = built
        streams.append(built)
      }
      if let kind = sourceKind(node) {
        sources.append(Source(name: entry.key, kind: kind, streams: streams, place: entry.place))
      }
    }
    if let sources = definition.entry("sources"), case .mapping(let entries) = sources.value.content, entries.isEmpty {
      add("no_streams", at: sources.place, "the pipeline has no sources", "add one")
    }
    return sources
  }

  private func sourceKind(_ node: YAMLNode) -> SourceKind? {
    if let http = node["http"], let base = http.template("base_url", in: .environment) {
      return .http(
        HTTPSource(
          baseURL: base, auth: http["auth"].flatMap { auth($0) }, retry: http["retry"].map { retry($0) } ?? HTTPRetry(),
          requestsPerSecond: http[path: "limits", "requests_per_second"]?.scalar?.number,
          inFlight: http["limits"]?.integer("in_flight"),
          minimumRate: http["limits"]?.text("min_rate").flatMap { try? MeasureText.byteRate($0) }
            ?? HTTPSource.defaultMinimumRate,
          maximumBody: maximumBody(http)))
    }
    return node["files"].flatMap { files in
      files.location("at").map { .files(FilesSource(at: $0, maximumBody: maximumBody(files))) }
    }
  }

  private func maximumBody(_ kind: YAMLNode) -> Int {
    kind["limits"]?.text("body").flatMap { try? MeasureText.byteCount($0) } ?? Source.defaultMaximumBody
  }

  private func auth(_ node: YAMLNode) -> HTTPAuth? {
    func value(_ keys: String...) -> ValueTemplate? {
      keys.reduce(Optional(node)) { $0?[$1] }?.template(in: .environment)
    }
    if let token = value("bearer") { return .bearer(token) }
    if let user = value("basic", "user"), let password = value("basic", "password") {
      return .basic(user: user, password: password)
    }
    if let name = node["header"]?.text("name"), let text = value("header", "value") {
      return .header(name: name, value: text)
    }
    if let name = node["query"]?.text("name"), let text = value("query", "value") {
      return .query(name: name, value: text)
    }
    return nil
  }

  private func retry(_ node: YAMLNode) -> HTTPRetry {
    let standard = HTTPRetry()
    let statuses = node.texts("statuses").compactMap { try? HTTPRetry.Status(definition: $0) }
    return HTTPRetry(
      statuses: node["statuses"] == nil ? standard.statuses : Set(statuses), max: node.integer("max") ?? standard.max,
      honoursRetryAfter: node.text("retry_after") != "ignore",
      giveUpAfter: node.duration("give_up_after") ?? standard.giveUpAfter)
  }
}
