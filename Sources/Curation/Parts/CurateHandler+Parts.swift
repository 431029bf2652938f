import Catalog
import DuckDB
import FoundationEssentials
import JobModel
import JobStore
import Logging
import ObjectStore
import PipelineDefinition

/// One batch as several jobs.
///
/// A part leaves its files and its result in the store, and the result's key in its checkpoint. The job that finds, in the transaction of its own end, that no
/// other is open commits the snapshot of all. What cannot be put together exactly, that job curates as one, as if nothing had been split.
extension CurateHandler {
  package static let partFormat = CheckpointFormat("curate.part", 1)
  /// The checkpoints that this engine leaves and continues from.
  package static let formats = EngineFormats(reads: [partFormat], writes: [partFormat])

  /// The part that the job is; nil where it is a whole one.
  ///
  /// - Throws: `JobSnooze` where this engine does not read its checkpoint: another one does it.
  func part(of attempt: JobAttempt) async throws -> CuratePart? {
    guard let mark = attempt.mark else { return nil }
    guard mark.format == Self.partFormat else {
      await attempt.log(.error, "this engine reads checkpoints \(Self.partFormat), not \(mark.format)")
      throw JobSnooze(.seconds(30))
    }
    guard let part = CuratePart(json: mark.state) else {
      throw StageFailure(
        code: "checkpoint_unreadable", message: "a checkpoint \(mark.format) cannot be read",
        hint: "start a new run: sluice run \(attempt.pipeline)")
    }
    return part
  }

  /// Gives parts of a large batch to other jobs. Returns the part that this one keeps; nil where it is not split.
  func split(
    _ batch: CurateBatch, due: [DueRaw], by rule: PartRule, _ attempt: JobAttempt
  ) async throws -> CuratePart? {
    guard rule.maximum > 1, attempt.mark == nil, due.count == 1, let raw = due.first else { return nil }
    let cuts = rule.cuts(raw.objects.map(\.bytes))
    guard !cuts.isEmpty, try await isDivisible(batch, attempt) else { return nil }
    let fields = try await catalog.knownFields(of: raw.stream).map(\.name)
    let parts = CuratePart.parts(endingAt: cuts, of: raw, knownFields: fields)
    let states = try parts.map { try $0.json }
    let others = states.enumerated().dropFirst().map {
      JobPart(state: $0.element, label: "\(attempt.claim.label) \($0.offset + 1)/\(states.count)")
    }
    try await attempt.split(format: Self.partFormat, state: states[0], into: others)
    await attempt.log(.info, "\(states.count) jobs curate this batch")
    attempt.killPoint(.curateStarted)
    return parts[0]
  }

  /// Whether each row of the dataset comes from one record of one stream, and stays whatever other rows there are; told from the definition.
  private func isDivisible(_ batch: CurateBatch, _ attempt: JobAttempt) async throws -> Bool {
    let step = batch.step
    guard step.from.count == 1, let reference = step.from.first, let stream = batch.pipeline.stream(reference),
      !step.columns.isEmpty, step.over != .all, step.key.isEmpty, step.replaces.isEmpty, !step.checksLookAtRows
    else { return false }
    let contract = Set(step.columns.map { SQLName($0.name) })
    // Rows with the whole key of their stream replace older ones.
    guard stream.key.isEmpty || !stream.key.allSatisfy({ contract.contains(SQLName($0)) }) else { return false }
    guard let sql = try batch.sql else { return true }
    return try await withScratch(attempt) { directory in
      try await duckDB.withSession(in: DuckDBPlace(directory: directory), limits: DuckDBLimits(threads: 1)) { session in
        // What is wrong with it is told where it is curated.
        guard let statement = try? await SelectStatement.parse(sql, session), statement.isProjection,
          statement.tables.allSatisfy({ $0.schema.isEmpty })
        else { return false }
        let names = StreamViews.names(of: [reference])[reference] ?? []
        let aggregates = try await EngineFunctions.of(session).aggregates
        return statement.dependence(on: Set(names.map(SQLName.init)), aggregates: aggregates) == .rows
      }
    }
  }

