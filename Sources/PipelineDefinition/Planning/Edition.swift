/// The rules that a run's definition was checked by when the run was planned.
///
/// Each `curate` job has the edition of the engine that planned it. A later engine that takes the job over keeps these
/// rules to its end: a running batch does not fail because a new engine is stricter.
package enum Edition: Int, Sendable, Comparable {
  /// Columns that are missing are null, and those that the contract does not list are left out.
  case first = 1
  /// Names must exist, and a SELECT says which rows it means.
  case exact = 2

  package static let current = Edition.exact

  /// Diagnostics of definitions that engines of the first edition accepted. They refuse a definition when it is checked, deployed or
  /// run, and not while a run goes on with it.
  static let exactCodes: Set<String> = ["column_name", "replace_needs_full"]

  /// Diagnostics of SELECTs that engines of the first edition accepted.
  private static let exactSelectCodes: Set<String> = ["over", "unknown_column", "extra_column"]

  /// The rules of an engine, by the newest migration that it knows; nil: of this one.
  package init(schema: Int?) {
    self = schema.map { $0 < Self.firstExactSchema } == true ? .first : .current
  }

  private static let firstExactSchema = 6

  /// Those of a definition's diagnostics, and of its SELECTs', that these rules know.
  package func known(of definition: [Diagnostic], _ selects: [Diagnostic]) -> [Diagnostic] {
    guard self < .exact else { return definition + selects }
    return (definition + selects.filter { !Self.exactSelectCodes.contains($0.code) })
      .filter { !Self.exactCodes.contains($0.code) }
  }

  package static func < (left: Edition, right: Edition) -> Bool { left.rawValue < right.rawValue }
}
