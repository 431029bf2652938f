import DuckDB
import JobModel
import PipelineDefinition

/// The rules of one column as SQL over the SELECT's result.
struct ContractRule {
  let column: ContractColumn
  /// DuckDB's type of the column in the SELECT's result; nil where the SELECT does not give it.
  let sourceType: String?
  let salt: String?
  /// Whether the contract's own values are read as the data is; engines of the first edition let DuckDB cast them.
  var hasExactLimits = true

  private var source: String { quoteIdentifier(column.name) }
  private var cast: TypeCast {
    TypeCast(
      column: source, from: sourceType ?? "VARCHAR", to: column.type, sourceTimezone: column.sourceTimezone,
      isLossy: column.isLossy)
  }

  /// The column as the dataset keeps it, before masking.
  var typedValue: String {
    sourceType == nil ? "null::\(column.type.duckDBName)" : cast.value
  }

  /// The column as it leaves this stage: masked where the contract says so.
  func masked(_ expression: String) -> String {
    guard column.mask != nil else { return expression }
    return "sha256(\(textExpression(salt ?? "")) || (\(expression))::VARCHAR)"
  }

  /// One expression a rule: its reason where the row breaks it, else null. `typed` names the cast column.
  func reasons(typed: String) -> [String] {
    var reasons: [String] = []
    func reason(_ name: String, when condition: String) {
      reasons.append("case when \(condition) then \(quoteLiteral("\(column.name):\(name)")) end")
    }
    if column.required {
      reason("required", when: sourceType == nil ? "true" : "\(source) is null")
    }
    guard sourceType != nil else { return reasons }
    if let violation = cast.violation(value: typed) { reason("type", when: violation) }
    if let minimum = column.min { reason("min", when: "\(typed) < \(limit(minimum))") }
    if let maximum = column.max { reason("max", when: "\(typed) > \(limit(maximum))") }
    if !column.oneOf.isEmpty {
      let values = column.oneOf.map(limit).joined(separator: ", ")
      reason("one_of", when: "\(typed) not in (\(values))")
    }
    if let pattern = column.pattern {
      reason("pattern", when: "not regexp_matches(\(typed)::VARCHAR, \(textExpression(pattern)))")
    }
    return reasons
  }

  private func limit(_ text: String) -> String {
    hasExactLimits
      ? "(\(ContractLimits.value(text, of: column)))" : "\(textExpression(text))::\(column.type.duckDBName)"
  }
}
