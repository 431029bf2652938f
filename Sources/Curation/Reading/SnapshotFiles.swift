import DuckDB
import JobModel

/// The data files of several snapshots as one scan: the engine plans a scan of many files faster than many scans, and opens each
/// file once less.
package enum SnapshotFiles {
  /// The engine's number of a row's file in the list of a scan; it is no column of `*`.
  private static let fileIndex = "file_index"

  /// The column of a compaction's files that tells the number of the snapshot that a row comes from.
  package static let compactedNumber = "_sluice_snapshot"

  /// Whether the files of a snapshot with these columns can be read together with those of others: no column takes the place of the
  /// engine's number or of a compaction's.
  package static func canJoin(_ columns: [String]) -> Bool {
    !columns.contains { [SQLName(fileIndex), SQLName(compactedNumber)].contains(SQLName($0)) }
  }

  /// Neighbours that one scan reads: all their columns have the same names and types.
  ///
  /// - Parameter columns: Of each snapshot, in order.
  package static func groups(_ columns: [[DataColumn]]) -> [Range<Int>] {
    var groups: [Range<Int>] = []
    for index in columns.indices {
      if canJoin(columns[index].map(\.name)), let last = groups.last, columns[last.lowerBound] == columns[index] {
        groups[groups.count - 1] = last.lowerBound..<index + 1
      } else {
        groups.append(index..<index + 1)
      }
    }
    return groups
  }

  /// SQL for the number of the snapshot that a row of a scan comes from.
  ///
  /// - Parameter snapshots: How many files of each are in the scan's list, in order; without a number the files of a compaction.
  package static func number(_ snapshots: [(files: Int, number: Int64?)]) -> String {
    let isCompacted = snapshots.contains { $0.number == nil }
    if isCompacted, snapshots.allSatisfy({ $0.number == nil }) { return compactedNumber }
    guard snapshots.count > 1 else { return "\(snapshots.first?.number ?? 0)" }
    let numbers = snapshots.flatMap { repeatElement($0.number.map { "\($0)" } ?? "null", count: $0.files) }
    let ofFile = "([\(numbers.joined(separator: ", "))])[\(fileIndex)::BIGINT + 1]"
    return isCompacted ? "coalesce(\(compactedNumber), \(ofFile))" : ofFile
  }

  /// SQL for the rows of snapshots with the same columns, in the types of the dataset, as one scan.
  ///
  /// - Parameters:
  ///   - snapshots: The files of each, in order; without a number those of a compaction.
  ///   - name: What the column with the number of a row's snapshot is called.
  ///   - more: Further columns.
  package static func select(
    _ snapshots: [(paths: [String], number: Int64?)], _ texts: TextColumns, number name: String,
    adding more: String = ""
  ) -> String {
    let number = number(snapshots.map { (files: $0.paths.count, number: $0.number) })
    let star = texts.star(isCompacted: snapshots.contains { $0.number == nil })
    let paths = quoteList(snapshots.flatMap(\.paths))
    return """
      select \(star), \(number) as \(name)\(more)
      from read_parquet(\(paths), union_by_name = true, hive_partitioning = false)
      """
  }
}
