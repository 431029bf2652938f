import Catalog
import DuckDB
import FoundationEssentials
import Glibc
import JobModel
import ObjectStore
import PipelineDefinition
import Postgres

/// Gives an environment that is being made the data that it begins with.
///
/// Rows are read from the model's files by one process of the SQL engine, which writes masked rows into the environment's storage. What it
/// spills is in the model's scratch. The catalog of the environment knows of them by one transaction: before it there is nothing.
struct EnvironmentFilling {
  let model: Installation
  let file: CopyFile
  let storage: EnvironmentStorage
  /// What it begins with instead of the project folder.
  let bundle: ProjectBundle?
  /// Of the environment's own database.
  let databaseURL: String

  /// What became of a dataset.
  struct Content: Sendable {
    var dataset: String
    var rows: Int64
    var bytes: Int64
    /// In the model.
    var rowsBefore: Int64?
    var bytesBefore: Int64
  }

  struct Outcome: Sendable {
    var contents: [Content] = []
    /// Streams in place of datasets; rows are records, where they are known.
    var raw: [Content] = []
    var cursors = 0
    var leftOut: [SamplePlan.LeftOut] = []
    var maskedStreams: [String] = []
  }

  /// What the engine has written: of datasets by their number in the plan, of streams by that of their part.
  private struct Sampled: Sendable {
    var outputs: [Int: Output] = [:]
    var records: [Int: Output] = [:]
  }

  /// A file of the sample, before it has its place in the storage.
  struct Output: Sendable {
    var rows: Int64
    var rowsBefore: Int64
    var path: String
  }

  /// Where the engine works. It holds values that are not masked, so it is the model's, and the removal of the environment takes it along.
  static func scratch(_ directory: String, model: String, token: String) -> String {
    Installation.stateDirectory(directory, environment: model) + "/scratch/sample-\(token)"
  }

  /// Of files that are not yet objects.
  private var incoming: String { storage.root + "/.sample" }

  static func fill(
    _ data: EnvironmentData, _ file: CopyFile, _ storage: EnvironmentStorage, _ bundle: ProjectBundle?,
    on server: EnvironmentServer
  ) async throws -> Outcome {
    let project = try Project.load(directory: server.directory, environment: file.copy.model)
    let url = try server.url(file.copy.database)
    return try await Installation.with(project, logger: Logs.quiet, access: .reading) { model in
      try await EnvironmentFilling(model: model, file: file, storage: storage, bundle: bundle, databaseURL: url).fill(
        data)
    }
  }

  private func fill(_ data: EnvironmentData) async throws -> Outcome {
    try await confirmModel()
    let plan = try await SamplePlan.gather(model, bundle)
    var raw = RawSample()
    var sampled = Sampled()
    if data.kind == .sample, let amount = data.amount {
      raw = try await RawSample.gather(plan, model.catalog)
      if !plan.datasets.isEmpty { sampled = try await sample(SampleSQL(plan: plan, amount: amount), raw) }
    }
    FillingStep.written.pass()
    var outcome = Outcome()
    if data.kind != .none { outcome.leftOut = plan.leftOut + raw.leftOut }
    if data.kind == .sample { outcome.maskedStreams = plan.maskedStreams }
    let objects = LocalObjectStore(root: storage.root)
    var content = FilledCatalog()
    if data.kind != .none {
      for (index, dataset) in plan.datasets.enumerated() {
        let output = sampled.outputs[index]
        let file = try await adopt(output, dataset, objects)
        content.snapshots.append(snapshot(of: dataset, file))
        outcome.contents.append(
          Content(
            dataset: dataset.name, rows: output?.rows ?? 0, bytes: file?.bytes ?? 0, rowsBefore: output?.rowsBefore,
            bytesBefore: dataset.bytes))
      }
    }
    for (number, part) in raw.parts.enumerated() {
      let stored = try await store(part, sampled.records[number], number, objects)
      guard !stored.objects.isEmpty else { continue }
      content.raw.append(FilledCatalog.Raw(stream: part.stream, read: part.definition.read, objects: stored.objects))
      outcome.raw.append(stored.content)
    }
    if data.hasCursors { content.cursors = try await cursors(plan, data) }
    outcome.cursors = content.cursors.count
    try? FileManager.default.removeItem(atPath: incoming)
    try await commit(content, plan)
    FillingStep.committed.pass()
    return outcome
  }

  /// The control database that is reached must be the model's.
  private func confirmModel() async throws {
    guard let owner = try await model.catalog.projectFolder(), owner.environment != model.environment else { return }
    throw Refusal(
      code: "model_elsewhere",
      message: "the \(model.settings) belongs to the environment \(owner.environment), and data was asked of "
        + "\(model.environment)",
      hint: "let SLUICE_DATABASE_URL or `database` in sluice.yaml name the control database of \(model.environment)")
  }

  private func adopt(
    _ output: Output?, _ dataset: SamplePlan.Dataset, _ objects: LocalObjectStore
  ) async throws -> DataFile? {
    guard let output, output.rows > 0 else { return nil }
    let key = "curated/\(dataset.last.pipeline)/\(dataset.last.dataset)/sample-\(file.token.prefix(8))/part-0.parquet"
    let stored = try await objects.adopt(file: output.path, as: try ObjectKey(key))
    return DataFile(
      chunk: 0, key: key, partition: "", rows: output.rows, bytes: stored.bytes, sha256: stored.sha256)
  }

