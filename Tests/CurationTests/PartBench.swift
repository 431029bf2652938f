import Catalog
import Curation
import DuckDB
import FoundationEssentials
import JobModel
import JobStore
import Logging
import ObjectStore
import PipelineDefinition
import Postgres
import TestSupport
import Testing

/// A real queue, catalog and store with a pipeline of one stream and one dataset; a test does the ingest itself and lets the handler curate.
struct PartBench: Sendable {
  let store: JobStore
  let catalog: Catalog
  let objects: LocalObjectStore
  let duckDB: DuckDB
  let pipeline: Pipeline
  let handler: CurateHandler
  /// One that never splits a batch.
  let whole: CurateHandler
  let directory: String
  let worker: Int64
  let release: Int64

  /// Nine small objects are three parts of three.
  static let rule = PartRule(maximum: 3, bytes: 1_000_000, files: 3)
  static let format = CheckpointFormat("curate.part", 1)

  static func with(
    _ stream: PipelineDefinition.Stream, _ step: CurateStep, sql: String? = nil, rule: PartRule = rule,
    _ body: @Sendable (PartBench) async throws -> Void
  ) async throws {
    var step = step
    if sql != nil { step.sqlPath = "d.sql" }
    let source = Source(
      name: "shop", kind: .files(FilesSource(at: ValueTemplate(literal: "file:in"))), streams: [stream])
    let pipeline = Pipeline(name: "p", sources: [source], curate: [step])
    try await TestDatabase.withDatabase { database in
      try await TestProject.withProject { project in
        let store = JobStore(database: database.pool)
        let catalog = Catalog(database: database.pool)
        let objects = LocalObjectStore(root: project.directory + "/data")
        let duckDB = try DuckDB.locate()
        let scratch = project.directory + "/scratch"
        try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: true)
        func handler(_ rule: PartRule) -> CurateHandler {
          CurateHandler(
            catalog: catalog, objects: objects, duckDB: duckDB,
            limits: DuckDBLimits(memoryBytes: 500_000_000, time: .seconds(120)), scratch: scratch,
            resolver: ValueResolver(environment: { _ in nil }, secret: { _ in nil }),
            projectDirectory: project.directory, newID: { UUID().uuidString.lowercased() }, parts: rule
          ) { _ in (pipeline, { _ in sql ?? "" }) }
        }
        let session = try await PostgresConnection.connect(database.settings)
        do {
          let release = try await store.registerRelease(contentHash: "test", files: [], label: nil, engine: "test")
          let worker = try await store.registerWorker(
            JobStore.WorkerBirth(release: release, host: "here", pid: 1, engine: "test", slots: 1),
            lease: .seconds(3600),
            on: session)
          try await body(
            PartBench(
              store: store, catalog: catalog, objects: objects, duckDB: duckDB, pipeline: pipeline,
              handler: handler(rule), whole: handler(PartRule()),
              directory: project.directory, worker: worker, release: release))
        } catch {
          await session.close()
          throw error
        }
        await session.close()
      }
    }
  }

  /// A run whose stream has brought these objects; its dataset is due.
  @discardableResult
  func bring(_ contents: [String]) async throws -> RunID {
    let run = try await store.enqueue(pipeline.runPlan, release: release).runID
    let ingest = try #require(try await claim(of: "ingest"))
    var rows: [NewRawObject] = []
    for (sequence, text) in contents.enumerated() {
      let key = try ObjectKey("raw/p/shop/orders/\(run)/\(sequence)")
      let stored = try await objects.put(key, condition: .absent, bytes: Array(text.utf8))
      rows.append(
        NewRawObject(
          sequence: sequence, key: key.text, bytes: stored.bytes, sha256: stored.sha256, request: "\(sequence)"))
    }
    let stream = StreamID(pipeline: "p", source: "shop", stream: "orders")
    try await ingest.complete { [rows] transaction in
      try await catalog.record(rows, of: stream, by: ingest, in: transaction)
      try await catalog.seal(stream, run: run, read: "incremental", in: transaction)
    }
    return run
  }

  func claim(of kind: String = "curate") async throws -> JobAttempt? {
    let claim = try await store.claim(worker: worker, limit: 1).first
    #expect(claim == nil || claim?.kind == kind)
    return claim.map { JobAttempt(claim: $0, store: store, logger: Logger(label: "test")) }
  }

  /// Does every job that is ready, and returns their labels.
  @discardableResult
  func curateAll() async throws -> [String] {
    var labels: [String] = []
    while let next = try await claim() {
      labels.append(next.claim.label)
      try await handler.run(next)
    }
    return labels
  }

  /// Does them until each has ended; what fails is dead. Returns the codes of the failures.
  func failures() async throws -> [String] {
    var codes: [String] = []
    while let next = try await claim() {
      do { try await handler.run(next) } catch let failure as StageFailure {
        codes.append("\(failure.code): \(failure.message)")
        try await kill(next)
      }
    }
    return codes
  }

  func giveBack(_ attempt: JobAttempt) async throws { try await store.endAttempt(attempt.claim.holder, as: .yielded) }
  func kill(_ attempt: JobAttempt) async throws {
    try await store.endAttempt(attempt.claim.holder, as: .dead(failure: "{}"))
  }

  func texts(_ sql: String) async throws -> [String] {
    try await store.database.query(SQLStatement(name: "test", text: sql), []).map { $0.optionalString(at: 0) ?? "null" }
  }

  func snapshots() async throws -> [Snapshot] { try await catalog.snapshots(pipeline: "p", dataset: "orders") }

  /// Everything that the runs have left, in words: what must be the same, in however many jobs.
  func left() async throws -> [String] {
    var lines: [String] = []
    for snapshot in try await snapshots() {
      lines.append(
        "run \(snapshot.runID) \(snapshot.isFull) \(snapshot.counts) \(snapshot.columns) \(snapshot.key) "
          + "\(snapshot.cursorField ?? "-") \(snapshot.quarantineKeysReadable)")
      #expect(snapshot.files.map(\.chunk) == Array(0..<snapshot.files.count))
      #expect(snapshot.files.reduce(0) { $0 + $1.rows } == snapshot.counts.rowsOut)
      let partitions = Dictionary(grouping: snapshot.files, by: \.partition).mapValues { $0.reduce(0) { $0 + $1.rows } }
      lines += partitions.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
      lines += try await rows(snapshot.files.map(\.key), "order by _object, _position")
      lines += try await rows([snapshot.quarantineKey].compactMap(\.self), "")
    }
    for sql in [
      """
      select kind || ': ' || message || ' ' || run_id from sluice.event
      where kind ~ '_field$' or kind in ('dropped_column', 'check_warning', 'unstorable_value') order by event_id
      """,
      """
      select kind || ': ' || (body ->> 'message') from sluice.outbox where kind in ('quarantined', 'schema_drift')
      order by outbox_id
      """,
      "select field || ' ' || position || ' ' || first_run || ' ' || last_run from sluice.stream_field order by position, field",
      "select object_id || ' ' || coalesce(records, -1) from sluice.raw_object order by object_id",
      "select run_id || ' ' || (snapshot_id is not null) from sluice.consumed order by run_id",
    ] { lines += try await texts(sql) }
    return lines
  }

  private func rows(_ keys: [String], _ order: String) async throws -> [String] {
    guard !keys.isEmpty else { return [] }
    let list = quoteList(keys.map { objects.root + "/" + $0 })
    return try await duckDB.withSession(in: DuckDBPlace(directory: directory), limits: DuckDBLimits()) { session in
      try await session.rows(
        "select to_json(d)::varchar as t from read_parquet(\(list), hive_partitioning = false) d \(order)"
      ).map { $0["t"]?.text ?? "" }
    }
  }

  /// Objects of the curated zone that no snapshot has.
  func orphans() async throws -> [String] {
    let known = Set(try await snapshots().flatMap { $0.files.map(\.key) + [$0.quarantineKey].compactMap(\.self) })
    return try await objects.list(prefix: "curated/").map(\.key.text).filter { !known.contains($0) }
  }
}
