import AsyncHTTPClient
import Catalog
import FoundationEssentials
import JobModel
import JobStore
import Logging
import ObjectStore
import PipelineDefinition
import Postgres

/// The ingest stage: pulls one stream of one run into the raw zone.
///
/// Objects are committed together with the checkpoint that covers them, so that nothing before the checkpoint is pulled
/// again and nothing after it is skipped. While some are committed, the next are pulled (``StepWriter``).
package struct IngestHandler: JobHandler {
  /// What the job is about; pipeline and run are the job's own.
  package struct Payload: Sendable, Codable, Equatable {
    package var source: String
    package var stream: String
    /// Of a backfill: the values of the cursor that it reads, without the last.
    package var from: String?
    package var to: String?

    package init(source: String, stream: String) {
      self.source = source
      self.stream = stream
    }

    var range: CursorRange? { from.flatMap { from in to.map { CursorRange(from: from, to: $0) } } }
  }

  package static let jobKind = StageJob.ingest
  /// The checkpoints that this engine leaves and goes on from.
  package static let formats = EngineFormats(
    reads: Set(written),
    migrates: Set(HTTPConnector.migrations.keys).union(FilesConnector.migrations.keys),
    writes: Set(written))
  private static let written = [
    HTTPConnector.checkpointFormat, FilesConnector.checkpointFormat, FilesConnector.partFormat,
  ].compactMap(\.self)

  private let surroundings: IngestSurroundings

  package init(_ surroundings: IngestSurroundings) { self.surroundings = surroundings }

  package func run(_ attempt: JobAttempt) async throws {
    let payload = try Self.payload(attempt)
    let pipeline = try await surroundings.pipeline(attempt)
    let reference = StreamReference(source: payload.source, stream: payload.stream)
    guard let source = pipeline.source(named: payload.source), let stream = pipeline.stream(reference) else {
      throw StageFailure(
        code: "stream_missing", message: "the pipeline \(pipeline.name) of this run has no stream \(reference)")
    }
    let id = StreamID(pipeline: attempt.pipeline, source: payload.source, stream: payload.stream)
    guard let run = attempt.runID else { preconditionFailure("ingest jobs belong to a run") }
    guard !stream.isWithheld else {
      await attempt.log(.info, "\(reference) is not read: this environment has a sample of its input")
      return try await attempt.complete()
    }
    let resolver = surroundings.resolver.adding(["env": surroundings.environment, "run": "\(run)"])
    let host = try host(of: stream, source, resolver)
    // Two runs must not read the same cursor and the same files; the second waits its turn, which costs it no attempt. The parts of one run do
    // not wait for each other. A backfill neither reads nor moves the cursor, so no run waits for it, only another backfill.
    let isBackfill = payload.range != nil
    var needs: Set = [
      PermitNeed("ingest/\(id.pipeline)/\(id)" + (isBackfill ? "/backfill" : ""), isOfRun: !isBackfill)
    ]
    if let host, case .http(let http) = source.kind, let inFlight = http.inFlight {
      needs.insert(PermitNeed("source/\(host)", slots: inFlight))
    }
    try await attempt.takePermits(needs)
    let context = PullContext(
      label: "\(reference)", store: try surroundings.rawStore(pipeline, resolver),
      keys: RawKeys(
        stream: id, run: run, job: attempt.jobID, epoch: attempt.epoch, mark: surroundings.keyMark),
      report: { attempt.progress($0) }, shouldYield: { attempt.shouldYield }, waits: { attempt.waits(for: $0, $1) },
      isRetriedByHand: attempt.mark == nil ? false : try await attempt.store.hasOutlivedMark(attempt.jobID))
    let parts = surroundings.parts.limited(to: pipeline.concurrency)
    switch source.kind {
    case .http(let http):
      let clock = try await surroundings.clocks.clock(of: pipeline.cursorZone(of: reference), attempt.store)
      let connector = HTTPConnector(
        source: http, stream: stream, resolver: resolver, storedCursor: try await storedCursor(of: stream, id, clock),
        clock: clock, range: payload.range, client: surroundings.client, timing: surroundings.timing,
        line: host.map { surroundings.paces.pace(of: $0, store: attempt.store, timing: surroundings.timing) })
      try await carry(connector, stream, id, run, payload.range, context, attempt, parts: parts)
    case .files(let files):
      let connector = FilesConnector(
        source: files, stream: stream, resolver: resolver, projectDirectory: surroundings.projectDirectory,
        secretsDirectory: surroundings.secretsDirectory,
        seen: { [catalog = surroundings.catalog] in try await catalog.seenFiles(of: id, run: run, among: $0) },
        timing: surroundings.timing)
      try await carry(connector, stream, id, run, payload.range, context, attempt, parts: parts)
    }
  }

  /// The stored cursor that counts for this run.
  private func storedCursor(
    of stream: PipelineDefinition.Stream, _ id: StreamID, _ clock: LocalClock?
  ) async throws -> String? {
    guard let cursor = stream.cursor else { return nil }
    return CursorProgress.stored(
      cursor, history: try await surroundings.catalog.cursorHistory(of: id), now: surroundings.timing.wallSeconds(),
      clock: clock)
  }

  /// Whom the limits of a source spare; nil where it has none.
  private func host(
    of stream: PipelineDefinition.Stream, _ source: Source, _ resolver: ValueResolver
  ) throws -> String? {
    guard case .http(let http) = source.kind, http.inFlight != nil || http.requestsPerSecond != nil else { return nil }
    return try HTTPConnector.host(of: stream, http, resolver, label: "\(source.name).\(stream.name)")
  }

  /// Carries a pull to its end, and ends the job.
  private func carry<Source: Connector>(
    _ connector: Source, _ stream: PipelineDefinition.Stream, _ id: StreamID, _ run: RunID, _ range: CursorRange?,
    _ context: PullContext, _ attempt: JobAttempt, parts: PartRule
  ) async throws {
    let catalog = surroundings.catalog
    // Another run may have had the stream between two attempts of this one, and have brought what this one brought.
    var outrunBy: RunID?
    if stream.read == .incremental, range == nil, attempt.mark != nil,
      let marked = try await attempt.store.checkpointTime(of: attempt.jobID)
    {
      outrunBy = try await catalog.outrun(
        id, since: marked, but: run, backfills: try await attempt.store.backfills(of: id.pipeline))
    }
    let mark = outrunBy == nil || Source.seesOtherRuns ? attempt.mark : nil
    let state = try await Self.state(of: mark, for: Source.self, attempt)
    if let outrunBy {
      await attempt.log(.notice, "run \(outrunBy) has read \(id) since: what it brought is not taken twice")
    }
    var begun = try await connector.pull(from: state, in: context)
    if attempt.mark == nil, let first = try await split(begun, of: Source.self, by: parts, attempt) {
      begun = try await connector.pull(from: first, in: context)
    }
    let partCount = begun.partCount
    let format = partCount == nil ? Source.checkpointFormat : Source.partFormat ?? Source.checkpointFormat
    let writer = StepWriter(store: context.store, catalog: catalog, stream: id, format: format, attempt: attempt)
    let ended = try await writer.carry(begun, outrunBy: outrunBy)
    let (pull, stillOutrunBy) = (ended.pull, ended.outrunBy)
    if let remark = pull.remark { await attempt.log(.notice, remark) }
    attempt.killPoint(.ingestBeforeComplete)
    let cursor = pull.newCursor
    let events = pull.events
    try await attempt.complete { transaction in
      if let outrunBy = stillOutrunBy { try await catalog.supersede(by: outrunBy, attempt, of: id, in: transaction) }
      if let cursor { try await catalog.advanceCursor(of: id, to: cursor, run: run, in: transaction) }
      try await attempt.note(events, of: id, in: transaction)
      if let partCount, try await !Self.isLast(attempt, of: partCount, in: transaction) { return }
      try await catalog.seal(id, run: run, read: stream.read.rawValue, in: transaction)
    }
    attempt.killPoint(.ingestCompleted)
  }

  /// Gives parts of a pull that has not begun to other jobs. Returns the state of the part that is left; nil where it is not split.
  private func split<Source: Connector>(
    _ pull: any Pull, of source: Source.Type, by rule: PartRule, _ attempt: JobAttempt
  ) async throws -> String? {
    guard rule.maximum > 1, let format = source.partFormat else { return nil }
    let states = try pull.parts(by: rule)
    guard states.count > 1 else { return nil }
    let others = states.enumerated().dropFirst().map {
      JobPart(state: $0.element, label: "\(attempt.claim.label) \($0.offset + 1)/\(states.count)")
    }
    try await attempt.split(format: format, state: states[0], into: others)
    await attempt.log(.info, "\(states.count) jobs bring this stream")
    attempt.killPoint(.ingestCheckpointed)
    return states[0]
  }

  /// Whether this attempt, which has ended in the transaction, was the last one of its parts.
  private static func isLast(
    _ attempt: JobAttempt, of count: Int, in transaction: PostgresTransaction
  ) async throws -> Bool {
    let parts = try await attempt.store.parts(of: attempt.jobID, in: transaction)
    guard parts.jobs == count else {
      throw StageFailure(
        code: "parts_missing", message: "\(parts.jobs) of the \(count) jobs that bring this stream are there",
        hint: "start a new run: sluice run \(attempt.pipeline)")
    }
    return parts.open == 0
  }

  /// A checkpoint's state as the connector reads it, an older one migrated.
  ///
  /// - Throws: `JobSnooze` where this engine does not read it: another is to go on, and nothing is lost.
  private static func state<Source: Connector>(
    of mark: JobMark?, for source: Source.Type, _ attempt: JobAttempt
  ) async throws -> String? {
    guard let mark else { return nil }
    if mark.format == source.checkpointFormat || mark.format == source.partFormat { return mark.state }
    guard let migrate = source.migrations[mark.format] else {
      await attempt.log(.error, "this engine reads checkpoints \(source.checkpointFormat), not \(mark.format)")
      throw JobSnooze(.seconds(30))
    }
    do { return try migrate(mark.state) } catch {
      throw StageFailure(
        code: "checkpoint_unreadable", message: "a checkpoint \(mark.format) cannot be read",
        hint: "start the run anew: sluice run \(attempt.pipeline)")
    }
  }

  private static func payload(_ attempt: JobAttempt) throws -> Payload {
    do { return try JSONDecoder().decode(Payload.self, from: Data(attempt.payload.utf8)) } catch {
      throw StageFailure(
        code: "payload_unreadable", message: "the payload of job \(attempt.jobID) is not that of an ingest job")
    }
  }
}
