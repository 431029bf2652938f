/// Masks of copies, and keys of other datasets. Whether those datasets are there is checked where all pipelines are known.
extension PipelineBuilder {
  /// Those that a keyed hash leaves as they are, so that masked keys still join.
  private static let typesMaskedInCopies = ["text", "uuid", "bigint", "integer"]

  func references(_ dataset: YAMLNode) -> [DatasetReference] {
    let ofColumns = (dataset["columns"]?.entries ?? []).compactMap { column in
      reference(column.value["references"], of: [column.key])
    }
    return ofColumns
      + (dataset["references"]?.elements ?? []).compactMap { node in
        reference(node["to"], of: node.texts("columns"))
      }
  }

  private func reference(_ node: YAMLNode?, of columns: [String]) -> DatasetReference? {
    guard let node, let text = node.text, let (dataset, key) = try? NameText.reference(text) else { return nil }
    return DatasetReference(columns: columns, dataset: dataset, key: key, place: node.place)
  }

  mutating func checkReferences(of step: CurateStep, _ node: YAMLNode) {
    for column in (node["references"]?.elements ?? []).flatMap({ $0.oneOrMore("columns") }) {
      checkColumn(column, of: step)
    }
    for reference in step.references where reference.columns.count != reference.key.count {
      add(
        "references", at: reference.place,
        "\(reference.columns.count) column(s) of \"\(step.name)\" cannot have the values of \(reference.key.count) of "
          + "\"\(reference.dataset)\"", "name as many columns as the key has")
    }
  }

  mutating func checkMask(of column: ContractColumn, _ node: YAMLNode) {
    guard let mask = node.entry("mask"), mask.value.text == "copies",
      !Self.typesMaskedInCopies.contains(column.type.name)
    else { return }
    add(
      "column", at: mask.place,
      "mask: copies belongs to \(Self.typesMaskedInCopies.joined(separator: ", ")); this column is \(column.type)",
      "give it one of these types, or leave it out of the dataset")
  }

  /// A hash has no order.
  mutating func checkMasks(of step: CurateStep, _ node: YAMLNode) {
    let cursors = step.from.compactMap { streams[$0]?.cursor?.field.lowercased() }
    for column in step.columns where column.isMaskedInCopies && column.mask == nil {
      guard cursors.contains(column.name.lowercased()),
        let mask = node["columns"]?[column.name]?.entry("mask")
      else { continue }
      add(
        "column", at: mask.place,
        "\"\(column.name)\" is the cursor, which orders the versions of a row; a hash has no order",
        "remove the mask, or make the dataset without this column")
    }
  }
}
