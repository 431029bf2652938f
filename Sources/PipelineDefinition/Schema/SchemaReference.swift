/// The tables of the reference in `docs/pipeline.md`: every key with its type, default, meaning and an example.
package enum SchemaReference {
  /// Every mapping of a pipeline file, a heading and a table each.
  package static func pipeline() -> String { tables(of: PipelineSchema.pipeline, titled: "A pipeline file") }

  /// The same for `sluice.yaml`.
  package static func project() -> String { tables(of: ProjectSchema.settings, titled: "sluice.yaml") }

  private static func tables(of object: ObjectShape, titled title: String) -> String {
    var sections: [Section] = []
    collect(object, path: [], title: title, into: &sections)
    return sections.map(\.markdown).joined(separator: "\n")
  }

  private struct Section {
    var title: String
    var keys: [KeyShape]

    var markdown: String {
      let rows = keys.map { key in
        let cells = [
          "`\(key.name)`", SchemaReference.type(of: key.shape), SchemaReference.presence(of: key),
          SchemaReference.meaning(of: key),
        ]
        return "| " + cells.map { $0.replacingPipes }.joined(separator: " | ") + " |"
      }
      return "### \(title)\n\n| key | value | default | meaning |\n|---|---|---|---|\n" + rows.joined(separator: "\n")
        + "\n"
    }
  }

  private static func collect(_ object: ObjectShape, path: [String], title: String, into sections: inout [Section]) {
    // Kinds share shapes: one table is enough for them.
    guard !sections.contains(where: { $0.title == title }) else { return }
    sections.append(Section(title: title, keys: object.keys))
    for key in object.keys { descend(key.shape, path: path + [key.name], into: &sections) }
  }

  private static func descend(_ shape: Shape, path: [String], into sections: inout [Section]) {
    let title = "`" + path.joined(separator: ".") + "`"
    switch shape {
    case .object(let object): collect(object, path: path, title: title, into: &sections)
    case .map(_, let value): descend(value, path: path + ["NAME"], into: &sections)
    case .list(let element): descend(element, path: path + ["[]"], into: &sections)
    case .written(let shapes): for each in shapes { descend(each, path: path, into: &sections) }
    case .variants(let variants):
      for variant in variants.variants {
        let isLater = variant.shape.key(variant.key)?.support.isLater ?? false
        let suffix = isLater ? " (not supported yet)" : ""
        collect(variant.shape, path: path, title: "\(title) with `\(variant.key)`\(suffix)", into: &sections)
      }
    case .text, .integer, .number, .boolean, .scalar, .choice, .anything: return
    }
  }

  private static func type(of shape: Shape) -> String {
    switch shape {
    case .choice(let choices):
      ShapeValidator.alternatives(choices.map { $0.support.isLater ? "(`\($0.value)`)" : "`\($0.value)`" })
    case .list(let element): "a list: \(type(of: element))"
    case .map(_, let value): "by name: \(type(of: value))"
    case .written(let shapes): ShapeValidator.alternatives(shapes.map { type(of: $0) })
    default: ShapeValidator.title(of: shape)
    }
  }

  private static func presence(of key: KeyShape) -> String {
    if key.isRequired { return "required" }
    guard let text = key.defaultText else { return "" }
    return text.contains(" ") || text.contains("`") ? text : "`\(text)`"
  }

  private static func meaning(of key: KeyShape) -> String {
    var text = key.summary
    if let example = key.example, !example.contains("…") { text += ": `\(key.name): \(example)`" }
    if key.support.isLater { text += ". *Not supported yet*" }
    return text
  }
}

extension String {
  /// A bar would end a table's cell.
  fileprivate var replacingPipes: String {
    split(separator: "|", omittingEmptySubsequences: false).joined(separator: "\\|")
  }
}
