import Catalog
import DuckDB
import JobModel
import JobStore
import ObjectStore
import PipelineDefinition
import Postgres
import Releases

/// What the catalog of an environment begins with; written by one transaction.
struct FilledCatalog: Sendable {
  struct Raw: Sendable {
    var stream: StreamID
    var read: ReadMode
    var objects: [NewRawObject]
  }

  var snapshots: [NewSnapshot] = []
  var raw: [Raw] = []
  var cursors: [(stream: StreamID, value: String)] = []

  private var pipelines: [String] { Set((raw.map(\.stream) + cursors.map(\.stream)).map(\.pipeline)).sorted() }

  /// - Parameters:
  ///   - project: Whose runs the raw is to be of.
  ///   - isDoubled: Whether a run that takes raw once more doubles rows of a snapshot.
  func write(
    _ database: PostgresPool, of project: Project, isDoubled: @Sendable (NewSnapshot) -> Bool
  ) async throws {
    let catalog = Catalog(database: database)
    let store = JobStore(database: database, bell: LaneBell())
    var release: Int64 = 0
    if !pipelines.isEmpty {
      release = try await store.registerRelease(
        contentHash: project.definitionHash, files: project.bundle.files.map { ($0.path, $0.bytes) }, label: nil,
        engine: Engine.version)
    }
    try await database.transaction { [release] transaction in
      var runs: [String: RunID] = [:]
      for pipeline in pipelines {
        runs[pipeline] = try await store.recordRun(of: pipeline, release: release, in: transaction)
      }
      for part in raw {
        guard let run = runs[part.stream.pipeline] else { continue }
        try await catalog.record(part.objects, of: part.stream, run: run, in: transaction)
        try await catalog.seal(part.stream, run: run, read: part.read.rawValue, in: transaction)
      }
      for (stream, value) in cursors {
        guard let run = runs[stream.pipeline] else { continue }
        try await catalog.advanceCursor(of: stream, to: value, run: run, in: transaction)
      }
      for var snapshot in snapshots {
        if let run = runs[snapshot.pipeline] {
          snapshot.runID = run
          if isDoubled(snapshot) {
            snapshot.taken = raw.filter { $0.stream.pipeline == snapshot.pipeline }.map {
              DueRaw(stream: $0.stream, objects: [], runs: [DueRaw.Run(id: run, runAt: "")], superseded: [])
            }
          }
        }
        try await catalog.commit(snapshot, in: transaction)
      }
    }
  }
}

extension EnvironmentFilling {
  /// Puts what a part of raw is into the environment's storage.
  func store(
    _ part: RawSample.Part, _ output: Output?, _ number: Int, _ objects: LocalObjectStore
  ) async throws -> (objects: [NewRawObject], content: Content) {
    let stream = part.stream
    let folder = "raw/\(stream.pipeline)/\(stream.source)/\(stream.stream)/sample-\(file.token.prefix(8))"
    var stored: [NewRawObject] = []
    var content = Content(dataset: "\(stream.pipeline)/\(stream)", rows: 0, bytes: 0, bytesBefore: part.bytes)
    switch part.source {
    case .rows:
      guard let output else { break }
      let text = RecordText(stream: part.definition, columns: [])
      let object = try await objects.put(
        try ObjectKey("\(folder)/0.\(text.suffix)"), condition: .absent, from: Self.wrapped(output.path, text.wrapping))
      stored.append(
        NewRawObject(
          sequence: 0, key: object.key.text, bytes: object.bytes, sha256: object.sha256, request: "sample",
          records: output.rows))
      content.rows = output.rows
    case .whole(let originals):
      let source = try rawStore(of: stream.pipeline)
      for (sequence, original) in originals.enumerated() {
        let object = try await objects.put(
          try ObjectKey("\(folder)/\(sequence)"), condition: .absent, from: source.get(try ObjectKey(original.key)))
        guard object.sha256 == original.sha256 else {
          throw StageFailure(
            code: "raw_changed", message: "the raw object \(original.key) is not what its manifest says",
            hint: "restore it from a backup, or give up its run: sluice runs skip \(original.runID)")
        }
        stored.append(
          NewRawObject(
            sequence: sequence, key: object.key.text, bytes: object.bytes, sha256: object.sha256,
            request: original.request, contentType: original.contentType, records: original.records))
        content.rows += original.records ?? 0
      }
    }
    content.bytes = stored.reduce(0) { $0 + $1.bytes }
    return (stored, content)
  }

  private static func wrapped(
    _ path: String, _ wrapping: (before: String, after: String)
  ) throws -> AsyncThrowingStream<[UInt8], any Error> {
    let parts = path.split(separator: "/")
    let folder = "/" + parts.dropLast().joined(separator: "/")
    let content = LocalObjectStore(root: folder).get(try ObjectKey(parts.last.map(String.init) ?? ""), range: nil)
    let pieces = Pieces(content: content, before: Array(wrapping.before.utf8), after: Array(wrapping.after.utf8))
    return AsyncThrowingStream { try await pieces.next() }
  }

  private actor Pieces {
    private var iterator: AsyncThrowingStream<[UInt8], any Error>.AsyncIterator
    private var before: [UInt8]
    private var after: [UInt8]

    init(content: AsyncThrowingStream<[UInt8], any Error>, before: [UInt8], after: [UInt8]) {
      iterator = content.makeAsyncIterator()
      self.before = before
      self.after = after
    }

    func next() async throws -> [UInt8]? {
      if !before.isEmpty {
        defer { before = [] }
        return before
      }
      var own = iterator
      defer { iterator = own }
      if let piece = try await own.next(isolation: self) { return piece }
      guard !after.isEmpty else { return nil }
      defer { after = [] }
      return after
    }
  }

  private func rawStore(of pipeline: String) throws -> any ObjectStore {
    guard let location = model.project.pipelines.first(where: { $0.name == pipeline })?.raw.location else {
      return model.objects
    }
    return try openObjectStore(location: try location.resolved(with: model.resolver), projectDirectory: model.directory)
  }

  /// The cursors of streams that the environment reads.
  func cursors(_ plan: SamplePlan, _ data: EnvironmentData) async throws -> [(stream: StreamID, value: String)] {
    var cursors: [(stream: StreamID, value: String)] = []
    for pipeline in plan.projects.first?.pipelines ?? [] {
      for source in pipeline.sources {
        for stream in source.streams {
          let reference = StreamReference(source: source.name, stream: stream.name)
          guard data.kind != .sample || !plan.isMasked(reference, of: pipeline.name) else { continue }
          let id = StreamID(pipeline: pipeline.name, source: source.name, stream: stream.name)
          if let value = try await model.catalog.cursor(of: id) { cursors.append((id, value)) }
        }
      }
    }
    return cursors
  }

  func commit(_ content: FilledCatalog, _ plan: SamplePlan) async throws {
    guard let project = plan.projects.first else { return }
    let pool = PostgresPool(try PostgresSettings(databaseURL, applicationName: "sluice-env"), maximum: 2)
    do {
      // Rows of a dataset without a key are not told apart: a snapshot that adds them once more doubles them.
      try await content.write(pool, of: project) { $0.key.isEmpty && !$0.isFull }
      await pool.close()
    } catch {
      await pool.close()
      throw error
    }
  }
}
