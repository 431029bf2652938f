import Catalog
import DuckDB
import JobModel
import ObjectStore
import PipelineDefinition

/// What a reader sees of a dataset: the latest row of each key, or all rows where it has none.
package enum DatasetView {
  /// - Parameter dataset: All its parts, oldest first; at least one.
  package static func select(_ dataset: [DatasetPart], _ objects: any ObjectStore) throws -> String {
    guard let last = dataset.last?.snapshot else { preconditionFailure("a dataset has at least one snapshot") }
    let columns = last.columns.map { quoteIdentifier($0.name) }.joined(separator: ", ")
    let order = VersionOrder(last)
    let filled = dataset.filter { !$0.snapshot.files.isEmpty }
    let groups = SnapshotFiles.groups(filled.map(\.snapshot.dataColumns))
    let parts = try groups.map { group in
      let first = filled[group.lowerBound].snapshot
      return SnapshotFiles.select(
        try filled[group].map { part in
          (
            paths: try part.snapshot.files.map { try path(of: $0, objects) },
            number: part.isCompacted ? nil : part.lastNumber
          )
        }, TextColumns(first.columns.map { ($0.name, $0.type) }), number: "_snapshot",
        adding: ", \(order.value(in: first)) as _sluice_order")
    }
    guard !parts.isEmpty else {
      let empty = last.columns.map { "null::\(ColumnType($0.type).duckDBName) as \(quoteIdentifier($0.name))" }.joined(
        separator: ", ")
      return "select \(empty) where false"
    }
    let rows = parts.joined(separator: " union all by name ")
    let replaces = last.columns.filter { $0.replaces == true }.map(\.name)
    guard replaces.isEmpty else {
      let marked = ReplacedRows.marked(
        rows, replaces, by: "_sluice_order desc nulls last, _snapshot desc", of: "_snapshot")
      return """
        select \(columns) from (\(marked))
        where _snapshot = _sluice_winner and \(ReplacedRows.isRow(key: last.key, replaces: replaces))
        """
    }
    guard !last.key.isEmpty, dataset.reduce(0, { $0 + $1.count }) > 1 else { return "select \(columns) from (\(rows))" }
    let key = last.key.map(quoteIdentifier).joined(separator: ", ")
    let isPartial = last.key.map { "\(quoteIdentifier($0)) is null" }.joined(separator: " or ")
    return """
      select \(columns) from (\(rows))
      qualify row_number() over (partition by \(key) order by _sluice_order desc nulls last, _snapshot desc) = 1
        or \(isPartial)
      """
  }

  private static func path(of file: DataFile, _ objects: any ObjectStore) throws -> String {
    guard let path = objects.localPath(try ObjectKey(file.key)) else {
      preconditionFailure("a local store has a path for each of its objects")
    }
    return path
  }
}

extension Snapshot {
  fileprivate var dataColumns: [DataColumn] { columns.map { DataColumn(name: $0.name, type: $0.type) } }
}

/// What orders the versions of a row in a dataset's snapshots.
private struct VersionOrder {
  private let field: String?
  private let order: CursorOrder?

  init(_ last: Snapshot) {
    let column = last.columns.first { $0.name == last.cursorField }
    field = column?.name
    order = (column?.cursor ?? column?.type).map { CursorOrder(ColumnType($0)) }
  }

  func value(in snapshot: Snapshot) -> String {
    guard let order, let column = snapshot.columns.first(where: { $0.name == field }) else { return "null" }
    return order.expression(quoteIdentifier(column.name), type: column.type)
  }
}
