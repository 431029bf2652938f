import DuckDB
import JobModel
import PipelineDefinition

/// Names of the definition held against the fields and columns that there are.
extension CurationWork {
  /// The fields that a stream's records have, or had; empty before the first delivery with a record.
  private func fields(of loaded: LoadedStream) -> [String] {
    let stream = loaded.table.stream
    let delivered = stream.knownFields + loaded.found.names
    var fixed = stream.definition.fixesColumns
    if case .csv(let format) = stream.definition.records, !format.header { fixed = fixed || !delivered.isEmpty }
    return delivered + (fixed ? stream.definition.columns.map(\.name) : [])
  }

  /// Whether a stream has delivered nothing yet that tells its fields.
  func isUnknown(_ loaded: LoadedStream) -> Bool { fields(of: loaded).isEmpty }

  /// Refuses keys and cursors that no record of their stream has.
  ///
  /// - Throws: ``StageFailure`` `column_missing`; the raw stays due.
  func refuseUnknownKeys(of streams: [LoadedStream]) throws {
    guard request.edition >= .exact else { return }
    for loaded in streams where !isUnknown(loaded) {
      let stream = loaded.table.stream
      let fields = fields(of: loaded)
      let names =
        stream.definition.key.map { ("key", $0) } + (stream.definition.cursor.map { [("cursor", $0.field)] } ?? [])
      for (role, name) in names where !fields.contains(where: { SQLName($0) == SQLName(name) }) {
        throw StageFailure(
          code: "column_missing",
          message: "stream \(stream.reference): no record has the field \"\(name)\" of its \(role)",
          hint: Spelling.didYouMean(name, among: fields) ?? Pipeline.listing(fields), at: "\(stream.definition.place)")
      }
    }
  }

  /// Refuses a contract that does not fit what the SELECT gives, and names of the step that are no column of the dataset.
  ///
  /// A field that earlier deliveries had is a column still, so that its absence is drift and no error.
  ///
  /// - Throws: ``StageFailure`` `column_missing` or `column_extra`; the raw stays due.
  func refuseUnknownColumns(_ selection: Selection) throws {
    guard request.edition >= .exact, !selection.read.contains(where: isUnknown) else { return }
    var given = selection.plan.selected.map(\.name)
    if request.sql == nil, let source = selection.source { given = fields(of: source) }
    let fit = ContractFit(step: step, hasSelect: request.sql != nil, given: given)
    if let column = fit.missing.first {
      let origin = request.sql == nil ? "stream \(step.from.first?.description ?? "")" : "the SELECT"
      throw StageFailure(
        code: "column_missing", message: "dataset \(step.name): \(origin) gives no column \"\(column.name)\"",
        hint: Spelling.didYouMean(column.name, among: given)
          ?? "write optional: true where it may be absent; \(Pipeline.listing(given))", at: "\(column.place)")
    }
    if let name = fit.extra.first {
      let list = fit.extra.map { "\"\($0)\"" }.joined(separator: ", ")
      throw StageFailure(
        code: "column_extra", message: "dataset \(step.name): `columns` does not list what the SELECT gives: \(list)",
        hint: Spelling.didYouMean(name, among: step.columns.map(\.name))
          ?? "list it under `columns`, or write `extra: drop`", at: "\(step.place)")
    }
    try refuseUnknownNames(among: selection.plan.outputNames)
    if request.isLoaded,
      let name = selection.plan.outputNames.first(where: { $0.utf8.count > StorageRule.maximumNameBytes })
    {
      throw StageFailure(
        code: "column_name", message: "dataset \(step.name): \(CurationLint.longName(name))",
        hint: "give it a shorter name in the dataset's SQL", at: "\(step.place)")
    }
  }

  private func refuseUnknownNames(among columns: [String]) throws {
    var names = step.key.map { ("key", $0) } + step.replaces.map { ("replaces", $0) }
    names += step.partitionBy.map { ("partition_by", $0.column) } + step.files.sort.map { ("files.sort", $0) }
    for check in step.checks {
      if case .unique(let unique) = check.rule { names += unique.map { ("unique", $0) } }
    }
    for (key, name) in names where !columns.contains(where: { SQLName($0) == SQLName(name) }) {
      throw StageFailure(
        code: "column_missing", message: "dataset \(step.name): \(key) names \"\(name)\", which is no column of it",
        hint: Spelling.didYouMean(name, among: columns) ?? "columns: \(columns.prefix(20).joined(separator: ", "))",
        at: "\(step.place)")
    }
  }
}
