import DuckDB
import JobModel
import PipelineDefinition

/// The columns that a stream's fields become, and which field each of them is.
///
/// Fields are told apart byte by byte, columns as SQL compares names. So a field whose name differs from another's in the case of
/// its letters only, or is one of Sluice's own, has a column with a number: `ID_2`.
struct StreamFields {
  /// Declared and known fields first, in their order, then new ones.
  private(set) var fields: [RecordTable.Field] = []
  /// The columns of this delivery.
  private(set) var found: [String] = []
  private(set) var renamed: [FoundFields.Renamed] = []
  private(set) var unusable: [String] = []
  private var columns: [ExactText: String] = [:]

  init(_ stream: CurationStream, _ names: [String]) {
    var taken: Set<SQLName> = []
    let declared = stream.definition.columns
    var types: [SQLName: ColumnType] = [:]
    for column in declared { types[SQLName(column.name)] = column.type }
    func add(_ name: String, to fields: inout [RecordTable.Field]) {
      fields.append(RecordTable.Field(name: name, type: types[SQLName(name)], column: "_field\(fields.count)"))
    }
    for name in declared.map(\.name) + stream.knownFields
    where FieldName.isUsable(name) && !SystemColumn.isReserved(name) && taken.insert(SQLName(name)).inserted {
      add(name, to: &fields)
    }
    var seen: Set<ExactText> = []
    let own = names.filter { seen.insert(ExactText($0)).inserted }
    let isCSV = if case .csv = stream.definition.records { true } else { false }
    var free = Dictionary(uniqueKeysWithValues: fields.map { (ExactText($0.name), $0) })
    // A field that has a column of exactly its name comes first, so that no other one gets it.
    for name in own {
      guard let field = free.removeValue(forKey: ExactText(name)) else { continue }
      columns[ExactText(name)] = field.column
      found.append(field.name)
    }
    for name in own where columns[ExactText(name)] == nil {
      // The header of a file that was written by hand: its names are compared as SQL does.
      if isCSV, let field = fields.first(where: { SQLName($0.name) == SQLName(name) }) {
        columns[ExactText(name)] = field.column
        if free.removeValue(forKey: ExactText(field.name)) != nil { found.append(field.name) }
        continue
      }
      let base = SystemColumn.hasInnerPrefix(name) ? "field" + name : name
      var column = base
      var number = 2
      while SystemColumn.isReserved(column) || taken.contains(SQLName(column)) && free[ExactText(column)] == nil {
        column = "\(base)_\(number)"
        number += 1
      }
      guard FieldName.isUsable(column) else {
        unusable.append(name)
        continue
      }
      if free.removeValue(forKey: ExactText(column)) == nil {
        taken.insert(SQLName(column))
        add(column, to: &fields)
      }
      columns[ExactText(name)] = fields.first { ExactText($0.name) == ExactText(column) }?.column
      found.append(column)
      if column != name { renamed.append(FoundFields.Renamed(field: name, column: column)) }
    }
  }

  /// The table's column of a field; nil where it has none.
  func column(of field: String) -> String? { columns[ExactText(field)] }

  /// The name of that column as SQL sees it.
  func name(of field: String) -> String? {
    guard let column = column(of: field) else { return nil }
    return fields.first { $0.column == column }?.name
  }
}
