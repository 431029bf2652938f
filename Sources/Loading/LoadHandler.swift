import Catalog
import DuckDB
import FoundationEssentials
import JobModel
import JobStore
import ObjectStore
import PipelineDefinition
import Postgres
import Synchronization

/// Does the jobs of the kind `load`: brings every table of one target up to date from the catalog.
///
/// It keeps no checkpoint of its own: what is staged and what is in, the target knows. The control database is told
/// when the job completes; what an attempt loaded before it died, the next one finds in the ledger and tells.
package struct LoadHandler: JobHandler {
  package let catalog: Catalog
  package let objects: any ObjectStore
  package let duckDB: DuckDB
  /// The control database's own name in the ledgers: `Catalog.installation(proposal:)`.
  package let installation: String
  package let environment: String
  /// Whether `sluice env up` made the environment.
  package let isCopy: Bool
  /// Each attempt works in a directory of its own under this one.
  package let scratch: String
  package let resolver: ValueResolver
  /// The definition that the job's run began with.
  package let definition: @Sendable (JobAttempt) async throws -> Pipeline

  package init(
    catalog: Catalog, objects: any ObjectStore, duckDB: DuckDB, installation: String, environment: String,
    isCopy: Bool = false, scratch: String, resolver: ValueResolver,
    definition: @escaping @Sendable (JobAttempt) async throws -> Pipeline
  ) {
    self.catalog = catalog
    self.objects = objects
    self.duckDB = duckDB
    self.installation = installation
    self.environment = environment
    self.isCopy = isCopy
    self.scratch = scratch
    self.resolver = resolver
    self.definition = definition
  }

  package func run(_ attempt: JobAttempt) async throws {
    let pipeline = try await definition(attempt)
    let payload = try LoadPayload(attempt.payload)
    let target = try payload.target(in: pipeline)
    // One load of a pipeline's target at a time: a second run's job waits its turn, which costs it no attempt.
    var needs: Set = [PermitNeed("load/\(pipeline.name)/\(target.name)")]
    if let concurrency = target.concurrency {
      needs.insert(PermitNeed("target/\(try place(of: target))", slots: concurrency))
    }
    try await attempt.takePermits(needs)
    let directory = "\(scratch)/load-\(attempt.jobID)-\(attempt.epoch)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    let result: Result<Loaded, any Error>
    do {
      result = .success(
        try await load(pipeline, into: target, reload: payload.reload, directory: directory, attempt: attempt))
    } catch {
      result = .failure(error)
    }
    try FileManager.default.removeItem(atPath: directory)
    let loaded = try result.get()
    try await attempt.complete { transaction in
      for (records, isNew) in [(loaded.old, false), (loaded.new, true)] {
        try await catalog.recordLoads(
          records, isNew: isNew, ticket: attempt.ticket, run: attempt.runID, in: transaction)
      }
    }
    attempt.killPoint(.loadCompleted)
  }

  /// What the targets' ledgers say, for the catalog.
  private struct Loaded {
    /// Of earlier attempts that did not complete.
    var old: [LoadRecord] = []
    var new: [LoadRecord] = []
  }

  /// Loads table after table. One that fails does not keep the others from being brought up to date; the first failure
  /// is thrown at the end.
  private func load(
    _ pipeline: Pipeline, into definition: LoadTarget, reload: LoadPayload.Reload?, directory: String,
    attempt: JobAttempt
  ) async throws -> Loaded {
    let target = try connect(
      definition, by: duckDB.telling { attempt.noteMemory(ofChild: $0) }, directory: directory,
      isRepeated: attempt.claim.attempt > 1, memoryKills: attempt.claim.memoryKills)
    let loader = Loader(
      installation: installation, environment: environment, pipeline: pipeline.name, jobID: attempt.jobID,
      ticket: attempt.ticket, isCopy: isCopy)
    let hooks = hooks(attempt)
    var records = Loaded()
    var failure: (any Failure)?
    for table in try reload?.tables(of: definition) ?? definition.tables {
      do {
        let load = tableLoad(table, of: pipeline, target: definition.name, reload: reload)
        for loaded in try await target.load(load, by: loader, hooks: hooks) {
          let record = Self.record(loaded, target: definition.name, table: table)
          if loaded.isNew { records.new.append(record) } else { records.old.append(record) }
        }
      } catch let error as Fenced {
        // Where this attempt still has its lease, no later one exists: the control database is behind its targets.
        if let head = error.head { try await attempt.raiseTickets(above: head) }
        throw error
      } catch let error as StageFailure where Self.concernsOneTable(error) {
        if failure == nil || error.isTransient { failure = error }
      }
    }
    if let failure { throw failure }
    return records
  }

  /// Whether the other tables of the target can still be loaded.
  private static func concernsOneTable(_ error: StageFailure) -> Bool {
    !["target_unreachable", "target_url", "target_read_only", "target_disk_full"].contains(error.code)
  }

  /// - Parameters:
  ///   - isRepeated: Whether an earlier attempt failed: this one keeps what it gets done, by staging all rows.
  ///   - memoryKills: How many of the job's attempts ran out of memory.
  func connect(
    _ definition: LoadTarget, by duckDB: DuckDB, directory: String, isRepeated: Bool = false, memoryKills: Int = 0
  ) throws -> any Target {
    switch definition.kind {
    case .postgres:
      return PostgresTarget(
        name: definition.name, url: try url(of: definition), duckDB: duckDB, directory: directory,
        limits: PostgresTarget.childLimits.grown(after: memoryKills),
        straightRows: isRepeated ? 0 : StraightCopy.maximumRows)
    }
  }

  private func url(of definition: LoadTarget) throws -> String {
    switch definition.kind {
    case .postgres(let template):
      do { return try template.resolved(with: resolver) } catch let error as TemplateError {
        throw StageFailure(code: "target_url", message: "target \(definition.name): \(error)")
      }
    }
  }

  /// Which database it is, without who asks: pipelines may come as different users.
  private func place(of definition: LoadTarget) throws -> String {
    do { return try PostgresSettings(try url(of: definition)).description } catch let error as PostgresError {
      throw StageFailure(
        code: "target_url", message: "target \(definition.name): \(error.message)", hint: error.hint)
    }
  }

  private static func record(_ loaded: LoadedSnapshot, target: String, table: LoadTable) -> LoadRecord {
    LoadRecord(
      snapshotID: loaded.uuid, target: target, table: "\(table.schema).\(table.table)",
      status: loaded.status == .loaded ? .loaded : .superseded, rows: loaded.rows, inserted: loaded.inserted,
      updated: loaded.updated, deleted: loaded.deleted)
  }

  private func hooks(_ attempt: JobAttempt) -> LoadHooks {
    let total = Mutex(JobProgress())
    return LoadHooks(
      progress: { moved in
        let progress = total.withLock { progress in
          progress.bytes += moved.bytes
          progress.rows += moved.rows
          progress.units += moved.chunks
          if moved.plannedChunks > 0 { progress.totalUnits = (progress.totalUnits ?? 0) + moved.plannedChunks }
          progress.note = moved.note
          return progress
        }
        attempt.progress(progress)
      },
      reached: { point in
        attempt.killPoint(point)
        // A draining worker stops between chunks and before a final transaction, which some snapshots consist of.
        if point == .loadChunkStaged || point == .loadBeforeFinal, attempt.shouldYield { throw JobYield() }
      },
      event: { kind, message in
        try await attempt.store.note(
          event: kind, pipeline: attempt.pipeline, run: attempt.runID, job: attempt.jobID, message: message,
          in: attempt.store.database)
      },
      waits: { attempt.waits(for: $0, $1) })
  }
}
