import Catalog
import DuckDB
import JobModel
import ObjectStore
import PipelineDefinition

extension LoadHandler {
  /// Everything that the catalog has for one table, as the target wants it.
  func tableLoad(_ table: LoadTable, of pipeline: Pipeline) async throws -> TableLoad {
    let snapshots = try await catalog.snapshots(pipeline: pipeline.name, dataset: table.from)
    var batches: [Int64: [String]] = [:]
    var loads: [SnapshotToLoad] = []
    for snapshot in snapshots {
      var load = try snapshotToLoad(snapshot, table: table)
      load.repeats = batches[snapshot.runID.rawValue] ?? []
      batches[snapshot.runID.rawValue, default: []].append(snapshot.id)
      loads.append(load)
    }
    return TableLoad(table: table, required: Self.required(table, of: pipeline), snapshots: loads)
  }

  static func required(_ table: LoadTable, of pipeline: Pipeline) -> Set<String> {
    let contract = pipeline.curate.first { $0.name == table.from }?.columns ?? []
    return Set(contract.filter(\.required).map(\.name))
  }

  /// Where a row stands in raw: in the data files for lineage, not for the target.
  private static let provenance: Set<String> = ["_object", "_position"]

  private func snapshotToLoad(_ snapshot: Snapshot, table: LoadTable) throws -> SnapshotToLoad {
    SnapshotToLoad(
      uuid: snapshot.id, number: snapshot.number, dataset: snapshot.dataset, isFull: snapshot.isFull,
      columns: Self.columns(snapshot.columns), key: snapshot.key,
      cursorField: snapshot.cursorField,
      files: try snapshot.files.map { file in
        DataFileToLoad(
          chunk: file.chunk, key: file.key, localPath: try path(of: file.key), rows: file.rows, sha256: file.sha256)
      },
      quarantinedKeys: try quarantinedKeys(snapshot, key: table.key.isEmpty ? snapshot.key : table.key))
  }

  static func columns(_ columns: [SnapshotColumn]) -> [SnapshotToLoad.Column] {
    columns.filter { !provenance.contains($0.name) }.map { SnapshotToLoad.Column($0.name, $0.type) }
  }

  private func quarantinedKeys(_ snapshot: Snapshot, key: [String]) throws -> QuarantinedKeys {
    guard snapshot.quarantineKeysReadable else { return .unreadable }
    guard let object = snapshot.quarantineKey else { return .none }
    // Only of the dataset's own key are the values kept with the rows.
    guard !key.isEmpty, Set(key).isSubset(of: snapshot.key) else { return .unreadable }
    return .file(path: try path(of: object))
  }

  private func path(of key: String) throws -> String {
    guard let path = objects.localPath(try ObjectKey(key)) else {
      throw StageFailure(
        code: "data_file_unreadable", message: "the SQL engine cannot open \(key) in this storage",
        hint: "use a storage location of the kind file:")
    }
    return path
  }
}
