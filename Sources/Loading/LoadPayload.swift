import FoundationEssentials
import JobModel
import PipelineDefinition

/// What a job of the kind `load` is told to do: `{"target": "warehouse"}`.
///
/// The payload of a reload has no key `target` at its top, so that an engine of before reloads fails, and does not take it for an
/// ordinary load.
package struct LoadPayload: Sendable, Equatable, Codable {
  package struct Reload: Sendable, Equatable, Codable {
    package var target: String
    /// `schema.table`, of the definition.
    package var tables: [String]
    package var how: TableRepair
    /// By UUID: with `leave_out` the snapshots; with `reload` those that are no longer left out.
    package var snapshots: [String]?
    /// Drawn once for each command: job numbers come again when the control database is restored. nil: of an earlier engine.
    package var id: Int64?

    package init(target: String, tables: [String], how: TableRepair, snapshots: [String]? = nil, id: Int64? = nil) {
      self.target = target
      self.tables = tables
      self.how = how
      self.snapshots = snapshots
      self.id = id
    }

    func tables(of target: LoadTarget) throws -> [LoadTable] {
      try tables.map { name in
        guard let table = target.tables.first(where: { "\($0.schema).\($0.table)".isExactly(name) }) else {
          throw StageFailure(
            code: "table_missing", message: "target \(target.name) has no table \(name) in the run's definition")
        }
        return table
      }
    }
  }

  package var target: String?
  package var reload: Reload?

  package init(reload: Reload) { self.reload = reload }

  init(_ payload: String) throws { self = try JSONDecoder().decode(Self.self, from: Data(payload.utf8)) }

  package var text: String {
    get throws { String(decoding: try JSONEncoder().encode(self), as: UTF8.self) }
  }

  func target(in pipeline: Pipeline) throws -> LoadTarget {
    let name = reload?.target ?? target ?? ""
    guard let found = pipeline.load.first(where: { $0.name == name }) else {
      throw StageFailure(
        code: "target_missing", message: "pipeline \(pipeline.name) has no target \(name)",
        hint: "the run keeps the definition that it began with; start a new run")
    }
    return found
  }
}
