import Catalog
import FoundationEssentials
import JobModel
import PipelineDefinition

extension LoadHandler {
  /// A version of a dataset that is not in the catalog.
  package struct Candidate: Sendable {
    package var dataset: String
    package var isFull: Bool
    package var columns: [SnapshotColumn]
    package var key: [String]
    package var cursorField: String?
    package var rows: Int64

    package init(
      dataset: String, isFull: Bool, columns: [SnapshotColumn], key: [String], cursorField: String?, rows: Int64
    ) {
      self.dataset = dataset
      self.isFull = isFull
      self.columns = columns
      self.key = key
      self.cursorField = cursorField
      self.rows = rows
    }
  }

  /// Checks that a target's table takes a candidate, as far as that can be told without its rows. Changes nothing.
  ///
  /// - Throws: The `Failure` that loading it would throw.
  package func preview(
    _ candidate: Candidate, into table: LoadTable, of definition: LoadTarget, pipeline: Pipeline
  ) async throws {
    let target = try connect(definition, by: duckDB, directory: scratch)
    let rows = DataFileToLoad(chunk: 0, key: "", localPath: "", rows: candidate.rows, sha256: "")
    let snapshot = SnapshotToLoad(
      uuid: "", number: 0, dataset: candidate.dataset, isFull: candidate.isFull,
      columns: Self.columns(candidate.columns), key: candidate.key, cursorField: candidate.cursorField, files: [rows])
    // It belongs to no job and fences no other loader: nothing is written.
    let loader = Loader(
      installation: installation, environment: environment, pipeline: pipeline.name, jobID: JobID(0), ticket: 0,
      isCopy: isCopy)
    try await target.preview(
      TableLoad(
        table: table, required: Self.required(table, of: pipeline),
        list: { _ in TableLoad.Listing(snapshots: [snapshot]) }), by: loader)
  }
}
