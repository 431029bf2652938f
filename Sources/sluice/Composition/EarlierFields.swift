import Catalog
import EmbeddedPostgres
import PipelineDefinition

/// The fields that earlier runs found in the streams of a project, for `check`.
enum EarlierFields {
  typealias ByPipeline = [String: [StreamReference: [String]]]

  /// Asks the control database where one answers; starts none. Empty where nothing is known: the run decides then.
  static func read(of pipelines: [Pipeline], in project: Project) async -> ByPipeline {
    guard await isThere(project) else { return [:] }
    let fields = try? await Installation.with(project, logger: Logs.quiet, access: .reading, migrating: false) {
      installation in
      var fields: ByPipeline = [:]
      for pipeline in pipelines {
        for reference in Set(pipeline.curate.flatMap(\.from)) {
          let id = StreamID(pipeline: pipeline.name, source: reference.source, stream: reference.stream)
          let names = try await installation.catalog.knownFields(of: id).map(\.name)
          if !names.isEmpty { fields[pipeline.name, default: [:]][reference] = names }
        }
      }
      return fields
    }
    return fields ?? [:]
  }

  /// Whether a control database answers now; false where a server would have to be started first.
  private static func isThere(_ project: Project) async -> Bool {
    if Installation.hasExternalDatabase(project) { return await (try? Installation.isDatabaseAway(project)) == false }
    return EmbeddedPostgres.runningURL(directory: project.directory + "/.sluice/postgres") != nil
  }
}
