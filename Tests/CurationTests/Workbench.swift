import Curation
import DuckDB
import FoundationEssentials
import JobModel
import PipelineDefinition

/// A directory with raw files, and the real DuckDB to curate them with.
struct Workbench {
  let directory: String
  let duckdb: DuckDB
  var limits = DuckDBLimits(memoryBytes: 500_000_000, time: .seconds(120))

  /// Runs `body` with an empty workbench that is removed afterwards.
  static func with<T>(_ body: (Workbench) async throws -> T) async throws -> T {
    let path = FileManager.default.temporaryDirectory.path + "/sluice-curation-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try await body(Workbench(directory: path, duckdb: try DuckDB.locate()))
  }

  /// Raw objects with these contents, numbered from `first`, all of one run.
  func objects(_ contents: [String], run: Int64 = 1, first: Int64 = 1) throws -> [CurationObject] {
    try objects(contents.map { Array($0.utf8) }, run: run, first: first)
  }

  func objects(_ contents: [[UInt8]], run: Int64 = 1, first: Int64 = 1) throws -> [CurationObject] {
    try contents.enumerated().map { index, bytes in
      let id = first + Int64(index)
      let path = "\(directory)/object-\(id)"
      try Data(bytes).write(to: URL(filePath: path))
      return CurationObject(
        id: id, path: path, name: "page \(index + 1)", run: run, runAt: "2024-05-0\(run) 12:00:00+00", sequence: index)
    }
  }

  func curate(_ request: CurationRequest) async throws -> CurationResult {
    try await Curator(duckdb: duckdb).curate(request)
  }

  func request(
    _ step: CurateStep, _ streams: [CurationStream], sql: String? = nil, previous: PreviousData = PreviousData(),
    isFull: Bool = true, salts: [String: String] = [:]
  ) throws -> CurationRequest {
    let scratch = "\(directory)/scratch-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: scratch, withIntermediateDirectories: true)
    return CurationRequest(
      step: step, streams: streams, sql: sql, previous: previous, isFull: isFull, salts: salts, scratch: scratch,
      limits: limits)
  }

  /// Asks DuckDB itself about the files of a result; `data` is the dataset, `bad` the quarantine.
  func ask(_ result: CurationResult, _ sql: String) async throws -> [DuckDBRow] {
    var views: [String] = []
    if !result.files.isEmpty {
      views.append(
        "create view data as from read_parquet(\(quoteList(result.files.map(\.path))), union_by_name = true, "
          + "hive_partitioning = false)")
    }
    if let quarantine = result.quarantine {
      views.append("create view bad as from read_parquet(\(quoteLiteral(quarantine.path)))")
    }
    return try await duckdb.withSession(in: DuckDBPlace(directory: directory), limits: limits) { [views] session in
      for view in views { try await session.run(view) }
      return try await session.rows(sql)
    }
  }

  /// The values of a query's columns `a`, `b`, … in rows, as text.
  func table(_ result: CurationResult, _ sql: String) async throws -> [[String?]] {
    try await ask(result, sql).map { row in row.keys.sorted().map { row[$0]?.text } }
  }
}

func stream(
  _ name: String = "orders", records: RecordFormat = .csv(CSVFormat()), key: [String] = [], cursor: Cursor? = nil,
  columns: [StreamColumn] = []
) -> PipelineDefinition.Stream {
  Stream(name: name, read: .incremental, records: records, key: key, cursor: cursor, columns: columns)
}

func input(
  _ definition: PipelineDefinition.Stream, _ objects: [CurationObject], history: [CurationObject] = [],
  known: [String] = [], source: String = "shop"
) -> CurationStream {
  CurationStream(
    reference: StreamReference(source: source, stream: definition.name), definition: definition, objects: objects,
    history: history, knownFields: known)
}

func step(
  columns: [ContractColumn] = [], from: String = "orders", drift: DriftPolicy = DriftPolicy(), stopOver: Double? = nil,
  checks: [DatasetCheck] = [], partitionBy: [Partition] = [], files: FileLayout = FileLayout(),
  over: SelectedRows? = nil,
  minRows: Int? = nil
) -> CurateStep {
  CurateStep(
    name: "orders", from: [StreamReference(source: "shop", stream: from)], sqlPath: nil, over: over,
    columns: columns, drift: drift,
    badRows: BadRowsPolicy(stopOver: stopOver), minRows: minRows,
    checks: checks, partitionBy: partitionBy, files: files)
}

extension CurationCounts {
  /// rows in, out, filtered, deduplicated, quarantined
  var all: [Int?] { [rowsIn, rowsOut, filtered, deduplicated, quarantined] }
}
