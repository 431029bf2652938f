import AsyncHTTPClient
import Catalog
import JobStore
import ObjectStore
import PipelineDefinition

/// What the ingest stage finds in its process.
package struct IngestSurroundings: Sendable {
  package var catalog: Catalog
  /// The definition that the attempt's run began with.
  package var pipeline: @Sendable (JobAttempt) async throws -> Pipeline
  /// Variables and secrets; the placeholders of a run are added here.
  package var resolver: ValueResolver
  /// Locations of a definition are relative to it.
  package var projectDirectory: String
  /// Never read as a source; nil: `secrets` of the project.
  package var secretsDirectory: String?
  package var environment: String
  /// The environment's storage, where a pipeline names no raw zone of its own.
  package var storageLocation: String
  /// From `HTTPClient.forSources()`; the owner shuts it down.
  package var client: HTTPClient
  package var timing: PullTiming
  /// In the keys of raw objects: drawn by each process, so that no key comes again when the control database's numbers do.
  package var keyMark: String
  package var parts: PartRule
  package let paces = RequestPaces()
  let clocks = LocalClocks()

  package init(
    catalog: Catalog, pipeline: @escaping @Sendable (JobAttempt) async throws -> Pipeline, resolver: ValueResolver,
    projectDirectory: String, environment: String, storageLocation: String, client: HTTPClient, timing: PullTiming,
    keyMark: String = "", secretsDirectory: String? = nil, parts: PartRule = PartRule()
  ) {
    self.parts = parts
    self.secretsDirectory = secretsDirectory
    self.keyMark = keyMark
    self.catalog = catalog
    self.pipeline = pipeline
    self.resolver = resolver
    self.projectDirectory = projectDirectory
    self.environment = environment
    self.storageLocation = storageLocation
    self.client = client
    self.timing = timing
  }

  func rawStore(_ pipeline: Pipeline, _ resolver: ValueResolver) throws -> any ObjectStore {
    let location = try pipeline.raw.location?.resolved(with: resolver) ?? storageLocation
    return try openObjectStore(location: location, projectDirectory: projectDirectory)
  }
}
