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
/// It keeps no checkpoint, unless it is split: nothing outside of the attempt's scratch directory is written before the data files are
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
  /// When a batch becomes several jobs.
  package let parts: PartRule
  /// The definition that the job's run began with.
  package let definition: @Sendable (JobAttempt) async throws -> (Pipeline, SQLReader)

  package init(
    catalog: Catalog, objects: any ObjectStore, duckDB: DuckDB, limits: DuckDBLimits,
    expansion: ExpansionLimit? = nil, scratch: String, resolver: ValueResolver,
    projectDirectory: String = FileManager.default.currentDirectoryPath,
    newID: @escaping @Sendable () -> String, compactor: Compactor? = nil,
    parts: PartRule = PartRule(),
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
    self.parts = parts
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
    let part = try await self.part(of: attempt)
    let rule = parts.limited(to: pipeline.concurrency)
    // Two runs must not take the same raw; the second waits its turn, which costs it no attempt. The parts of one run do not wait for each other.
    try await attempt.takePermits([
      PermitNeed("curate/\(pipeline.name)/\(step.name)", isOfRun: part != nil || rule.maximum > 1)
    ])
    attempt.killPoint(.curateStarted)
    let batch = CurateBatch(pipeline: pipeline, step: step, run: run, edition: payload.rules, read: sql)
    if let part { return try await carry(part, of: batch, attempt) }
    try await take(try await due(of: batch), of: batch, by: rule, attempt)
  }

  func due(of batch: CurateBatch) async throws -> [DueRaw] {
    try await catalog.dueRaw(
      pipeline: batch.pipeline.name, dataset: batch.step.name, streams: batch.streams, upTo: batch.run)
  }

  /// Takes what is due and ends the job, or the part of it that is left where it is split.
  ///
  /// - Parameter rule: nil: it is not split.
  func take(_ due: [DueRaw], of batch: CurateBatch, by rule: PartRule? = nil, _ attempt: JobAttempt) async throws {
    let (pipeline, dataset) = (batch.pipeline.name, batch.step.name)
    guard due.contains(where: { !$0.objects.isEmpty }) else {
      // No new object: no new version, and nothing that a load could compare.
      try await attempt.complete { transaction in
        try await catalog.consume(due, pipeline: pipeline, dataset: dataset, snapshot: nil, in: transaction)
      }
      return attempt.killPoint(.curateCompleted)
    }
    try await waitForEarlierRuns(of: batch.step, due: due, run: batch.run, attempt: attempt)
    if let rule, let part = try await split(batch, due: due, by: rule, attempt) {
      return try await carry(part, of: batch, attempt)
    }
    try await withScratch(attempt) { try await curate(batch, due: due, directory: $0, attempt: attempt) }
    attempt.killPoint(.curateCompleted)
    await compact(dataset, of: pipeline, attempt: attempt)
  }

  /// Does something with a directory of the attempt's own.
  func withScratch<T>(_ attempt: JobAttempt, _ body: (String) async throws -> T) async throws -> T {
    let directory = "\(scratch)/curate-\(attempt.jobID)-\(attempt.epoch)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    let outcome: Result<T, any Error>
    do { outcome = .success(try await body(directory)) } catch { outcome = .failure(error) }
    try FileManager.default.removeItem(atPath: directory)
    return try outcome.get()
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
    _ batch: CurateBatch, due: [DueRaw], directory: String, attempt: JobAttempt
  ) async throws {
    let (pipeline, step) = (batch.pipeline, batch.step)
    let sql = try batch.sql
    let visible = try await earlierSnapshots(of: step, pipeline: pipeline.name, sql: sql)
    let stored = try await catalog.segments(pipeline: pipeline.name, dataset: step.name)
    var request = try await request(
      step, of: pipeline, sql: sql, due: due, visible: visible, segments: stored, directory: directory,
      upTo: batch.run)
    request.edition = batch.edition
    request.limits = await grownLimits(attempt)
    let result = try await curator(of: due, attempt).curate(request)
    let id = newID()
    let folder = self.folder(of: batch, attempt, id: id)
    let quarantineKey = "\(folder)/quarantine.parquet"
    let files = try await adopt(result, into: folder, quarantine: quarantineKey)
    let segments = try await store(
      result.newSegments, of: pipeline, dataset: step.name, name: "\(attempt.jobID)-\(attempt.epoch)-\(id.prefix(8))",
      attempt)
    let live = result.keptSegments + segments.map(\.id)
    attempt.killPoint(.curateFilesWritten)
    attempt.killPoint(.curateBeforeComplete)
    try await commit(
      CuratedBatch(result, files: files, quarantine: quarantineKey), id: id, of: batch, due: due,
      after: visible.last?.snapshot.id, isFull: request.isFull, replacing: stored, by: live, attempt)
  }

  /// Commits a snapshot in the transaction that ends the job.
  ///
  /// - Parameters:
  ///   - previous: The snapshot before.
  ///   - stored: The segments of histories that there were.
  ///   - live: Those that there are now.
  func commit(
    _ curated: CuratedBatch, id: String, of batch: CurateBatch, due: [DueRaw], after previous: String?, isFull: Bool,
    replacing stored: [StoredSegment], by live: [Int64], _ attempt: JobAttempt
  ) async throws {
    let (pipeline, dataset) = (batch.pipeline, batch.step.name)
    let snapshot = NewSnapshot(
      id: id, pipeline: pipeline.name, dataset: dataset, runID: batch.run, jobID: attempt.jobID, isFull: isFull,
      columns: curated.columns, key: curated.key, cursorField: curated.cursorField, counts: curated.counts,
      quarantineKey: curated.quarantineKey, quarantineKeysReadable: curated.quarantineKeysReadable,
      previousID: previous, files: curated.files, taken: due)
    try await attempt.complete { transaction in
      try await catalog.commit(snapshot, in: transaction)
      if !stored.isEmpty || !live.isEmpty {
        try await catalog.settle(live, pipeline: pipeline.name, dataset: dataset, in: transaction)
      }
      try await note(curated, of: pipeline, dataset: dataset, attempt: attempt, in: transaction)
    }
    await removeSegments(stored, but: live, of: pipeline, attempt)
  }

  /// Numbers of jobs come again when the control database is lost or restored; the name of a snapshot or a part does not.
  func folder(of batch: CurateBatch, _ attempt: JobAttempt, id: String) -> String {
    "curated/\(batch.pipeline.name)/\(batch.step.name)/\(attempt.jobID)-\(attempt.epoch)-\(id.prefix(8))"
  }

  func curator(of due: [DueRaw], _ attempt: JobAttempt) -> Curator {
    let total = due.reduce(0) { $0 + $1.objects.count }
    let bytes = due.reduce(0) { $0 + $1.objects.reduce(0) { $0 + $1.bytes } }
    return Curator(duckdb: duckDB.telling { attempt.noteMemory(ofChild: $0) }) { progress in
      attempt.progress(
        JobProgress(
          rows: Int64(progress.rows), units: progress.objects, totalUnits: total, totalBytes: bytes,
          note: progress.step))
    }
  }

  /// The limits of an attempt, with more memory where those before ran out of it.
  func grownLimits(_ attempt: JobAttempt) async -> DuckDBLimits {
    let limits = limits.grown(after: attempt.claim.memoryKills)
    if attempt.claim.memoryKills > 0 {
      await attempt.log(
        .info, "runs alone with \(limits.memoryBytes / 1_000_000) MB of memory: an attempt before ran out of it")
    }
    return limits
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
  func adopt(_ result: CurationResult, into folder: String, quarantine key: String) async throws -> [DataFile] {
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
