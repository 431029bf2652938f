import JobModel
import JobStore
import Postgres
import TestSupport

@testable import Releases

/// Releases in a database of a test's own, with runs and workers that need no process.
struct ReleaseBench: Sendable {
  static let http1 = CheckpointFormat("ingest.http", 1)
  static let http2 = CheckpointFormat("ingest.http", 2)
  static let author = JobStore.Author("tester", reason: "a test")

  let store: JobStore
  let desk: ReleaseDesk
  let session: PostgresConnection
  let settings: PostgresSettings

  static func with<T: Sendable>(_ body: @Sendable (ReleaseBench) async throws -> T) async throws -> T {
    try await TestDatabase.withDatabase { database in
      let store = JobStore(database: database.pool)
      let session = try await PostgresConnection.connect(database.settings)
      let bench = ReleaseBench(
        store: store, desk: ReleaseDesk(store: store), session: session, settings: database.settings)
      do {
        let result = try await body(bench)
        await session.close()
        return result
      } catch {
        await session.close()
        throw error
      }
    }
  }

  /// A staged release; its engine reads what it writes and what is named.
  @discardableResult
  func stage(
    _ name: String, reads: Set<CheckpointFormat> = [http1], writes: Set<CheckpointFormat> = [http1], cap: Int = 8
  ) async throws -> JobStore.ReleaseRecord {
    try await desk.stage(
      JobStore.NewRelease(
        contentHash: "hash of \(name)", definitionHash: "d", label: name, engine: "1", engineHash: "e \(name)",
        engineBytes: 1, schemaNumber: 5, formats: EngineFormats(reads: reads.union(writes), writes: writes),
        files: [("pipelines/p.yaml", Array(name.utf8))]),
      cap: cap, by: Self.author)
  }

  @discardableResult
  func promote(_ release: JobStore.ReleaseRecord) async throws -> ReleaseDesk.Promotion {
    try await desk.promote(release.id, by: Self.author) { _ in }
  }

  func rollback(to release: JobStore.ReleaseRecord, from current: JobStore.ReleaseRecord? = nil) async throws {
    _ = try await desk.promote(
      release.id, action: "rollback", replacing: current?.id, by: Self.author
    ) { _ in }
  }

  func current(
    _ name: String, reads: Set<CheckpointFormat> = [http1], writes: Set<CheckpointFormat> = [http1]
  ) async throws -> JobStore.ReleaseRecord {
    try await promote(stage(name, reads: reads, writes: writes)).release
  }

  /// A run on the release that takes runs: so many ingests, and a curate after them.
  @discardableResult
  func run(_ pipeline: String = "p", ingests: Int = 1, handsOver: Bool = false) async throws -> RunID {
    guard let assignment = try await store.assignRun() else { preconditionFailure("a release is current") }
    return try await run(pipeline, ingests: ingests, handsOver: handsOver, with: assignment)
  }

  func run(
    _ pipeline: String = "p", ingests: Int = 1, handsOver: Bool = false, with assignment: RunAssignment
  ) async throws -> RunID {
    let jobs = (0..<ingests).map {
      RunPlan.Job(kind: "ingest", stage: "ingest", label: "s.\($0)", payload: "{}", maximumAttempts: 2)
    }
    let curate = RunPlan.Job(
      kind: "curate", stage: "curate", label: "d", payload: "{}", after: Array(0..<ingests), maximumAttempts: 2)
    let plan = RunPlan(pipeline: pipeline, handsOver: handsOver, jobs: jobs + [curate], loads: [])
    return try await store.database.transaction { try await store.enqueue(plan, with: assignment, in: $0) }.runID
  }

  func worker(of release: JobStore.ReleaseRecord) async throws -> Int64 {
    try await store.registerWorker(
      JobStore.WorkerBirth(release: release.id, host: "h", pid: 1, engine: "1", slots: 2), lease: .seconds(3600),
      on: session)
  }

  func claim(_ worker: Int64, of release: JobStore.ReleaseRecord, limit: Int = 1) async throws -> [Claim] {
    try await store.claim(worker: worker, release: release.id, limit: limit)
  }

  func checkpoint(_ claim: Claim, _ format: CheckpointFormat) async throws {
    try await store.checkpoint(claim.holder, JobMark(format: format, state: "{}"), in: session)
  }

  func complete(_ claim: Claim) async throws {
    _ = try await store.database.transaction {
      try await store.complete([claim.holder], runs: claim.runID.map { [$0] } ?? [], in: $0)
    }
  }

  func state(_ release: JobStore.ReleaseRecord) async throws -> ReleaseState? {
    try await store.release(release.id)?.state
  }
}
