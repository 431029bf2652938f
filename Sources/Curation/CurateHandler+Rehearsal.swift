import Catalog
import FoundationEssentials
import JobModel
import JobStore
import PipelineDefinition

extension CurateHandler {
  /// What became of it when it was curated once more.
  package struct Rehearsed: Sendable {
    package var counts: SnapshotCounts
    package var isFull: Bool
    package var columns: [SnapshotColumn]
    package var key: [String]
    package var cursorField: String?
  }

  /// A dataset's last version, what the dataset held before it, and what it was made from.
  package struct LastVersion: Sendable {
    package var snapshot: Snapshot
    package var before: [Snapshot]
    /// In the order of the step's `from`; a stream that it was not made from has no runs.
    package var raw: [DueRaw]
    /// Streams that it was made from and that the step no longer takes.
    package var others: Set<StreamID>
  }

  /// Nil where there is no version yet that was made of anything.
  package func lastVersion(_ step: CurateStep, of pipeline: Pipeline) async throws -> LastVersion? {
    let versions = try await catalog.snapshots(pipeline: pipeline.name, dataset: step.name)
    guard let index = versions.lastIndex(where: { $0.counts.rowsIn > 0 }) else { return nil }
    let last = versions[index]
    let before = versions[..<index]
    let visible = Array(before[(before.lastIndex(where: \.isFull) ?? before.startIndex)...])
    let streams = step.from.map { StreamID(pipeline: pipeline.name, source: $0.source, stream: $0.stream) }
    let (raw, others) = try await catalog.raw(takenBy: last, streams: streams)
    return LastVersion(snapshot: last, before: visible, raw: raw, others: others)
  }

  /// Curates what a version was made from once more, by this definition, on what the dataset held before it. Nothing of it is
  /// kept, and nobody else sees it.
  ///
  /// - Parameter name: Of the directory under the scratch directory that this call has for itself.
  package func rehearse(
    _ step: CurateStep, of pipeline: Pipeline, sql: SQLReader, on version: LastVersion, name: String
  ) async throws -> Rehearsed {
    let directory = "\(scratch)/\(name)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let request = try await request(
      step, of: pipeline, sql: try step.sqlPath.map(sql), due: version.raw,
      visible: version.before.map(DatasetPart.init),
      directory: directory, upTo: version.snapshot.runID, isRehearsed: true)
    let result = try await Curator(duckdb: duckDB).curate(request)
    return Rehearsed(
      counts: SnapshotCounts(result.counts), isFull: request.isFull, columns: result.snapshotColumns,
      key: result.key, cursorField: result.cursorField)
  }
}
