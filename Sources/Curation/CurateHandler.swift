import Catalog
import DuckDB
import FoundationEssentials
import JobModel
import JobStore
import Logging
import ObjectStore
import PipelineDefinition
import Postgres

/// Does the jobs of the kind `curate`: takes the raw that is due and commits one snapshot of one dataset.
///
/// It keeps no checkpoint: nothing outside of the attempt's scratch directory is written before the data files are
/// adopted, whose keys contain job and epoch; only the completing transaction makes them part of the dataset. An
/// attempt that dies is done again from the raw, and gives the same rows.
package struct CurateHandler: JobHandler {
  /// The text of a file of the project that the run began with.
  package typealias SQLReader = @Sendable (_ path: String) throws -> String

  package let catalog: Catalog
  /// Where curated objects go, and where raw objects are of pipelines that name no raw zone of their own.
  package let objects: any ObjectStore
  package let duckDB: DuckDB
  package let limits: DuckDBLimits
  package let expansion: ExpansionLimit
  /// Each attempt works in a directory of its own under this one.
  package let scratch: String
  package let resolver: ValueResolver
  /// A pipeline's own raw zone is relative to it.
  package let projectDirectory: String
  /// A fresh UUID for each snapshot.
  package let newID: @Sendable () -> String
  /// Brings small files together; nil: they stay as they are.
  package let compactor: Compactor?
  /// The definition that the job's run began with.
  package let definition: @Sendable (JobAttempt) async throws -> (Pipeline, SQLReader)

  package init(
    catalog: Catalog, objects: any ObjectStore, duckDB: DuckDB, limits: DuckDBLimits,
    expansion: ExpansionLimit? = nil, scratch: String, resolver: ValueResolver,
    projectDirectory: String = FileManager.default.currentDirectoryPath,
    newID: @escaping @Sendable () -> String, compactor: Compactor? = nil,
    definition: @escaping @Sendable (JobAttempt) async throws -> (Pipeline, SQLReader)
  ) {
    self.catalog = catalog
    self.objects = objects
    self.duckDB = duckDB
    self.limits = limits
    self.expansion = expansion ?? ExpansionLimit(bytes: limits.temporaryBytes)
    self.scratch = scratch
    self.resolver = resolver
    self.projectDirectory = projectDirectory
    self.newID = newID
    self.compactor = compactor
    self.definition = definition
  }

  private struct Payload: Decodable {
    var dataset: String
    /// Absent from the jobs of engines that knew no editions.
    var edition: String?

    var rules: Edition {
      guard let edition else { return .first }
      return Int(edition).flatMap(Edition.init(rawValue:)) ?? .current
    }
  }

  package func run(_ attempt: JobAttempt) async throws {
    let (pipeline, sql) = try await definition(attempt)
    let payload = try JSONDecoder().decode(Payload.self, from: Data(attempt.payload.utf8))
    guard let step = pipeline.curate.first(where: { $0.name == payload.dataset }) else {
      throw StageFailure(
        code: "dataset_missing", message: "pipeline \(pipeline.name) has no dataset \(payload.dataset)",
        hint: "the run keeps the definition that it began with; start a new run")
    }
    guard let run = attempt.runID else { preconditionFailure("curate jobs belong to a run") }
    // Two runs must not take the same raw; the second waits its turn, which costs it no attempt.
    try await attempt.takePermits([PermitNeed("curate/\(pipeline.name)/\(step.name)")])
    attempt.killPoint(.curateStarted)
    let streams = step.from.map { StreamID(pipeline: pipeline.name, source: $0.source, stream: $0.stream) }
    let due = try await catalog.dueRaw(pipeline: pipeline.name, dataset: step.name, streams: streams, upTo: run)
    guard due.contains(where: { !$0.objects.isEmpty }) else {
      // No new object: no new version, and nothing that a load could compare.
      try await attempt.complete { transaction in
        try await catalog.consume(due, pipeline: pipeline.name, dataset: step.name, snapshot: nil, in: transaction)
      }
      return attempt.killPoint(.curateCompleted)
    }
    try await waitForEarlierRuns(of: step, due: due, run: run, attempt: attempt)
    let directory = "\(scratch)/curate-\(attempt.jobID)-\(attempt.epoch)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    let outcome: Result<Void, any Error>
    do {
      let text = try step.sqlPath.map(sql)
      outcome = .success(
        try await curate(
          step, of: pipeline, sql: text, due: due, upTo: run, edition: payload.rules, directory: directory,
          attempt: attempt))
    } catch {
      outcome = .failure(error)
    }
    try FileManager.default.removeItem(atPath: directory)
    try outcome.get()
    attempt.killPoint(.curateCompleted)
    await compact(step.name, of: pipeline.name, attempt: attempt)
  }

  /// How long a run waits before it asks again whether the one before has taken its raw.
  private static let turn = Duration.seconds(1)

  /// An earlier run that is still active curates its raw itself, by the definition that it began with; what it will not take any more
  /// is this run's.
  ///
  /// - Throws: `JobSnooze` where it is to be waited for, which costs no attempt.
  private func waitForEarlierRuns(
    of step: CurateStep, due: [DueRaw], run: RunID, attempt: JobAttempt
  ) async throws {
    let earlier = Set(due.flatMap(\.objects).map(\.runID).filter { $0 < run })
    guard !earlier.isEmpty else { return }
    let isPending = try await attempt.store.hasLivingJob(ofRuns: earlier, kind: "curate", label: step.name)
    if isPending { throw JobSnooze(Self.turn) }
  }

  private func curate(
    _ step: CurateStep, of pipeline: Pipeline, sql: String?, due: [DueRaw], upTo run: RunID, edition: Edition,
    directory: String, attempt: JobAttempt
  ) async throws {
    let visible = try await earlierSnapshots(of: step, pipeline: pipeline.name, sql: sql)
    let stored = try await catalog.segments(pipeline: pipeline.name, dataset: step.name)
    var request = try await request(
      step, of: pipeline, sql: sql, due: due, visible: visible, segments: stored, directory: directory, upTo: run)
    request.edition = edition
    request.limits = limits.grown(after: attempt.claim.memoryKills)
    if attempt.claim.memoryKills > 0 {
      await attempt.log(
        .info, "runs alone with \(request.limits.memoryBytes / 1_000_000) MB of memory: an attempt before ran out of it"
      )
    }
    let total = due.reduce(0) { $0 + $1.objects.count }
    let bytes = due.reduce(0) { $0 + $1.objects.reduce(0) { $0 + $1.bytes } }
    let curator = Curator(duckdb: duckDB.telling { attempt.noteMemory(ofChild: $0) }) { progress in
      attempt.progress(
        JobProgress(
          rows: Int64(progress.rows), units: progress.objects, totalUnits: total, totalBytes: bytes,
          note: progress.step))
    }
    let result = try await curator.curate(request)
    let id = newID()
    // Numbers of jobs come again when the control database is lost or restored; the snapshot's name does not.
    let folder = "curated/\(pipeline.name)/\(step.name)/\(attempt.jobID)-\(attempt.epoch)-\(id.prefix(8))"
    let quarantineKey = "\(folder)/quarantine.parquet"
    let files = try await adopt(result, into: folder, quarantine: quarantineKey)
    let segments = try await store(
      result.newSegments, of: pipeline, dataset: step.name, name: "\(attempt.jobID)-\(attempt.epoch)-\(id.prefix(8))",
      attempt)
    let live = result.keptSegments + segments.map(\.id)
    attempt.killPoint(.curateFilesWritten)
    let snapshot = NewSnapshot(
      id: id, pipeline: pipeline.name, dataset: step.name, runID: run,
      jobID: attempt.jobID, isFull: request.isFull,
      columns: result.snapshotColumns, key: result.key, cursorField: result.cursorField,
      counts: SnapshotCounts(result.counts),
      quarantineKey: result.quarantine == nil ? nil : quarantineKey,
      quarantineKeysReadable: result.quarantineKeysReadable, previousID: visible.last?.snapshot.id, files: files,
      taken: due)
    attempt.killPoint(.curateBeforeComplete)
    try await attempt.complete { transaction in
      try await catalog.commit(snapshot, in: transaction)
      if !stored.isEmpty || !live.isEmpty {
        try await catalog.settle(live, pipeline: pipeline.name, dataset: step.name, in: transaction)
      }
      try await note(result, of: pipeline, dataset: step.name, attempt: attempt, in: transaction)
    }
    await removeSegments(stored, but: live, of: pipeline, attempt)
  }

  /// What the dataset holds before this run; of most datasets only the last snapshot, without its files, is needed.
  private func earlierSnapshots(of step: CurateStep, pipeline: String, sql: String?) async throws -> [DatasetPart] {
    // The text decides whether earlier rows may be needed; the parsed SELECT decides whether they are read.
    let mayReadRows = step.checksReadDataset || sql?.lowercased().contains("previous") ?? false
    guard !mayReadRows else {
      return try await OpenedParts.of(catalog, objects, pipeline: pipeline, dataset: step.name)
    }
    return try await catalog.lastSnapshot(pipeline: pipeline, dataset: step.name).map { [DatasetPart($0)] } ?? []
  }

  /// Takes the data files and the quarantine in; chunks are numbered in the order of the files.
  private func adopt(_ result: CurationResult, into folder: String, quarantine key: String) async throws -> [DataFile] {
    var files = try result.files.enumerated().map { chunk, file in
      let partition = file.partition.isEmpty ? "" : file.partition + "/"
      return (path: file.path, key: try ObjectKey("\(folder)/\(partition)part-\(chunk).parquet"))
    }
    if let quarantine = result.quarantine { files.append((quarantine.path, try ObjectKey(key))) }
    let stored = try await objects.adopt(files: files)
    return zip(result.files, stored).enumerated().map { chunk, pair in
      let (file, object) = pair
      return DataFile(
        chunk: chunk, key: object.key.text, partition: file.partition, rows: Int64(file.rows), bytes: object.bytes,
        sha256: object.sha256)
    }
  }
}

extension CurationResult {
  /// As the catalog keeps them.
  var snapshotColumns: [SnapshotColumn] {
    columns.map { column in
      SnapshotColumn(
        name: column.name, type: ColumnType(duckDBName: column.type).name,
        cursor: column.name == cursor?.field ? cursor?.type.name : nil,
        replaces: replaces.contains(column.name) ? true : nil)
    }
  }
}

extension SnapshotCounts {
  init(_ counts: CurationCounts) {
    self.init(
      rowsIn: Int64(counts.rowsIn), rowsOut: Int64(counts.rowsOut), filtered: counts.filtered.map(Int64.init),
      deduplicated: Int64(counts.deduplicated), quarantined: Int64(counts.quarantined))
  }
}
