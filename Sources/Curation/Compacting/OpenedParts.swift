import Catalog
import DuckDB
import JobModel
import ObjectStore

/// The parts of datasets as readers open them: compactions where they can be read, else the snapshots that they were made of.
package enum OpenedParts {
  /// What a reader of a dataset opens, oldest first.
  ///
  /// A compaction of which an object is gone or cut short is left out, as after a restore of an older control database: its snapshots have the
  /// same rows.
  ///
  /// - Parameters:
  ///   - pipeline: nil: of all pipelines.
  ///   - dataset: nil: all datasets.
  package static func of(
    _ catalog: Catalog, _ objects: any ObjectStore, pipeline: String?, dataset: String?
  ) async throws -> [DatasetPart] {
    let parts = try await catalog.parts(pipeline: pipeline, dataset: dataset)
    guard parts.contains(where: \.isCompacted) else { return parts }
    let barred = Set(
      parts.filter { !SnapshotFiles.canJoin($0.snapshot.columns.map(\.name)) }.map(DatasetName.init))
    var opened: [DatasetPart] = []
    for part in parts {
      guard part.isCompacted else {
        opened.append(part)
        continue
      }
      if !barred.contains(DatasetName(part)), try await isWhole(part, objects) {
        opened.append(part)
        continue
      }
      let snapshots = try await catalog.snapshots(
        pipeline: part.snapshot.pipeline, dataset: part.snapshot.dataset, from: part.firstNumber)
      opened += snapshots.filter { $0.number <= part.lastNumber }.map(DatasetPart.init)
    }
    return opened
  }

  /// Whether all objects of a part are there, in their length.
  static func isWhole(_ part: DatasetPart, _ objects: any ObjectStore) async throws -> Bool {
    for file in part.snapshot.files {
      guard try await objects.info(try ObjectKey(file.key))?.bytes == file.bytes else { return false }
    }
    return true
  }

  private struct DatasetName: Hashable {
    var pipeline: String
    var dataset: String
    init(_ part: DatasetPart) {
      pipeline = part.snapshot.pipeline
      dataset = part.snapshot.dataset
    }
  }
}
