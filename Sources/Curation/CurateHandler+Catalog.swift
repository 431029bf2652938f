import Catalog
import DuckDB
import FoundationEssentials
import JobModel
import JobStore
import ObjectStore
import PipelineDefinition
import Postgres

/// What the handler asks of the catalog, and what it tells.
extension CurateHandler {
  /// - Parameter segments: What stands for parts of the streams' histories; nil: none is used and none is made.
  func request(
    _ step: CurateStep, of pipeline: Pipeline, sql: String?, due: [DueRaw], visible: [DatasetPart],
    segments: [StoredSegment]? = nil, directory: String, upTo run: RunID, isRehearsed: Bool = false
  ) async throws -> CurationRequest {
    let raw = try rawStore(pipeline)
    var streams: [CurationStream] = []
    for (reference, due) in zip(step.from, due) {
      guard let definition = pipeline.stream(reference) else {
        throw StageFailure(
          code: "stream_missing", message: "pipeline \(pipeline.name) has no stream \(reference)", at: "\(step.place)")
      }
      let times = Dictionary(due.runs.map { ($0.id, $0.runAt) }) { first, _ in first }
      let fields = try await catalog.knownFields(of: due.stream)
      // The text decides whether earlier raw may be needed; the parsed SELECT decides whether it is read.
      let wantsHistory = step.over == .all || sql?.lowercased().contains("current") ?? false
      let history = wantsHistory ? try await history(of: due.stream, in: raw, upTo: run) : []
      var objects = try due.objects.map { try object($0, in: raw, runAt: times[$0.runID] ?? "") }
      if step.over == .all { objects = Self.everything(of: definition, due: objects, history: history) }
      var stream = CurationStream(
        reference: reference, definition: definition, objects: objects, history: history,
        // What later runs brought was not known when it was curated.
        knownFields: fields.filter { !isRehearsed || $0.firstRun <= run }.map(\.name))
      if wantsHistory, let segments {
        stream.keepsSegments = true
        stream.segments = try Self.segments(of: due.stream, among: segments, in: raw)
      }
      streams.append(stream)
    }
    let tables = pipeline.load.flatMap(\.tables).filter { $0.from == step.name }
    let loadKeys = tables.filter { $0.mode == .merge }.flatMap(\.key)
    return CurationRequest(
      step: step, streams: streams, sql: sql,
      previous: try PreviousData(visible) { try path(of: $0, in: objects) },
      isFull: pipeline.isFull(step), isLoaded: !tables.isEmpty, loadKeys: loadKeys, salts: try salts(step),
      scratch: directory, limits: limits,
      expansion: expansion)
  }

  private func salts(_ step: CurateStep) throws -> [String: String] {
    var salts: [String: String] = [:]
    for column in step.columns {
      guard let template = column.mask?.salt else { continue }
      do { salts[column.name] = try template.resolved(with: resolver) } catch let error as TemplateError {
        throw StageFailure(code: "salt_missing", message: "dataset \(step.name), column \(column.name): \(error)")
      }
    }
    return salts
  }

  func rawStore(_ pipeline: Pipeline) throws -> any ObjectStore {
    guard let location = pipeline.raw.location else { return objects }
    return try openObjectStore(location: try location.resolved(with: resolver), projectDirectory: projectDirectory)
  }

  private func object(_ raw: RawObject, in store: any ObjectStore, runAt: String) throws -> CurationObject {
    CurationObject(
      id: raw.id, path: try path(of: raw.key, in: store), name: raw.request, run: raw.runID.rawValue, runAt: runAt,
      sequence: raw.sequence, content: CurationObject.Content(bytes: raw.bytes, sha256: raw.sha256))
  }

  /// Everything that a stream brought up to this run, with the times of its runs.
  private func history(
    of stream: StreamID, in objects: any ObjectStore, upTo run: RunID
  ) async throws -> [CurationObject] {
    try await catalog.history(of: stream, upTo: run).map { try object($0.object, in: objects, runAt: $0.runAt) }
  }

  /// What a dataset is computed from that is computed from everything: all that an incremental stream ever brought, and the newest
  /// read of a full one, also where this run brought none.
  private static func everything(
    of stream: PipelineDefinition.Stream, due: [CurationObject], history: [CurationObject]
  ) -> [CurationObject] {
    guard stream.read == .full else { return history }
    guard due.isEmpty, let newest = history.last?.run else { return due }
    return history.filter { $0.run == newest }
  }

  func path(of key: String, in store: any ObjectStore) throws -> String {
    guard let path = store.localPath(try ObjectKey(key)) else {
      throw StageFailure(
        code: "object_unreadable", message: "the SQL engine cannot open \(key) in this storage",
        hint: "use a storage location of the kind file:")
    }
    return path
  }

  /// Notes fields, record counts and events in the transaction that commits the snapshot, and tells those who asked.
  func note(
    _ result: CuratedBatch, of pipeline: Pipeline, dataset: String, attempt: JobAttempt,
    in transaction: PostgresTransaction
  ) async throws {
    guard let run = attempt.runID else { return }
    for (reference, names) in result.fields.sorted(by: { "\($0.key)" < "\($1.key)" }) {
      let stream = StreamID(pipeline: pipeline.name, source: reference.source, stream: reference.stream)
      try await catalog.noteFields(names, of: stream, run: run, in: transaction)
    }
    try await catalog.noteRecords(
      result.recordsByObject.sorted { $0.key < $1.key }.map { ($0.key, Int64($0.value)) }, in: transaction)
    for event in result.events {
      try await attempt.store.note(
        event: event.kind.rawValue, pipeline: pipeline.name, run: run, job: attempt.jobID, message: event.message,
        in: transaction)
    }
    let drift = result.events.filter(\.kind.isDrift).map(\.message)
    if !drift.isEmpty {
      try await tell("schema_drift", drift.joined(separator: "; "), pipeline, dataset, attempt, in: transaction)
    }
    if result.counts.quarantined > 0 {
      let message = "dataset \(dataset): \(result.counts.quarantined) of \(result.counts.rowsIn) rows are in quarantine"
      try await tell("quarantined", message, pipeline, dataset, attempt, in: transaction)
    }
  }

  private struct Message: Encodable {
    var event: String
    var pipeline: String
    var run: Int64?
    var job: Int64
    var dataset: String
    var message: String
  }

  private func tell(
    _ kind: String, _ text: String, _ pipeline: Pipeline, _ dataset: String, _ attempt: JobAttempt,
    in transaction: PostgresTransaction
  ) async throws {
    let message = Message(
      event: kind, pipeline: pipeline.name, run: attempt.runID?.rawValue, job: attempt.jobID.rawValue, dataset: dataset,
      message: text)
    let body = String(decoding: try JSONEncoder().encode(message), as: UTF8.self)
    try await attempt.store.tell(kind, pipeline: pipeline.name, run: attempt.runID, body: body, in: transaction)
  }
}
