import Catalog
import DuckDB
import FoundationEssentials
import JobModel
import JobStore
import PipelineDefinition

/// A snapshot of a dataset that an environment made and its model may have as it is; or why not.
///
/// What decides is what the rows were computed from: the definition of the dataset, the reading of its streams, and the bytes of raw. All
/// of it must be the same in the model, so that the model would compute the same rows.
struct Promotable: Equatable {
  /// Of the environment.
  var snapshot: Snapshot
  /// What the model has not curated yet, and has curated with the snapshot; empty where it has curated the same raw before.
  var taken: [DueRaw]
  /// The model's snapshot of the same raw, which it replaces.
  var previous: String?
  /// Of the model's raw objects.
  var records: [Records]

  struct Records: Equatable {
    var object: Int64
    var records: Int64
  }

  /// A stream that brought nothing in the run of a snapshot that is computed from everything: its rows are of earlier runs.
  static func idle(_ step: CurateStep, _ raw: [DueRaw]) -> StreamID? {
    step.over == .all ? raw.first { $0.objects.isEmpty }?.stream : nil
  }

  /// Looks at both environments.
  struct Examination {
    let copy: Installation
    let model: Installation
    let pipeline: String
    let dataset: String

    private func refusal(_ reason: String, hint: String? = nil) -> Refusal {
      Refusal(
        code: "not_promotable",
        message: "dataset \(dataset) of \(copy.environment) cannot be published to \(model.environment): \(reason)",
        hint: hint ?? "run it there: sluice run \(pipeline) --env \(model.environment)")
    }

    /// - Returns: Nil where the model has this snapshot already.
    /// - Throws: ``Refusal`` `not_promotable`, with what differs.
    func run() async throws -> Promotable? {
      if let data = copy.project.copy?.data, data.kind == .sample {
        throw refusal(
          "\(copy.environment) began with \(data.text)",
          hint: "make one without data: sluice env up NAME --like \(model.environment)")
      }
      let made = try await copy.catalog.snapshots(pipeline: pipeline, dataset: dataset)
      guard let snapshot = made.last else {
        throw refusal(
          "\(copy.environment) has made no snapshot of it",
          hint: "make one: sluice run \(pipeline) --wait --env \(copy.environment)")
      }
      let known = try await model.catalog.snapshots(pipeline: pipeline, dataset: dataset)
      guard !known.contains(where: { $0.id == snapshot.id }) else { return nil }
      let (theirs, step, text) = try await compareDefinitions(snapshot)
      let isReadFull = step.from.allSatisfy { theirs.stream($0)?.read == .full }
      let readsMore = ["previous", "current"].first { text.contains($0) }
      guard isReadFull || made.count == 1 else {
        throw refusal("it was computed by \(made.count) runs there", hint: "put the environment back and run it once")
      }
      try await confirmQuality(snapshot, step)
      let streams = step.from.map { StreamID(pipeline: pipeline, source: $0.source, stream: $0.stream) }
      let (raw, others) = try await copy.catalog.raw(takenBy: snapshot, streams: streams)
      guard others.isEmpty, raw.contains(where: { !$0.objects.isEmpty }) else {
        throw refusal("it was not curated from raw of \(copy.environment)")
      }
      if let idle = Promotable.idle(step, raw) {
        throw refusal("it is computed from everything, and the stream \(idle) brought nothing in its run")
      }
      let due = try await model.catalog.dueRaw(
        pipeline: pipeline, dataset: dataset, streams: streams, upTo: RunID(.max))
      if due.contains(where: { !$0.objects.isEmpty }) {
        guard known.isEmpty else {
          throw refusal("\(model.environment) has other snapshots of it, and raw that is in none of them")
        }
        if let readsMore, made.count > 1 || due.contains(where: { !$0.superseded.isEmpty }) {
          throw refusal("its SQL reads \(readsMore), and there is more than one run")
        }
        let records = try compare(raw, due)
        return Promotable(snapshot: snapshot, taken: due, previous: nil, records: records)
      }
      guard let last = known.last else { throw refusal("\(model.environment) has not ingested its raw") }
      guard snapshot.isFull, last.isFull else {
        throw refusal("\(model.environment) has curated this raw, and the snapshot does not replace the dataset")
      }
      let isWhole = isReadFull ? true : try await tookNothing(known.dropLast(), streams)
      guard isWhole else {
        throw refusal("\(model.environment) has curated its raw in several runs")
      }
      if let readsMore { throw refusal("its SQL reads \(readsMore), and \(model.environment) has a snapshot of it") }
      for check in step.checks {
        if case .rowsChange = check.rule {
          throw refusal(
            "its check of the number of rows compares it with the snapshot before, which is another one here")
        }
      }
      let (before, more) = try await model.catalog.raw(takenBy: last, streams: streams)
      guard more.isEmpty else { throw refusal("the newest snapshot of \(model.environment) is of other streams") }
      let records = try compare(raw, before)
      return Promotable(snapshot: snapshot, taken: [], previous: last.id, records: records)
    }

    /// Whether all raw is in the newest snapshot.
    private func tookNothing(_ snapshots: ArraySlice<Snapshot>, _ streams: [StreamID]) async throws -> Bool {
      for snapshot in snapshots {
        let (raw, others) = try await model.catalog.raw(takenBy: snapshot, streams: streams)
        guard others.isEmpty, raw.allSatisfy(\.runs.isEmpty) else { return false }
      }
      return true
    }

