import Catalog
import FoundationEssentials
import PipelineDefinition

/// The fields that earlier runs found in the streams of a project, for `check`.
enum EarlierFields {
  typealias ByPipeline = [String: [StreamReference: [String]]]

  /// Asks the control database: a server that answers, or the project's own, which is started where there is one already. Empty where
  /// nothing is known: the run decides then.
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

  /// Whether there is a control database that can be asked.
  private static func isThere(_ project: Project) async -> Bool {
    if Installation.hasExternalDatabase(project) { return await (try? Installation.isDatabaseAway(project)) == false }
    return FileManager.default.fileExists(atPath: project.directory + "/.sluice/postgres")
  }
}
