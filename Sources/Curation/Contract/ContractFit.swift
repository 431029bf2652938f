import DuckDB
import PipelineDefinition

/// A dataset's contract held against the names of the columns that there are.
struct ContractFit: Sendable {
  let step: CurateStep
  /// Whether a SELECT gives them; else the stream does.
  var hasSelect = true
  /// What the SELECT, or the stream where there is none, gives.
  let given: [String]

  /// Columns of the contract that are not given and may not be absent.
  var missing: [ContractColumn] {
    let names = Set(given.map(SQLName.init))
    return step.columns.filter { !$0.optional && !names.contains(SQLName($0.name)) }
  }

  /// Given columns that the contract does not list; empty where they may be dropped. Fields of a stream without a SELECT that the
  /// contract does not list are no columns of the dataset: they stay in raw.
  var extra: [String] {
    guard step.extra == .fail, hasSelect, !step.columns.isEmpty else { return [] }
    let names = Set(step.columns.map { SQLName($0.name) })
    return given.filter { !names.contains(SQLName($0)) }
  }
}
