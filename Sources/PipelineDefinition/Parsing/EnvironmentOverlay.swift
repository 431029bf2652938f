/// What one environment changes in a definition.
struct EnvironmentOverlay {
  let name: String
  let node: YAMLNode

  /// - Returns: nil where the definition has no overlay for the environment.
  init?(of environment: String, in document: YAMLNode) {
    guard let node = document[path: "environments", environment] else { return nil }
    self.name = environment
    self.node = node
  }

  /// Every place in the overlay, to tell what it brought from what was there.
  var places: Set<Place> { Self.places(of: node) }

  /// The definition with the overlay merged in: mappings by key, everything else replaced.
  func applied(to definition: YAMLNode) -> YAMLNode {
    var merged = definition
    if let pipeline = node["pipeline"] { merged = Self.merge(marked(pipeline), into: merged) }
    if let raw = node.entry("raw") {
      var value = raw.value
      if value.scalar != nil {
        value = YAMLNode(.mapping([YAMLEntry(key: "to", place: raw.place, value: value)]), at: value.place)
      }
      let entry = YAMLEntry(key: "raw", place: raw.place, value: marked(value))
      merged = Self.merge(YAMLNode(.mapping([entry]), at: node.place), into: merged)
    }
    if let schedule = node.entry("schedule") {
      merged = merged.removing("schedule")
      if schedule.value.text != "none" {
        let entry = YAMLEntry(key: "schedule", place: schedule.place, value: marked(schedule.value))
        merged = Self.merge(YAMLNode(.mapping([entry]), at: node.place), into: merged)
      }
    }
    if node["notify"]?.text == "none" { merged = merged.removing("notify") }
    if let suffix = node[path: "load", "schema_suffix"]?.text { merged = renameSchemas(of: merged, suffix: suffix) }
    return merged
  }

  /// `mart.orders` is `mart_stg.orders`; a table without a schema is in `public`, so `orders` is `public_stg.orders`.
  private func renameSchemas(of definition: YAMLNode, suffix: String) -> YAMLNode {
    definition.changing("load") { load in
      load.changingEntries { target in
        target.value = target.value.changing("tables") { tables in
          tables.changingEntries { table in
            guard let name = try? NameText.table(table.key) else { return }
            table.key = "\(name.schema ?? LoadTable.defaultSchema)\(suffix).\(name.table)"
            table.value.overlay = self.name
          }
        }
      }
    }
  }

  private func marked(_ node: YAMLNode) -> YAMLNode {
    var node = node
    node.overlay = name
    switch node.content {
    case .sequence(let elements): node.content = .sequence(elements.map { marked($0) })
    case .mapping:
      node = node.changingEntries { $0.value = marked($0.value) }
    case .null, .scalar: break
    }
    return node
  }

  private static func merge(_ upper: YAMLNode, into lower: YAMLNode) -> YAMLNode {
    guard case .mapping(let additions) = upper.content, case .mapping(var entries) = lower.content else { return upper }
    for addition in additions {
      if let index = entries.firstIndex(where: { $0.key == addition.key }) {
        let isReplaced = addition.value.entries.isEmpty || entries[index].value.entries.isEmpty
        if isReplaced { entries[index].place = addition.place }
        entries[index].value = merge(addition.value, into: entries[index].value)
      } else {
        entries.append(addition)
      }
    }
    return YAMLNode(.mapping(entries), at: lower.place, overlay: lower.overlay)
  }

  private static func places(of node: YAMLNode) -> Set<Place> {
    var places: Set<Place> = [node.place]
    for element in node.elements { places.formUnion(Self.places(of: element)) }
    for entry in node.entries { places.formUnion(Self.places(of: entry.value).union([entry.place])) }
    return places
  }
}

extension YAMLNode {
  func removing(_ key: String) -> YAMLNode {
    guard case .mapping(let entries) = content else { return self }
    var copy = self
    copy.content = .mapping(entries.filter { $0.key != key })
    return copy
  }

  fileprivate func changing(_ key: String, _ change: (YAMLNode) -> YAMLNode) -> YAMLNode {
    changingEntries { entry in
      if entry.key == key { entry.value = change(entry.value) }
    }
  }

  fileprivate func changingEntries(_ change: (inout YAMLEntry) -> Void) -> YAMLNode {
    guard case .mapping(var entries) = content else { return self }
    for index in entries.indices { change(&entries[index]) }
    var copy = self
    copy.content = .mapping(entries)
    return copy
  }
}
