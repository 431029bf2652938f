import Catalog
import DuckDB
import FoundationEssentials
import JobModel
import JobStore
import Logging
import ObjectStore
import PipelineDefinition

/// The end of a batch that was split: all other parts are done.
extension CurateHandler {
  /// Commits the one snapshot of what all parts have left, or curates the whole batch where that is not exact.
  func finish(_ own: CuratePart, of batch: CurateBatch, _ attempt: JobAttempt) async throws {
    // A job that is done changes its checkpoint no more.
    let known = try await attempt.store.markedParts(of: attempt.jobID)
    let parts = known.map { part in
      part.job == attempt.jobID ? own : part.mark.flatMap { CuratePart(json: $0.state) }
    }
    var left: [(part: CuratePart, key: String, result: PartResult?)] = []
    for part in parts.compactMap(\.self) {
      guard case .curated(let key) = part.outcome else { continue }
      left.append((part, key, try await result(at: key)))
    }
    let due = try await self.due(of: batch)
    do {
      for case .obstacle(let reason)? in parts.map({ $0?.outcome }) { throw PartObstacle(reason) }
      guard left.count == parts.count, left.count == own.count else {
        throw PartObstacle("the parts are not all there")
      }
      guard own.isOf(due) else { throw PartObstacle("the raw that is due has changed") }
      let results = try left.map { part, _, result in
        guard let result else { throw PartObstacle("what a part has left cannot be read") }
        return (part: part, result: result)
      }
      try await commit(results, of: batch, due: due, attempt)
    } catch let obstacle as PartObstacle {
      // All that was done is written.
      if attempt.shouldYield { throw JobYield() }
      await attempt.log(.notice, "one job curates the whole batch: \(obstacle.reason)")
      // Fenced: from here on no attempt uses what the parts have left, whatever becomes of the whole batch.
      var given = own
      given.outcome = .obstacle(reason: obstacle.reason)
      try await attempt.checkpoint(format: Self.partFormat, state: try given.json)
      await remove(left.flatMap { ($0.result?.keys ?? []) + [$0.key] }, attempt)
      return try await take(due, of: batch, attempt)
    }
    await remove(left.map(\.key), attempt)
    attempt.killPoint(.curateCompleted)
    await compact(batch.step.name, of: batch.pipeline.name, attempt: attempt)
  }

  /// nil where it is not there, or none of this engine's.
  private func result(at key: String) async throws -> PartResult? {
    let key = try ObjectKey(key)
    guard try await objects.info(key) != nil else { return nil }
    var bytes: [UInt8] = []
    for try await chunk in objects.get(key, range: nil) { bytes += chunk }
    return try? JSONDecoder().decode(PartResult.self, from: Data(bytes))
  }

  /// - Throws: ``PartObstacle`` before anything is written to the catalog.
  private func commit(
    _ parts: [(part: CuratePart, result: PartResult)], of batch: CurateBatch, due: [DueRaw], _ attempt: JobAttempt
  ) async throws {
    let step = batch.step
    let last = try await catalog.lastSnapshot(pipeline: batch.pipeline.name, dataset: step.name)
    // Nothing is read: what the request knows of the stream is what one job would know.
    let request = try await self.request(
      step, of: batch.pipeline, sql: nil, due: due, visible: [], directory: scratch, upTo: batch.run)
    var stream = request.streams[0]
    stream.knownFields = parts.first?.part.knownFields ?? []
    let merged = try MergedParts(
      parts, step: step, stream: stream, hasSQL: step.sqlPath != nil, rowsBefore: last.map { Int($0.counts.rowsOut) })
    // Before the quarantine is written: an obstacle leaves nothing.
    var curated = try merged.batch(quarantine: merged.quarantineKeys.first)
    let id = newID()
    let replaced = merged.quarantineKeys.count > 1 ? merged.quarantineKeys : []
    if !replaced.isEmpty {
      curated.quarantineKey = try await withScratch(attempt) {
        try await join(replaced, rows: merged.quarantined, into: folder(of: batch, attempt, id: id), $0, attempt)
      }
    }
    let stored = try await catalog.segments(pipeline: batch.pipeline.name, dataset: step.name)
    try await commit(
      curated, id: id, of: batch, due: due, after: last?.id, isFull: request.isFull, replacing: stored, by: [], attempt)
    await remove(replaced, attempt)
  }

  /// One quarantine of several, in the order of one.
  private func join(
    _ keys: [String], rows: Int64, into folder: String, _ directory: String, _ attempt: JobAttempt
  ) async throws -> String {
    let paths = try keys.map { try path(of: $0, in: objects) }
    let target = "\(directory)/quarantine.parquet"
    let place = DuckDBPlace(directory: directory, directories: Set(paths.map(Curator.folder(of:))).sorted())
    let limits = await grownLimits(attempt)
    let written = try await duckDB.telling { attempt.noteMemory(ofChild: $0) }
      .withSession(in: place, limits: limits) { session in
        try await session.run(Quarantine.join(paths, to: target))
        return try await session.value(
          "select count(*) as n from read_parquet(\(quoteLiteral(target)), hive_partitioning = false)"
        ).int
      }
    guard written.map(Int64.init) == rows else {
      throw StageFailure(
        code: "rows_unaccounted", message: "\(rows) rows are in quarantine and \(written ?? 0) were written",
        hint: "this is a fault of Sluice; nothing was committed; please report it with the pipeline")
    }
    let key = "\(folder)/quarantine.parquet"
    _ = try await objects.adopt(files: [(path: target, key: try ObjectKey(key))])
    return key
  }

  /// Removes objects that no snapshot has. What stays takes space and does no harm.
  private func remove(_ keys: [String], _ attempt: JobAttempt) async {
    do { for key in keys { try await objects.delete(try ObjectKey(key)) } } catch {
      attempt.logger.warning("files of parts were not removed", metadata: ["error": "\(error)"])
    }
  }
}
