import DuckDB
import JobModel
import PipelineDefinition

/// Rows that belong to a parent, such as the lines of an order: `replaces` of a dataset.
extension CurationWork {
  /// Several rows of one key have no order where they come from no record of their own.
  ///
  /// - Throws: ``StageFailure`` `key_repeated`.
  func refuseRepeatedKeys(_ accounting: Accounting) async throws {
    guard !step.key.isEmpty, !accounting.key.isEmpty, !accounting.carriesPositions else { return }
    let repeated = try await session.value(DatasetChecks.doubled(accounting.key)).int ?? 0
    guard repeated > 0 else { return }
    throw StageFailure(
      code: "key_repeated",
      message: "dataset \(step.name): the SELECT gives several rows for \(repeated) values of its key "
        + "(\(accounting.key.joined(separator: ", ")))",
      hint: "make it give one row a key, or add the column to `key` that tells them apart", at: "\(step.place)")
  }

  /// Makes each record's rows whole: all of them are good, or all are in quarantine. A record that gave no row becomes a mark, a row
  /// with its parent alone, so that its earlier rows go.
  func completeParents(_ selection: Selection, _ statement: SelectStatement?, _ accounting: Accounting) async throws {
    guard !accounting.replaces.isEmpty else { return }
    let parent = accounting.carriesPositions ? [SystemColumn.object, SystemColumn.position] : accounting.replaces
    try await session.run(setAside(parent.map(quoteIdentifier), names: selection.plan.outputNames))
    if let statement = try await marks(selection, statement, accounting) { try await session.run(statement) }
  }

  private func setAside(_ parent: [String], names: [String]) -> String {
    let pairs = names.map { "\(quoteLiteral($0)), \(quoteIdentifier($0))::VARCHAR" }.joined(separator: ", ")
    let same = parent.map { "b.\($0) = c.\($0)" }.joined(separator: " and ")
    return """
      update \(ContractPlan.table) c
      set _reasons = ['replaces:incomplete'], _original = json_object(\(pairs))::VARCHAR
      where _reasons is null and exists (
        from \(ContractPlan.table) b where b._reasons is not null and \(same))
      """
  }

  /// nil where the parent of a record without rows cannot be told: the SELECT computes it, or joins.
  private func marks(
    _ selection: Selection, _ statement: SelectStatement?, _ accounting: Accounting
  ) async throws -> String? {
    guard let source = selection.source else { return nil }
    let given = try await session.columns(of: source.table.goodRecords)
    let made = try await session.columns(of: "from \(ContractPlan.table)")
    /// A field as the dataset has it in a column.
    func value(_ field: String, as name: String) -> String? {
      guard let column = given.first(where: { SQLName($0.name) == SQLName(field) }),
        let type = made.first(where: { $0.name == name })?.type
      else { return nil }
      let read = "r.\(quoteIdentifier(column.name))"
      guard let contract = step.columns.first(where: { SQLName($0.name) == SQLName(name) }) else {
        return "try_cast(\(read) as \(type))"
      }
      let rule = ContractRule(column: contract, sourceType: column.type, salt: request.salts[contract.name])
      return rule.masked(
        TypeCast(column: read, from: column.type, to: contract.type, sourceTimezone: contract.sourceTimezone).value)
    }
    var values: [String] = []
    for name in accounting.replaces {
      let field = request.sql == nil ? name : statement?.field(behind: name) ?? ""
      guard let value = value(field, as: name) else { return nil }
      values.append("\(value) as \(quoteIdentifier(name))")
    }
    // A mark is a version as its record is: by the stream's own field, whatever the SELECT makes of it.
    if let cursor = cursor(of: selection), !accounting.replaces.contains(cursor.field),
      let value = value(cursor.field, as: cursor.field)
    {
      values.append("\(value) as \(quoteIdentifier(cursor.field))")
    }
    let isWhole = accounting.replaces.map { "\(quoteIdentifier($0)) is not null" }
    let place =
      [SystemColumn.object, SystemColumn.position] + (accounting.cursorIsCarried ? [SystemColumn.cursor] : [])
    return """
      insert into \(ContractPlan.table) by name
      select *, (select coalesce(max(_row), 0) from \(ContractPlan.table)) + row_number() over () as _row
      from (
        select \((values + place.map { "r.\($0)" }).joined(separator: ", "))
        from (\(source.table.goodRecords)) r
        anti join \(ContractPlan.table) c on c._object = r._object and c._position = r._position
      ) where \(isWhole.joined(separator: " and "))
      """
  }
}
