extension PipelineBuilder {
  /// Whether `{cursor}` and `{STREAM.FIELD}` in a request mean something.
  mutating func checkPlaceholders(of stream: YAMLEntry, in source: YAMLEntry) {
    let node = stream.value
    let values =
      [node["get"], node["post"], node["body"]].compactMap { $0 } + (node["query"]?.entries.map(\.value) ?? [])
    let templates = values.compactMap { $0.template(in: .request) }
    var mentionsCursor = false
    for template in templates {
      for case .placeholder(let name) in template.parts {
        if name.contains(".") {
          checkParent(name, of: stream, in: source, at: template.place)
        } else if name == "cursor" {
          mentionsCursor = true
          if node["cursor"] == nil { addMissingCursor(of: stream, at: template.place) }
        } else if name == "until" {
          checkUntil(template, of: stream)
        }
      }
    }
    if let cursor = node.entry("cursor"), !mentionsCursor, templates.count == values.count {
      warn(
        "cursor_unused", at: cursor.place,
        "no request of \"\(stream.key)\" mentions {cursor}, so every run reads everything",
        "send it, as in query: {updated_since: \"{cursor}\"}")
    }
  }

  /// A run without an end leaves the parameter out; anything else it could not leave out.
  private mutating func checkUntil(_ template: ValueTemplate, of stream: YAMLEntry) {
    let query = stream.value["query"]?.entries.map(\.value.place) ?? []
    guard template.isUntil, query.contains(template.place) else {
      return add(
        "placeholder", at: template.place, "{until} has no value in most runs, which then leave its parameter out",
        "write it as the whole value of a query parameter, as in query: {updated_before: \"{until}\"}")
    }
    if stream.value["cursor"] == nil {
      add(
        "placeholder", at: template.place, "{until} has no value: the stream \"\(stream.key)\" has no cursor",
        "add cursor: {field: updated_at, type: timestamptz}")
    }
  }

  private mutating func addMissingCursor(of stream: YAMLEntry, at place: Place) {
    add(
      "placeholder", at: place, "{cursor} has no value: the stream \"\(stream.key)\" has no cursor",
      "add cursor: {field: updated_at, type: timestamptz}")
  }

  private mutating func checkParent(_ name: String, of stream: YAMLEntry, in source: YAMLEntry, at place: Place) {
    let parent = String(name.prefix { $0 != "." })
    let others = (source.value["streams"]?.entries ?? []).map(\.key).filter { $0 != stream.key }
    guard others.contains(parent) else {
      let fallback =
        others.isEmpty
        ? "add the stream \"\(parent)\"" : "streams of \"\(source.key)\": \(others.joined(separator: ", "))"
      let message = "{\(name)}: the source \"\(source.key)\" has no other stream \"\(parent)\""
      return add("unknown_stream", at: place, message, Self.didYouMean(parent, among: others, else: fallback))
    }
    later(
      at: place, "{\(name)}: a request for each record of another stream is not supported yet",
      "read it as a stream of its own")
  }
}
