import Catalog
import Curation
import DuckDB
import JobModel
import ObjectStore
import PipelineDefinition

/// Each dataset of the catalog as a view.
enum DatasetViews {
  static func gather(_ installation: Installation) async throws -> [ConfinedQuery.View] {
    let all = try await installation.catalog.snapshots(pipeline: nil, dataset: nil)
    let datasets = Dictionary(grouping: all) { "\($0.pipeline).\($0.dataset)" }
    let names = Dictionary(grouping: datasets.keys) { datasets[$0]?.first?.dataset ?? $0 }
    return try datasets.sorted { $0.key < $1.key }.flatMap { full, snapshots -> [ConfinedQuery.View] in
      guard let last = snapshots.last else { return [] }
      let body = try select(visible(snapshots), installation.objects)
      let isUnique = names[last.dataset]?.count == 1
      return (isUnique ? [last.dataset, full] : [full]).map {
        ConfinedQuery.View(name: $0, select: body)
      }
    }
  }

  /// The newest full snapshot and what was added since; all of an incremental dataset.
  private static func visible(_ snapshots: [Snapshot]) -> [Snapshot] {
    Array(snapshots[(snapshots.lastIndex(where: \.isFull) ?? 0)...])
  }

  private static func path(of file: DataFile, _ objects: any ObjectStore) throws -> String {
    guard let path = objects.localPath(try ObjectKey(file.key)) else {
      preconditionFailure("a local store has a path for each of its objects")
    }
    return path
  }

  private static func select(_ snapshots: [Snapshot], _ objects: any ObjectStore) throws -> String {
    guard let last = snapshots.last else { preconditionFailure("a dataset has at least one snapshot") }
    let columns = last.columns.map { quoteIdentifier($0.name) }.joined(separator: ", ")
    let order = VersionOrder(last)
    let filled = snapshots.filter { !$0.files.isEmpty }
    let groups = SnapshotFiles.groups(filled.map(\.dataColumns))
    let parts = try groups.map { group in
      let first = filled[group.lowerBound]
      let paths = try filled[group].flatMap { try $0.files.map { try path(of: $0, objects) } }
      let number = SnapshotFiles.number(filled[group].map { (files: $0.files.count, number: $0.number) })
      return """
        select \(TextColumns(first.columns.map { ($0.name, $0.type) }).star), \(number) as _snapshot, \(order.value(in: first)) as _sluice_order
        from read_parquet(\(quoteList(paths)), union_by_name = true, hive_partitioning = false)
        """
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
    guard !last.key.isEmpty, snapshots.count > 1 else { return "select \(columns) from (\(rows))" }
    let key = last.key.map(quoteIdentifier).joined(separator: ", ")
    let isPartial = last.key.map { "\(quoteIdentifier($0)) is null" }.joined(separator: " or ")
    return """
      select \(columns) from (\(rows))
      qualify row_number() over (partition by \(key) order by _sluice_order desc nulls last, _snapshot desc) = 1
        or \(isPartial)
      """
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
