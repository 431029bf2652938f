import Catalog
import Curation
import FoundationEssentials
import Glibc
import JobModel
import JobStore
import Loading
import PipelineDefinition
import Releases

/// The engine's side of a rehearsal: curates by the definition of a release what its predecessors curated last.
struct Rehearsing {
  let installation: Installation
  let release: Int64

  /// Of one rehearsal; whoever looks after scratch folders knows by it whether it is over.
  static let folderPrefix = "rehearsal@"
  static var folder: String { "\(folderPrefix)\(Installation.host)@\(getpid())" }

  /// Prints what became of a pipeline's datasets, as one line of JSON.
  func tell(_ pipeline: String) async throws { Console.data(try await rehearse(pipeline).json) }

  private func rehearse(_ name: String) async throws -> Rehearsal {
    let definitions = ReleaseDefinitions(store: installation.store, of: installation.project)
    let project = try await definitions.project(of: release)
    let pipeline = try project.pipeline(named: name)
    let stages = try await StageHandlers(installation, definitions: definitions)
    defer { try? FileManager.default.removeItem(atPath: "\(stages.curate.scratch)/\(Self.folder)") }
    do {
      var result = Rehearsal()
      for step in pipeline.curate {
        result = result + (try await rehearse(step, of: pipeline, project, definitions, stages))
      }
      try await stages.shutDown()
      return result
    } catch {
      // The first error is the one to tell.
      try? await stages.shutDown()
      throw error
    }
  }

  private func rehearse(
    _ step: CurateStep, of pipeline: Pipeline, _ project: Project, _ definitions: ReleaseDefinitions,
    _ stages: StageHandlers
  ) async throws -> Rehearsal {
    var dataset = Rehearsal.Dataset(pipeline: pipeline.name, dataset: step.name)
    let started = ContinuousClock.now
    do {
      guard let version = try await stages.curate.lastVersion(step, of: pipeline) else {
        dataset.leftOut = "it has no version yet"
        return Rehearsal(datasets: [dataset])
      }
      dataset.run = version.snapshot.runID.rawValue
      dataset.before = Rehearsal.Rows(version.snapshot.counts)
      dataset.incomparable = try await incomparable(version, step, pipeline, definitions)
      guard dataset.incomparable == nil else { return Rehearsal(datasets: [dataset]) }
      let made = try await stages.curate.rehearse(
        step, of: pipeline, sql: { try project.text(at: $0) }, on: version,
        name: "\(Self.folder)/\(step.name)")
      dataset.after = Rehearsal.Rows(made.counts)
      dataset.seconds = (started.duration(to: .now).inSeconds * 1000).rounded() / 1000
      return Rehearsal(datasets: [dataset], tables: try await tables(of: made, version, step, pipeline, stages.load))
    } catch let failure as any Failure {
      dataset.error = Rehearsal.Trouble(failure)
      return Rehearsal(datasets: [dataset])
    }
  }

  /// Why what became of a version then says nothing of what should become of it now; nil: it does.
  private func incomparable(
    _ version: CurateHandler.LastVersion, _ step: CurateStep, _ pipeline: Pipeline, _ definitions: ReleaseDefinitions
  ) async throws -> String? {
    let store = installation.store
    guard let run = try await store.run(version.snapshot.runID).first,
      let maker = try await store.releases(named: run.release).first(where: { $0.contentHash == run.release })
    else { return "the run of its last version is gone" }
    guard maker.removedAt == nil else { return "the definition of its last version was removed" }
    let before = try await definitions.project(of: maker.id)
    if let current = try await store.releases(in: .current).first, current.id != maker.id {
      guard try await definitions.project(of: current.id).makes(step.name, of: pipeline.name, like: before) else {
        return "its last version was made by another definition than the current release's"
      }
      guard maker.engineHash == current.engineHash else {
        return "its last version was made by another engine than the current release's"
      }
    }
    guard version.others.isEmpty else { return "its last version was made from more streams" }
    let old = before.pipelines.first { $0.name == pipeline.name }
    for (reference, raw) in zip(step.from, version.raw) {
      guard !raw.runs.isEmpty else { return "its last version was not made from \(reference)" }
      guard let stream = pipeline.stream(reference), let other = old?.stream(reference), stream.reads(like: other)
      else {
        return "the raw of \(reference) was to be read in another way"
      }
    }
    return nil
  }

  private func tables(
    of made: CurateHandler.Rehearsed, _ version: CurateHandler.LastVersion, _ step: CurateStep, _ pipeline: Pipeline,
    _ load: LoadHandler
  ) async throws -> [Rehearsal.Table] {
    let last = version.snapshot
    let before = LoadHandler.Candidate(
      dataset: step.name, isFull: last.isFull, columns: last.columns, key: last.key, cursorField: last.cursorField,
      rows: last.counts.rowsOut)
    let candidate = LoadHandler.Candidate(
      dataset: step.name, isFull: made.isFull, columns: made.columns, key: made.key, cursorField: made.cursorField,
      rows: made.counts.rowsOut)
    var tables: [Rehearsal.Table] = []
    for target in pipeline.load {
      for table in target.tables where table.from == step.name {
        func trouble(_ candidate: LoadHandler.Candidate) async throws -> Rehearsal.Trouble? {
          do {
            try await load.preview(candidate, into: table, of: target, pipeline: pipeline)
            return nil
          } catch let failure as any Failure { return Rehearsal.Trouble(failure) }
        }
        let error = try await trouble(candidate)
        var entry = Rehearsal.Table(
          pipeline: pipeline.name, dataset: step.name, target: target.name, table: "\(table.schema).\(table.table)",
          error: error)
        if let error { entry.wasBroken = try await trouble(before)?.code == error.code }
        tables.append(entry)
      }
    }
    return tables
  }
}

extension Rehearsal.Rows {
  fileprivate init(_ counts: SnapshotCounts) {
    self.init(rowsIn: counts.rowsIn, rowsOut: counts.rowsOut, quarantined: counts.quarantined)
  }
}
