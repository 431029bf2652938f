import DuckDB
import JobModel
import PipelineDefinition

extension CurateStep {
  /// What changed in a stream's fields since the deliveries before.
  ///
  /// - Throws: ``StageFailure`` `schema_drift` where the step's `drift` says so.
  func drift(of stream: CurationStream, _ fields: FoundFields) throws -> [CurationEvent] {
    guard !stream.objects.isEmpty else { return [] }
    let known = stream.knownFields + stream.definition.columns.map(\.name)
    let found = Set(fields.names.map { SQLName($0) })
    let before = Set(known.map { SQLName($0) })
    let new = known.isEmpty ? [] : fields.names.filter { !before.contains(SQLName($0)) }
    var seen: Set<SQLName> = []
    let missing =
      found.isEmpty
      ? [] : known.filter { !found.contains(SQLName($0)) && seen.insert(SQLName($0)).inserted }
    var events = new.map { CurationEvent(.newField, "stream \(stream.reference): the field \"\($0)\" is new") }
    events += fields.extra.map {
      CurationEvent(.extraField, "stream \(stream.reference): rows have a field beyond `columns`, \($0)")
    }
    events += fields.unusable.map {
      CurationEvent(
        .unusableField,
        "stream \(stream.reference): the field \"\(FieldName.shown($0))\" cannot be a column; its values stay in _record"
      )
    }
    events += fields.renamed.map {
      CurationEvent(
        .unusableField,
        "stream \(stream.reference): the field \"\(FieldName.shown($0.field))\" is read as \"\($0.column)\"")
    }
    events += missing.map {
      CurationEvent(.missingField, "stream \(stream.reference): the field \"\($0)\" is not in this delivery")
    }
    try refuse(drift.newColumn == .fail ? new + fields.extra : [], "new", in: stream)
    try refuse(drift.missingColumn == .fail ? missing : [], "missing", in: stream)
    return events
  }

  private func refuse(_ fields: [String], _ what: String, in stream: CurationStream) throws {
    guard let first = fields.first else { return }
    throw StageFailure(
      code: "schema_drift", message: "stream \(stream.reference): the field \"\(first)\" is \(what)",
      hint: "adapt the dataset, or change its `drift`; the raw stays due", at: "\(place)")
  }
}
