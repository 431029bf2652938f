import DuckDB
import JobModel
import PipelineDefinition

/// The values that the contract of a dataset names: `min`, `max` and `one_of` are read as the data is, by `docs/types.md`.
struct ContractLimits {
  /// A value of the contract that is none of its column's type, or a pattern that is no regular expression.
  struct Fault {
    var column: ContractColumn
    var message: String
    var hint: String
  }

  let columns: [ContractColumn]

  /// An expression of the column's type; null where the text is none of it.
  static func value(_ text: String, of column: ContractColumn) -> String {
    TypeCast(
      column: textExpression(text), from: "VARCHAR", to: column.type, sourceTimezone: column.sourceTimezone,
      isLossy: column.isLossy
    ).value
  }

  private var values: [(column: ContractColumn, key: String, text: String)] {
    columns.flatMap { column in
      let limits = [("min", column.min), ("max", column.max)] + column.oneOf.map { ("one_of", $0) }
      return limits.compactMap { key, text in text.map { (column, key, $0) } }
    }
  }

  /// Whether there is anything that only the SQL engine can read.
  var isEmpty: Bool { values.isEmpty && columns.allSatisfy { $0.pattern == nil } }

  /// What cannot be read, in the order of the contract.
  func faults(_ session: DuckDBSession) async throws -> [Fault] {
    var faults: [Fault] = []
    for limit in values {
      let sql = "select \(Self.value(limit.text, of: limit.column)) is null as is_none"
      guard try await session.value(sql).bool == true else { continue }
      faults.append(
        Fault(
          column: limit.column,
          message: "\(limit.key) of \"\(limit.column.name)\" is \"\(limit.text)\", which is no \(limit.column.type)",
          hint: "write a value that the type accepts; docs/types.md has the forms"))
    }
    for column in columns {
      guard let pattern = column.pattern else { continue }
      do { _ = try await session.rows("select regexp_matches('', \(textExpression(pattern))) as matches") } catch let
        error
        as DuckDBError where error.kind == .sql
      {
        faults.append(
          Fault(
            column: column, message: "pattern of \"\(column.name)\" is no regular expression: \(error.message)",
            hint: "write it as RE2 has it: https://github.com/google/re2/wiki/Syntax"))
        // The session may not be asked again after an error.
        break
      }
    }
    return faults
  }
}

extension CurationLint {
  /// Values of a step's contract that cannot be read as its columns' types.
  ///
  /// - Throws: ``DuckDBError`` where DuckDB itself cannot be run.
  package func reviewLimits(_ step: CurateStep) async throws -> [Diagnostic] {
    let limits = ContractLimits(columns: step.columns)
    guard !limits.isEmpty else { return [] }
    let faults = try await duckdb.withSession(in: DuckDBPlace(directory: scratch), limits: DuckDBLimits(threads: 1)) {
      try await limits.faults($0)
    }
    return faults.map {
      Diagnostic(code: "column", place: $0.column.place, message: $0.message, suggestion: $0.hint)
    }
  }
}

extension CurateStep {
  /// Whether the contract names values that only the SQL engine can read.
  package var hasLimits: Bool { !ContractLimits(columns: columns).isEmpty }
}

extension CurationWork {
  /// Refuses a contract with values that are none of their columns' types.
  ///
  /// - Throws: ``StageFailure`` `contract_value`; the raw stays due.
  func refuseUnreadableLimits() async throws {
    guard request.edition >= .exact else { return }
    guard let fault = try await ContractLimits(columns: step.columns).faults(session).first else { return }
    throw StageFailure(
      code: "contract_value", message: "dataset \(step.name): \(fault.message)", hint: fault.hint,
      at: "\(fault.column.place)")
  }
}
