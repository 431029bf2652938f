import AsyncHTTPClient
import Catalog
import FoundationEssentials
import Ingestion
import JobModel
import JobStore
import Logging
import PipelineDefinition
import Postgres
import TestSupport

/// A real queue and catalog with one ingest job, and a worker that claims it again and again.
struct IngestBench {
  let store: JobStore
  let catalog: Catalog
  let handler: IngestHandler
  let worker: Int64
  let release: Int64
  let run: RunID
  let stream: StreamID

  static func with(
    _ source: Source, curate: [CurateStep] = [], fixture: PullFixture, client: HTTPClient, parts: PartRule = PartRule(),
    _ body: @Sendable (IngestBench) async throws -> Void
  ) async throws {
    try await TestDatabase.withDatabase { database in
      let store = JobStore(database: database.pool)
      let catalog = Catalog(database: database.pool)
      let pipeline = Pipeline(name: "orders", sources: [source], curate: curate)
      let surroundings = IngestSurroundings(
        catalog: catalog, pipeline: { _ in pipeline },
        resolver: ValueResolver(environment: { _ in nil }, secret: { _ in nil }), projectDirectory: fixture.directory,
        environment: "test", storageLocation: "file:storage", client: client, timing: fixture.timing,
        parts: parts)
      let session = try await PostgresConnection.connect(database.settings)
      do {
        let release = try await store.registerRelease(contentHash: "test", files: [], label: nil, engine: "test")
        let worker = try await store.registerWorker(
          JobStore.WorkerBirth(release: release, host: "here", pid: 1, engine: "test", slots: 1), lease: .seconds(3600),
          on: session)
        let run = try await store.enqueue(pipeline.runPlan, release: release).runID
        let stream = StreamID(pipeline: "orders", source: source.name, stream: source.streams[0].name)
        try await body(
          IngestBench(
            store: store, catalog: catalog, handler: IngestHandler(surroundings), worker: worker, release: release,
            run: run,
            stream: stream))
      } catch {
        await session.close()
        throw error
      }
      await session.close()
    }
  }

  /// The next attempt of the job.
  func claim() async throws -> JobAttempt? {
    try await store.claim(worker: worker, limit: 1).first.map {
      JobAttempt(claim: $0, store: store, logger: Logger(label: "test"))
    }
  }

  /// Another run of the same pipeline.
  func another(_ pipeline: Pipeline) async throws -> RunID {
    try await store.enqueue(pipeline.runPlan, release: release).runID
  }

  /// Puts another checkpoint in the place of the job's.
  func mark(_ mark: JobMark) async throws {
    try await store.database.query(
      "update sluice.mark set format = $1, state = $2::jsonb", [.text(mark.format.description), .json(mark.state)])
  }

  /// Gives a job back as a worker does that drains.
  func giveBack(_ attempt: JobAttempt) async throws { try await store.endAttempt(attempt.claim.holder, as: .yielded) }
}