  private func snapshot(of dataset: SamplePlan.Dataset, _ file: DataFile?) -> NewSnapshot {
    let last = dataset.last
    let rows = file?.rows ?? 0
    let cursor = last.cursorField.flatMap { field in
      dataset.column(field) != nil && !dataset.masked.contains(SQLName(field)) ? field : nil
    }
    return NewSnapshot(
      id: UUID().uuidString.lowercased(), pipeline: last.pipeline, dataset: last.dataset, runID: RunID(0),
      jobID: JobID(0), isFull: last.isFull,
      columns: dataset.columns.map { column in
        var own = column
        if column.name != cursor { own.cursor = nil }
        return own
      }, key: last.key, cursorField: cursor,
      counts: SnapshotCounts(rowsIn: rows, rowsOut: rows, filtered: 0, deduplicated: 0, quarantined: 0),
      quarantineKey: nil, quarantineKeysReadable: true, previousID: nil, files: file.map { [$0] } ?? [], taken: [])
  }
}

extension EnvironmentFilling {
  private func sample(_ sql: SampleSQL, _ raw: RawSample) async throws -> Sampled {
    let scratch = Self.scratch(model.directory, model: model.environment, token: file.token)
    try? FileManager.default.removeItem(atPath: scratch)
    try? FileManager.default.removeItem(atPath: incoming)
    try PrivateFiles.createFolder(scratch)
    defer { try? FileManager.default.removeItem(atPath: scratch) }
    try PrivateFiles.createFolder(incoming)
    let masks = try MaskKey.readOrMake(model.stateDirectory).script
    let folders = try ["curated", "compacted"].compactMap { model.objects.localPath(try ObjectKey($0)) }
    let opening = try sql.open(model.objects)
    let folder = incoming
    let paths = sql.plan.datasets.indices.map { "\(incoming)/\($0).parquet" }
    return try await model.duckDB().withSession(
      in: DuckDBPlace(directory: scratch, directories: folders + [incoming]), limits: model.sqlLimits
    ) { session in
      try await session.run(masks)
      try await session.run(opening)
      for statement in sql.descend() { try await session.run(statement) }
      let ascent = sql.ascend()
      var counts = try await Self.counts(sql.chosen, session)
      while !ascent.isEmpty {
        try await session.run(ascent)
        let more = try await Self.counts(sql.chosen, session)
        if more == counts { break }
        counts = more
      }
      let before = try await Self.counts(sql.all, session)
      var sampled = Sampled()
      for (index, path) in paths.enumerated() {
        try await session.run(sql.write(index, to: path))
        try await session.run(sql.reopen(index, path))
        let rows = Int64(try await session.value("select count(*) from o\(index)").int ?? 0)
        sampled.outputs[index] = Output(rows: rows, rowsBefore: before[index] ?? 0, path: path)
      }
      try await Self.prove(sql, session)
      for (number, part) in raw.parts.enumerated() {
        guard case .rows(let index) = part.source, let output = sampled.outputs[index], output.rows > 0 else {
          continue
        }
        let text = RecordText(stream: part.definition, columns: sql.plan.datasets[index].columns)
        let path = "\(folder)/raw-\(number)"
        try await session.run(text.write("o\(index)", to: path))
        sampled.records[number] = Output(rows: output.rows, rowsBefore: output.rowsBefore, path: path)
      }
      return sampled
    }
  }

  private static func counts(_ sql: String, _ session: DuckDBSession) async throws -> [Int: Int64] {
    let rows = try await session.rows(sql)
    return Dictionary(
      rows.map { (Int($0["dataset"]?.int ?? -1), Int64($0["rows"]?.int ?? -1)) },
      uniquingKeysWith: { first, _ in first })
  }

  /// No row of the sample names a row that is not in it.
  ///
  /// - Throws: ``Refusal`` `sample_orphans`.
  private static func prove(_ sql: SampleSQL, _ session: DuckDBSession) async throws {
    for (index, reference, statement) in sql.orphans {
      let count = try await session.value(statement).int ?? -1
      guard count != 0 else { continue }
      let name = sql.plan.datasets[index].name
      throw Refusal(
        code: "sample_orphans",
        message: "\(count) row(s) of \(name) name by \(reference.columns.joined(separator: ", ")) a row of "
          + "\(reference.dataset) that the model does not have; nothing is copied",
        hint: "correct the data, or remove that entry of `references` from the definition")
    }
  }
}

extension Optional where Wrapped: Sendable {
  fileprivate func asyncMap<T>(_ body: (Wrapped) async throws -> T) async throws -> T? {
    guard let self else { return nil }
    return try await body(self)
  }
}

/// A step of filling an environment at which a test ends the process: `SLUICE_KILL_AT=NAME`.
enum FillingStep: String, CaseIterable {
  case written = "env.written"
  case committed = "env.committed"

  func pass() {
    guard ProcessInfo.processInfo.environment["SLUICE_KILL_AT"] == rawValue else { return }
    kill(getpid(), SIGKILL)
  }
}
