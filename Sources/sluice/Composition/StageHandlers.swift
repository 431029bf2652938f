import AsyncHTTPClient
import Catalog
import Curation
import DuckDB
import FoundationEssentials
import Ingestion
import JobModel
import JobStore
import Loading
import PipelineDefinition

/// The handlers of the three stages, wired to one installation.
struct StageHandlers: Sendable {
  let curate: CurateHandler
  let load: LoadHandler
  private let ingest: IngestHandler
  private let client: HTTPClient

  init(_ installation: Installation, definitions: ReleaseDefinitions) async throws {
    let duckDB = try installation.duckDB()
    let scratch = installation.stateDirectory + "/scratch"
    try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: true)
    try await ScratchSweep(folder: scratch, store: installation.store).run()
    let pipeline: @Sendable (JobAttempt) async throws -> Pipeline = { try await definitions.pipeline(for: $0) }
    let resolver = installation.resolver
    client = HTTPClient.forSources()
    ingest = IngestHandler(
      IngestSurroundings(
        catalog: installation.catalog, pipeline: pipeline, resolver: resolver,
        projectDirectory: installation.directory, environment: installation.environment,
        storageLocation: installation.storageLocation, client: client, timing: .live,
        keyMark: String(UUID().uuidString.lowercased().prefix(8)),
        secretsDirectory: installation.project.path(installation.project.settings.secretsDirectory),
        parts: PartRule(maximum: installation.project.settings.jobsAtOnce)))
    curate = CurateHandler(
      catalog: installation.catalog, objects: installation.objects, duckDB: duckDB, limits: installation.sqlLimits,
      expansion: ExpansionLimit(
        bytes: installation.sqlLimits.temporaryBytes, ratio: installation.project.settings.limits.expansion),
      scratch: scratch, resolver: resolver, projectDirectory: installation.directory,
      newID: { UUID().uuidString.lowercased() },
      compactor: Compactor(
        catalog: installation.catalog, objects: installation.objects, duckDB: duckDB, limits: installation.sqlLimits,
        scratch: "\(scratch)/\(ScratchSweep.compactions)", newID: { UUID().uuidString.lowercased() }),
      // Several threads of one job read a batch of a moderate size.
      parts: PartRule(maximum: installation.project.settings.jobsAtOnce, bytes: 128 << 20, files: 1_000),
      definition: { attempt in
        let project = try await definitions.projectOfRun(attempt)
        return (try project.pipeline(named: attempt.pipeline), { try project.text(at: $0) })
      })
    load = LoadHandler(
      catalog: installation.catalog, objects: installation.objects, duckDB: duckDB,
      installation: try await installation.catalog.installation(proposal: installation.project.settings.installation),
      environment: installation.environment, isCopy: installation.project.copy != nil, scratch: scratch,
      resolver: resolver, definition: pipeline)
  }

  var handlers: [String: any JobHandler] {
    [StageJob.ingest: ingest, StageJob.curate: curate, StageJob.load: load]
  }

  func shutDown() async throws { try await client.shutdown() }
}

extension PullTiming {
  /// The real clocks.
  static var live: PullTiming {
    let start = ContinuousClock.now
    return PullTiming(
      now: { start.duration(to: .now) }, sleep: { try await ContinuousClock().sleep(for: $0) },
      wallSeconds: { Int64(Date().timeIntervalSince1970) }, jitter: { Double.random(in: 0..<1) })
  }
}
