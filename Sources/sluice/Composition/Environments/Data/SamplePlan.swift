import Catalog
import Curation
import DuckDB
import JobModel
import JobStore
import PipelineDefinition

/// What an environment gets of its model's datasets: which of them, which of their columns, and what of these is masked.
///
/// The release that runs in the model, the project folder and what the environment begins with all have a say: a column that one of them masks is masked, and a reference of
/// one of them holds. Data that no definition speaks of is left out.
struct SamplePlan: Sendable {
  struct Dataset: Sendable {
    var parts: [DatasetPart]
    /// Those that the environment gets.
    var columns: [SnapshotColumn]
    var masked: Set<SQLName> = []
    var references: [Reference] = []
    /// What the definitions say of it.
    var steps: [CurateStep] = []

    /// The newest snapshot.
    var last: Snapshot { parts[parts.count - 1].snapshot }
    var name: String { "\(last.pipeline).\(last.dataset)" }
    var bytes: Int64 { parts.reduce(0) { $0 + $1.bytes } }

    func has(_ names: [String]) -> Bool { names.allSatisfy { column($0) != nil } }
    func column(_ name: String) -> SnapshotColumn? { columns.first { SQLName($0.name) == SQLName(name) } }
    /// What tells its rows apart.
    var identity: [String] { last.key.isEmpty ? columns.map(\.name) : last.key }
  }

  struct Reference: Sendable, Equatable {
    var columns: [String]
    var dataset: String
    var key: [String]
    /// In ``SamplePlan/datasets``; nil: the model has no data of it, or it is left out.
    var parent: Int?
  }

  struct LeftOut: Sendable {
    var name: String
    var reason: String
  }

  var datasets: [Dataset] = []
  var leftOut: [LeftOut] = []
  /// Names of datasets that are left out because of a mask.
  private(set) var maskedAndLeftOut: Set<String> = []
  /// Those that have a say; the first is what the environment begins with.
  var projects: [Project] = []

  static func gather(_ model: Installation, _ bundle: ProjectBundle?) async throws -> SamplePlan {
    // A definition with errors may say of a mask what cannot be read.
    if let error = DefinitionError(refusing: model.project.diagnostics) { throw error }
    var projects = [model.project]
    if let bundle {
      let project = Project(bundle: bundle, directory: model.directory, environment: model.environment)
      projects.insert(project, at: 0)
    }
    if let current = try await model.store.releases(in: .current).first {
      let definitions = ReleaseDefinitions(store: model.store, of: model.project)
      projects.append(try await definitions.project(of: current.id))
    }
    let parts = try await OpenedParts.of(model.catalog, model.objects, pipeline: nil, dataset: nil)
    var plan = SamplePlan()
    for (name, parts) in Dictionary(grouping: parts, by: { "\($0.snapshot.pipeline).\($0.snapshot.dataset)" })
      .sorted(by: { $0.key < $1.key })
    {
      guard let last = parts.last?.snapshot else { continue }
      let known = projects.compactMap { project in
        project.pipelines.first { $0.name == last.pipeline }?.curate.first { $0.name == last.dataset }
      }
      do { plan.datasets.append(try dataset(parts, known)) } catch let reason as Reason {
        plan.leftOut.append(LeftOut(name: name, reason: reason.text))
      }
    }
    plan.projects = projects
    plan.refer()
    plan.spreadMasks()
    plan.leaveOutMaskedKeys()
    return plan
  }

  private struct Reason: Error { var text: String }

  private static func dataset(_ parts: [DatasetPart], _ steps: [CurateStep]) throws -> Dataset {
    guard let last = parts.last?.snapshot, !steps.isEmpty else { throw Reason(text: "no definition has it") }
    let columns = last.columns.filter { column in
      !["_object", "_position"].contains(column.name)
        && steps.contains { $0.columns.isEmpty || $0.column(named: column.name) != nil }
    }
    var dataset = Dataset(parts: parts, columns: columns, steps: steps)
    guard dataset.has(last.key) else { throw Reason(text: "its contract lacks a column of its key") }
    guard !columns.isEmpty else { throw Reason(text: "its contract has none of its columns") }
    dataset.masked = Set(
      steps.flatMap(\.columns).filter(\.isMaskedInCopies).map { SQLName($0.name) })
    return dataset
  }

  /// Finds what the definitions' references mean in the data.
  private mutating func refer() {
    for index in datasets.indices {
      for reference in datasets[index].steps.flatMap(\.references) where datasets[index].has(reference.columns) {
        let parent = datasets.firstIndex { $0.last.dataset == reference.dataset && $0.has(reference.key) }
        let found = Reference(
          columns: reference.columns, dataset: reference.dataset, key: reference.key, parent: parent)
        if !datasets[index].references.contains(found) { datasets[index].references.append(found) }
      }
    }
  }

  /// A mask of a key holds for all columns that have its values, and the other way round.
  private mutating func spreadMasks() {
    var isStable = false
    while !isStable {
      isStable = true
      for index in datasets.indices {
        for reference in datasets[index].references {
          guard let parent = reference.parent else { continue }
          for (column, key) in zip(reference.columns, reference.key) {
            let isMasked = datasets[index].masked.contains(SQLName(column))
            guard isMasked != datasets[parent].masked.contains(SQLName(key)) else { continue }
            datasets[index].masked.insert(SQLName(column))
            datasets[parent].masked.insert(SQLName(key))
            isStable = false
          }
        }
      }
    }
  }

  /// Rows whose key cannot be masked and still be told apart are left out.
  private mutating func leaveOutMaskedKeys() {
    while let index = datasets.firstIndex(where: { dataset in
      dataset.last.key.contains { name in
        dataset.masked.contains(SQLName(name)) && !SampleMask.keepsApart(dataset.column(name)?.type ?? "")
      }
    }) {
      let name = datasets[index].name
      leftOut.append(LeftOut(name: name, reason: "a column of its key has a mask, and a type that has none"))
      maskedAndLeftOut.insert(name)
      remove(index)
    }
  }

  private mutating func remove(_ index: Int) {
    datasets.remove(at: index)
    for child in datasets.indices {
      for number in datasets[child].references.indices {
        guard let parent = datasets[child].references[number].parent else { continue }
        datasets[child].references[number].parent = parent == index ? nil : parent > index ? parent - 1 : parent
      }
    }
  }
}

/// What becomes of a masked value.
enum SampleMask {
  /// Whether two values of the type have two masks.
  static func keepsApart(_ type: String) -> Bool { ["text", "uuid", "bigint", "integer"].contains(type) }

  /// SQL for the masked value of a column; null in types that have no mask.
  static func expression(_ column: SnapshotColumn) -> String {
    let name = quoteIdentifier(column.name)
    return switch column.type {
    case "text": "_sluice_mask(\(name))"
    case "uuid": "_sluice_mask(\(name)::VARCHAR)[:32]::UUID"
    case "bigint", "integer": "_sluice_mask_\(column.type)(\(name))"
    default: "null::\(ColumnType(column.type).duckDBName)"
    }
  }
}
