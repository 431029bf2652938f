import DuckDB
import JobModel
import PipelineDefinition

/// The step's checks, run before anything is committed.
struct DatasetChecks: Sendable {
  let session: DuckDBSession
  let step: CurateStep
  let previous: PreviousData
  let rowsOut: Int

  /// The new rows, and where they add to them those of the snapshots before. `_new` orders the snapshots.
  ///
  /// - Parameter columns: Of the data files.
  static func versions(columns: [String], isFull: Bool, previous: PreviousData) -> String {
    let new = "select \(columns.map(quoteIdentifier).joined(separator: ", ")), 1 as _new from \(Accounting.kept)"
    guard !isFull, !previous.files.isEmpty else { return new }
    return "select * from (\(new) union all by name \(previous.numbered))"
  }

  /// What a reader of the dataset would see once this version is committed.
  ///
  /// - Parameters:
  ///   - versions: A SELECT.
  ///   - columns: Its columns.
  ///   - key: Empty: every row counts.
  static func view(
    of step: CurateStep, versions: String, columns: [DuckDBTable.Column], key: [String], replaces: [String] = [],
    cursor: DatasetCursor?, schema: String = "main"
  ) -> String {
    let view = "create view \(schema).\(quoteIdentifier(step.name)) as "
    guard !key.isEmpty else { return view + "select * exclude (_new) from (\(versions))" }
    var order = "_new desc"
    if let cursor, let column = columns.first(where: { SQLName($0.name) == SQLName(cursor.field) }) {
      let value = CursorOrder(cursor.type).expression(quoteIdentifier(column.name), type: column.type)
      order = "\(value) desc nulls last, \(order)"
    }
    guard replaces.isEmpty else {
      return view + """
        select * exclude (_new, _sluice_winner) from (\(ReplacedRows.marked(versions, replaces, by: order, of: "_new")))
        where _new = _sluice_winner and \(Accounting.isRow(key: key, replaces: replaces))
        """
    }
    return view + """
      select * exclude (_new) from (\(versions))
      qualify row_number() over (partition by \(key.map(quoteIdentifier).joined(separator: ", "))
        order by \(order)) = 1 or \(key.map { "\(quoteIdentifier($0)) is null" }.joined(separator: " or "))
      """
  }

  /// Runs all checks.
  ///
  /// - Returns: The warnings.
  /// - Throws: ``StageFailure`` `check_failed` for the first that must hold and does not.
  func run() async throws -> [CurationEvent] {
    var events: [CurationEvent] = []
    for check in step.checks {
      guard let broken = try await violation(of: check) else { continue }
      guard check.severity == .warn else {
        throw StageFailure(
          code: "check_failed", message: "dataset \(step.name): \(broken)",
          hint: "nothing was committed; look at the raw with \"sluice query\", or change the check",
          at: "\(check.place)")
      }
      events.append(CurationEvent(.checkWarning, "dataset \(step.name): \(broken)"))
    }
    return events
  }

  private func violation(of check: DatasetCheck) async throws -> String? {
    switch check.rule {
    case .unique(let columns):
      let count = try await session.value(Self.doubled(columns)).int ?? 0
      return count == 0 ? nil : "\(count) values of (\(columns.joined(separator: ", "))) are there more than once"
    case .rowsChange(let range):
      return Self.tooLargeChange(to: rowsOut, from: previous.rowsOfLastRun, range)
    case .sql(let text, let expected):
      let statement: SelectStatement
      do {
        statement = try await SelectStatement.parse(text, session)
        let problems = try await CurationLint.problems(of: statement, text, .check(of: step.name), session)
        if let problem = problems.first { throw problem }
      } catch let problem as SelectProblem { throw refusal(problem, check) }
      let select: String
      do {
        select = try await statement.text(session) { try await CurationLint.refuse($0, .check(of: step.name), session) }
      } catch let problem as SelectProblem { throw refusal(problem, check) }
      let value = try await session.rows("select * from (\(select)) limit 1").first?.values.first?.text
      return value == expected ? nil : "a check's SQL returned something else than \(expected)"
    }
  }

  static func tooLargeChange(to rows: Int, from before: Int?, _ range: ClosedRange<Double>) -> String? {
    guard let before, before > 0 else { return nil }
    let change = Double(rows - before) / Double(before)
    return range.contains(change) ? nil : "\(rows) rows after \(before) in the last run is too large a change"
  }

  private func refusal(_ problem: SelectProblem, _ check: DatasetCheck) -> StageFailure {
    StageFailure(
      code: "check_sql", message: "dataset \(step.name): a check's SQL cannot run: \(problem.message)",
      hint: "\"sluice check\" lists all problems", at: "\(check.place)")
  }

  /// Asked of the rows before older versions were taken out: where `unique` is written, they are an error.
  static func doubled(_ columns: [String]) -> String {
    """
    select count(*) as n from (
      select \(columns.map(quoteIdentifier).joined(separator: ", ")) from \(ContractPlan.table)
      where _reasons is null group by all having count(*) > 1)
    """
  }
}

extension CurateStep {
  /// Whether a check asks for more than how many rows there are.
  var checksLookAtRows: Bool {
    checks.contains { check in
      if case .rowsChange(_) = check.rule { false } else { true }
    }
  }

  /// Whether a check asks the dataset as a whole, with the rows of earlier snapshots.
  var checksReadDataset: Bool {
    checks.contains { check in
      if case .sql(_, _) = check.rule { true } else { false }
    }
  }
}
