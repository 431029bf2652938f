/// Datasets name each other across pipelines.
extension Project {
  /// Refuses references to what is not there, and those that would not join.
  mutating func refuseWrongReferences() {
    let steps = definitions.flatMap { $0.pipeline?.curate ?? [] }
    guard steps.contains(where: { !$0.references.isEmpty }) else { return }
    let datasets = Dictionary(steps.map { ($0.name, $0) }) { first, _ in first }
    // A dataset of a definition that is refused may be the one that is meant.
    let areAllKnown = definitions.allSatisfy { $0.pipeline != nil }
    for index in definitions.indices {
      for step in definitions[index].pipeline?.curate ?? [] {
        for reference in step.references {
          guard let found = Self.problem(of: reference, in: step, datasets, areAllKnown: areAllKnown) else { continue }
          definitions[index].diagnostics.append(found)
          definitions[index].pipeline = nil
        }
      }
    }
  }

  private static func problem(
    of reference: DatasetReference, in step: CurateStep, _ datasets: [String: CurateStep], areAllKnown: Bool
  ) -> Diagnostic? {
    guard let other = datasets[reference.dataset] else {
      guard areAllKnown else { return nil }
      let names = datasets.keys.sorted()
      return Diagnostic(
        code: "unknown_dataset", place: reference.place, message: "there is no dataset \"\(reference.dataset)\"",
        suggestion: Spelling.didYouMean(reference.dataset, among: names) ?? "datasets: \(names.joined(separator: ", "))"
      )
    }
    for (name, key) in zip(reference.columns, reference.key) {
      let column = step.column(named: name)
      guard let target = other.column(named: key) else {
        guard !other.columns.isEmpty else { continue }
        return Diagnostic(
          code: "unknown_column", place: reference.place,
          message: "the dataset \"\(other.name)\" has no column \"\(key)\"",
          suggestion: Spelling.didYouMean(key, among: other.columns.map(\.name))
            ?? Pipeline.listing(other.columns.map(\.name)))
      }
      let types = [column?.type ?? target.type, target.type]
      let isMasked = column?.isMaskedInCopies ?? false
      // A masked value depends on its type.
      guard types[0] == types[1] || (!isMasked && types.allSatisfy(\.isWholeNumber)) else {
        return Diagnostic(
          code: "references", place: reference.place,
          message: "\"\(name)\" is \(types[0]), and \"\(key)\" of \"\(other.name)\" is \(types[1])",
          suggestion: "give both the same type")
      }
      guard isMasked == target.isMaskedInCopies, column?.mask?.kind == target.mask?.kind else {
        return Diagnostic(
          code: "references", place: reference.place,
          message:
            "of \"\(name)\" and \"\(key)\" of \"\(other.name)\", which have the same values, only one has that mask",
          suggestion: "give both the same mask")
      }
    }
    return nil
  }
}

extension CurateStep {
  /// SQL does not tell names by their case.
  package func column(named name: String) -> ContractColumn? {
    columns.first { $0.name.lowercased() == name.lowercased() }
  }
}

extension ColumnType {
  fileprivate var isWholeNumber: Bool { ["smallint", "integer", "bigint"].contains(name) }
}