    /// - Returns: The pipeline and the step of the snapshot's run, and the step's SQL in lower case.
    private func compareDefinitions(_ snapshot: Snapshot) async throws -> (Pipeline, CurateStep, String) {
      let theirs = try await definition(ofRun: snapshot.runID)
      let current = try await model.store.releases(in: .current).first
      let mine =
        if let current {
          try await ReleaseDefinitions(store: model.store, of: model.project).project(of: current.id)
        } else { model.project }
      if let canary = try await model.store.releases(in: .canary).first {
        throw refusal(
          "release \(canary.name) is in canary in \(model.environment)",
          hint: "end it: sluice promote, or sluice rollback")
      }
      guard theirs.makes(dataset, of: pipeline, like: mine) else {
        throw refusal(
          "its definition (curate.\(dataset) of \(pipeline), or its SQL) differs from that of "
            + (current.map { "release \($0.name)" } ?? "the project folder"),
          hint: current == nil
            ? "compare them: sluice env diff \(model.environment) \(copy.environment)"
            : "deploy the definition: sluice deploy")
      }
      let (there, here) = (try theirs.pipeline(named: pipeline), try mine.pipeline(named: pipeline))
      guard let step = there.curate.first(where: { $0.name == dataset }) else {
        throw refusal("its run had no such dataset")
      }
      guard theirs.edition == mine.edition else { throw refusal("its run was of a release of another edition") }
      for reference in step.from {
        guard let one = there.stream(reference), let other = here.stream(reference), one.gives(like: other) else {
          throw refusal("the stream \(reference) is not read in the same way")
        }
      }
      guard there.loads(dataset, like: here) else {
        throw refusal("`load` has other tables or keys of it there, and they decide which rows are bad")
      }
      if let column = step.columns.first(where: { $0.mask != nil }) {
        throw refusal("the column \(column.name) is masked, and the salts of the two differ")
      }
      let text = try step.sqlPath.map { try theirs.text(at: $0) } ?? ""
      try await confirmSelection(text, step, snapshot)
      return (there, step, text.lowercased())
    }

    /// Refuses rows with values that name a run or a raw object: their numbers differ between the two.
    private func confirmSelection(_ sql: String, _ step: CurateStep, _ snapshot: Snapshot) async throws {
      let text = sql.lowercased()
      let names = step.columns.map { $0.name.lowercased() }
      for name in ["_run", "_object"] where text.contains(name) || names.contains(where: { $0.hasPrefix(name) }) {
        throw refusal("it reads \(name), which differs between the two")
      }
      if snapshot.columns.contains(where: { $0.name.lowercased().hasPrefix("_run") }) {
        throw refusal("it has a column of its run, which differs between the two")
      }
      guard !sql.isEmpty else { return }
      let folder = model.stateDirectory + "/scratch/promote-sql-\(ProcessInfo.processInfo.processIdentifier)"
      try? FileManager.default.removeItem(atPath: folder)
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(atPath: folder) }
      let statement = try await model.duckDB().withSession(
        in: DuckDBPlace(directory: folder), limits: DuckDBLimits(threads: 1)
      ) { try await SelectStatement.parse(sql, $0) }
      if statement.mayReadWholeRows(of: Set(step.from.map { SQLName($0.stream) })) {
        throw refusal(
          "its SQL reads rows of a stream as a whole, with _run and _object in them, which differ between the two")
      }
    }

    private func definition(ofRun run: RunID) async throws -> Project {
      guard let hash = try await copy.store.run(run).first(where: { $0.id == run })?.release,
        let release = try await copy.store.releases(named: hash).first(where: { $0.contentHash == hash })
      else { throw refusal("the run that made it is not known any more") }
      return try await ReleaseDefinitions(store: copy.store, of: copy.project).project(of: release.id)
    }

    private func confirmQuality(_ snapshot: Snapshot, _ step: CurateStep) async throws {
      guard snapshot.counts.quarantined == 0 else {
        throw refusal("\(snapshot.counts.quarantined) of its rows are in quarantine")
      }
      let warnings = try await EnvironmentSide.warnings(of: dataset, snapshot.runID, copy)
      guard warnings.isEmpty else { throw refusal("a check did not hold: \(warnings.joined(separator: "; "))") }
      let latest = try await copy.store.runs(pipeline: pipeline, limit: 100).first { $0.kind == .batch }
      guard latest?.state == .succeeded else {
        throw refusal(
          "the newest run of \(pipeline) in \(copy.environment) has not succeeded",
          hint: "look at it: sluice runs --env \(copy.environment)")
      }
    }

    /// - Returns: The records of the model's objects, as the copy counted them.
    private func compare(_ theirs: [DueRaw], _ mine: [DueRaw]) throws -> [Records] {
      var records: [Records] = []
      for (one, other) in zip(theirs, mine) {
        guard one.objects.count == other.objects.count else {
          throw refusal(
            "the stream \(one.stream) has \(one.objects.count) raw object(s) there and \(other.objects.count) in "
              + model.environment)
        }
        for (left, right) in zip(one.objects, other.objects) {
          guard left.sha256 == right.sha256, left.bytes == right.bytes, left.request == right.request else {
            throw refusal(
              "the stream \(one.stream) has other raw: \(left.request) there, \(right.request) in \(model.environment)")
          }
          if let count = left.records { records.append(Records(object: right.id, records: count)) }
        }
      }
      return records
    }
  }
}
