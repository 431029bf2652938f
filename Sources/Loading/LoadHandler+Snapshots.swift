import Catalog
import DuckDB
import JobModel
import ObjectStore
import PipelineDefinition

extension LoadHandler {
  /// One table, and how the catalog lists the snapshots that it lacks.
  func tableLoad(
    _ table: LoadTable, of pipeline: Pipeline, target: String, reload: LoadPayload.Reload? = nil
  ) -> TableLoad {
    TableLoad(
      table: table, required: Self.required(table, of: pipeline), repair: reload?.how,
      named: reload?.snapshots ?? [], reloadID: reload?.id,
      forget: {
        try await catalog.forgetLoads(
          pipeline: pipeline.name, dataset: table.from, target: target, table: "\(table.schema).\(table.table)")
      },
      list: { head in try await list(table, pipeline: pipeline.name, target: target, after: head) })
  }

  private func list(
    _ table: LoadTable, pipeline: String, target: String, after head: String?
  ) async throws -> TableLoad.Listing {
    var number: Int64?
    if let head { number = try await catalog.number(ofSnapshot: head, pipeline: pipeline, dataset: table.from) }
    let name = "\(table.schema).\(table.table)"
    var unrecorded: [String] = []
    var knowsHead = true
    if let number {
      unrecorded = try await catalog.unrecordedSnapshots(
        pipeline: pipeline, dataset: table.from, upTo: number, target: target, table: name)
    } else if let head {
      // One of another dataset is known: the definition loads another one into the table than it did.
      knowsHead = try await catalog.unknownSnapshots([head]).isEmpty
    }
    let snapshots = try await catalog.snapshots(
      pipeline: pipeline, dataset: table.from, from: number.map { $0 + 1 } ?? 0)
    let batches = try await catalog.snapshots(
      pipeline: pipeline, dataset: table.from, ofRuns: Set(snapshots.map(\.runID)).sorted())
    let loads = try snapshots.map { snapshot in
      var load = try snapshotToLoad(snapshot, table: table)
      load.replaces = snapshot.columns.filter { $0.replaces == true }.map(\.name)
      load.repeats = batches.filter { $0.run == snapshot.runID && $0.number < snapshot.number }.map(\.id)
      return load
    }
    return TableLoad.Listing(
      unrecorded: unrecorded, snapshots: loads,
      recorded: try await catalog.recordedLoads(of: loads.map(\.uuid), target: target, table: name),
      knowsHead: knowsHead)
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
    columns.filter { !provenance.contains($0.name) }.map { SnapshotToLoad.Column($0.name, $0.type, cursor: $0.cursor) }
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
