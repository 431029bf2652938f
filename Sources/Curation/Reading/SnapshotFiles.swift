import DuckDB
import JobModel

/// The data files of several snapshots as one scan: the engine plans a scan of many files faster than many scans, and opens each
/// file once less.
package enum SnapshotFiles {
  /// The engine's number of a row's file in the list of a scan; it is no column of `*`.
  private static let fileIndex = "file_index"

  /// Neighbours that one scan reads: all their columns have the same names and types.
  ///
  /// - Parameter columns: Of each snapshot, in order.
  package static func groups(_ columns: [[DataColumn]]) -> [Range<Int>] {
    var groups: [Range<Int>] = []
    for index in columns.indices {
      // A column of this name would take the place of the engine's number.
      let canJoin = !columns[index].contains { SQLName($0.name) == SQLName(fileIndex) }
      if canJoin, let last = groups.last, columns[last.lowerBound] == columns[index] {
        groups[groups.count - 1] = last.lowerBound..<index + 1
      } else {
        groups.append(index..<index + 1)
      }
    }
    return groups
  }

  /// SQL for the number of the snapshot that a row of a scan comes from.
  ///
  /// - Parameter snapshots: How many files of each are in the scan's list, in order.
  package static func number(_ snapshots: [(files: Int, number: Int64)]) -> String {
    guard snapshots.count > 1 else { return "\(snapshots.first?.number ?? 0)" }
    let numbers = snapshots.flatMap { repeatElement("\($0.number)", count: $0.files) }
    return "([\(numbers.joined(separator: ", "))])[\(fileIndex)::BIGINT + 1]"
  }
}