  /// Does one part, and where it is the last one ends the batch.
  func carry(_ begun: CuratePart, of batch: CurateBatch, _ attempt: JobAttempt) async throws {
    var part = begun
    if part.outcome == nil {
      part.outcome = try await outcome(of: part, batch, attempt)
      try await attempt.checkpoint(format: Self.partFormat, state: try part.json)
    }
    attempt.killPoint(.curateBeforeComplete)
    while true {
      let known = try await attempt.store.markedParts(of: attempt.jobID)
      if known.allSatisfy({ $0.isDone || $0.job == attempt.jobID }) { break }
      do {
        try await attempt.complete { transaction in
          // Of two that end at once the second one sees both as ended, and begins again as the last one.
          let parts = try await attempt.store.parts(of: attempt.jobID, in: transaction)
          if parts.open == 0 { throw IsLast() }
        }
        return attempt.killPoint(.curateCompleted)
      } catch is IsLast { continue }
    }
    try await finish(part, of: batch, attempt)
  }

  private struct IsLast: Error {}

  private func outcome(
    of part: CuratePart, _ batch: CurateBatch, _ attempt: JobAttempt
  ) async throws -> CuratePart.Outcome {
    for other in try await parts(of: attempt) {
      if case .obstacle(let reason) = other.outcome { return .obstacle(reason: reason) }
    }
    let due = try await self.due(of: batch)
    guard part.isOf(due) else { return .obstacle(reason: "the raw that is due has changed") }
    do {
      return .curated(
        result: try await withScratch(attempt) { try await curate(part, of: batch, due[0], in: $0, attempt) })
    } catch let obstacle as PartObstacle {
      return .obstacle(reason: obstacle.reason)
    } catch let failure as StageFailure where !failure.isTransient {
      try Task.checkCancellation()
      // One job says of the whole batch what is wrong with it.
      return .obstacle(reason: "a part fails with \(failure.code)")
    }
  }

  /// What the jobs of this batch have left, as far as it is known.
  private func parts(of attempt: JobAttempt) async throws -> [CuratePart] {
    try await attempt.store.markedParts(of: attempt.jobID).compactMap { known in
      known.mark.flatMap { $0.format == Self.partFormat ? CuratePart(json: $0.state) : nil }
    }
  }

  private func curate(
    _ part: CuratePart, of batch: CurateBatch, _ due: DueRaw, in directory: String, _ attempt: JobAttempt
  ) async throws -> String {
    var step = batch.step
    // These are decided on the whole batch.
    step.badRows.stopOver = nil
    step.minRows = nil
    step.checks = []
    step.drift.newColumn = .keepInRaw
    step.drift.missingColumn = .event
    var raw = due
    raw.objects = Array(due.objects[part.first..<part.end])
    var request = try await self.request(
      step, of: batch.pipeline, sql: try batch.sql, due: [raw], visible: [], directory: directory, upTo: batch.run)
    request.streams[0].knownFields = part.knownFields
    request.edition = batch.edition
    request.limits = await grownLimits(attempt)
    let result = try await curator(of: [raw], attempt).curate(request)
    guard let content = result.content, let filtered = result.counts.filtered, result.key.isEmpty else {
      throw PartObstacle("the SELECT is not row by row")
    }
    let folder = self.folder(of: batch, attempt, id: newID())
    let quarantine = "\(folder)/quarantine.parquet"
    let files = try await adopt(result, into: folder, quarantine: quarantine)
    let left = PartResult(
      files: files, columns: result.snapshotColumns, cursorField: result.cursorField,
      rowsIn: Int64(result.counts.rowsIn),
      rowsOut: Int64(result.counts.rowsOut), filtered: Int64(filtered), quarantined: Int64(result.counts.quarantined),
      quarantineKey: result.quarantine == nil ? nil : quarantine,
      quarantineKeysReadable: result.quarantineKeysReadable,
      content: String(decoding: try JSONEncoder().encode(content), as: UTF8.self),
      dropped: result.events.filter { $0.kind == .droppedColumn }.map(\.message), badReasons: result.badReasons,
      records: raw.objects.map { result.recordsByObject[$0.id] ?? 0 })
    let key = try ObjectKey("\(folder)/part.json")
    try await objects.put(key, condition: .absent, bytes: Array(try JSONEncoder().encode(left)))
    attempt.killPoint(.curateFilesWritten)
    return key.text
  }
}
