import DuckDB
import JobModel

/// The rows of parents over several snapshots: of each parent those of one snapshot count, its newest.
package enum ReplacedRows {
  /// The rows of `versions` with `_sluice_winner`: the snapshot whose rows of their parent count.
  ///
  /// - Parameters:
  ///   - replaces: The columns that name the parent.
  ///   - order: What orders the versions, newest first.
  ///   - snapshot: The column that tells snapshots apart.
  package static func marked(_ versions: String, _ replaces: [String], by order: String, of snapshot: String) -> String
  {
    let parent = replaces.map(quoteIdentifier).joined(separator: ", ")
    return """
      select *, first_value(\(snapshot)) over (partition by \(parent) order by \(order)) as _sluice_winner from (\(versions))
      """
  }

  /// Leaves out the marks of parents without rows.
  package static func isRow(key: [String], replaces: [String]) -> String {
    Accounting.isRow(key: key, replaces: replaces)
  }
}
