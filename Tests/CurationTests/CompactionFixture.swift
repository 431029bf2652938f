import Catalog
import DuckDB
import FoundationEssentials
import JobModel
import ObjectStore
import Postgres
import Synchronization
import TestSupport

@testable import Curation

/// A catalog with a dataset whose snapshots a test writes itself, and its compactor.
struct CompactionFixture: Sendable {
  let catalog: Catalog
  let objects: LocalObjectStore
  let duckDB: DuckDB
  let directory: String
  private let numbers = Numbers()

  private final class Numbers: Sendable {
    private let last = Mutex(0)
    func next() -> Int {
      last.withLock {
        $0 += 1
        return $0
      }
    }
  }

  static func with<T: Sendable>(_ body: @Sendable (CompactionFixture) async throws -> T) async throws -> T {
    try await TestDatabase.withDatabase { database in
      try await TestProject.withProject { project in
        try await body(
          CompactionFixture(
            catalog: Catalog(database: database.pool), objects: LocalObjectStore(root: project.directory + "/data"),
            duckDB: try DuckDB.locate(), directory: project.directory))
      }
    }
  }

  /// One file of a snapshot.
  struct File: Sendable {
    var partition = ""
    /// Its rows as SQL.
    var select: String
  }

  /// Writes and commits a snapshot.
  @discardableResult
  func add(
    _ files: [File], columns: [SnapshotColumn], key: [String] = [], cursor: String? = nil, full: Bool = false,
    in open: DuckDBSession? = nil
  ) async throws -> Int64 {
    let number = numbers.next()
    var stored: [DataFile] = []
    for (chunk, file) in files.enumerated() {
      let path = "\(directory)/\(number)-\(chunk).parquet"
      let write: @Sendable (DuckDBSession) async throws -> DuckDBValue = { session in
        try await session.run("copy (\(file.select)) to \(quoteLiteral(path)) (format parquet)")
        return try await session.value("select count(*) as n from read_parquet(\(quoteLiteral(path)))")
      }
      let counted = if let open { try await write(open) } else { try await session(write) }
      let folder = file.partition.isEmpty ? "" : file.partition + "/"
      let key = try ObjectKey("curated/p/d/\(number)-1-abcdefgh/\(folder)part-\(chunk).parquet")
      let object = try await objects.adopt(file: path, as: key)
      stored.append(
        DataFile(
          chunk: chunk, key: key.text, partition: file.partition, rows: Int64(counted.int ?? -1), bytes: object.bytes,
          sha256: object.sha256))
    }
    let rows = stored.reduce(0) { $0 + $1.rows }
    let snapshot = NewSnapshot(
      id: UUID().uuidString.lowercased(), pipeline: "p", dataset: "d", runID: RunID(Int64(number)),
      jobID: JobID(Int64(number)), isFull: full, columns: columns, key: key, cursorField: cursor,
      counts: SnapshotCounts(
        rowsIn: rows, rowsOut: rows, filtered: 0, deduplicated: 0, quarantined: 0),
      quarantineKey: nil, quarantineKeysReadable: true, previousID: nil, files: stored, taken: [])
    return try await catalog.database.transaction { try await catalog.commit(snapshot, in: $0) }
  }

  /// Adds snapshots of one row each, with its number as `id`.
  func addPlain(_ count: Int, full: Bool = false) async throws {
    for _ in 0..<count {
      try await add(
        [File(select: "select \(numbers.next()) as id")], columns: [SnapshotColumn(name: "id", type: "integer")],
        full: full)
    }
  }

  var compactor: Compactor {
    Compactor(
      catalog: catalog, objects: objects, duckDB: duckDB, limits: DuckDBLimits(memoryBytes: 500_000_000),
      scratch: directory + "/scratch", newID: { UUID().uuidString.lowercased() })
  }

  func plan() async throws -> Compactor.Plan? {
    try await compactor.plan(pipeline: "p", dataset: "d", job: JobID(Int64(numbers.next())), epoch: 1)
  }

  /// Compacts once.
  ///
  /// - Returns: Whether there was anything to compact.
  @discardableResult
  func compact() async throws -> Bool {
    guard let plan = try await plan() else { return false }
    _ = try await compactor.carryOut(plan, id: try await catalog.open(plan.compaction))
    return true
  }

  func parts() async throws -> [DatasetPart] {
    try await OpenedParts.of(catalog, objects, pipeline: "p", dataset: "d")
  }

  /// The snapshots with their own files, as an engine reads them that knows no compactions.
  func originals() async throws -> [DatasetPart] {
    let all = try await catalog.snapshots(pipeline: "p", dataset: "d")
    return all[(all.lastIndex(where: \.isFull) ?? 0)...].map(DatasetPart.init)
  }

  func previous(_ parts: [DatasetPart]) -> PreviousData {
    PreviousData(parts) { objects.root + "/" + $0 }
  }

  func session<T: Sendable>(_ body: @escaping @Sendable (DuckDBSession) async throws -> T) async throws -> T {
    try await duckDB.withSession(
      in: DuckDBPlace(directory: directory), limits: DuckDBLimits(memoryBytes: 500_000_000), body)
  }

  /// The first column of a query of the control database.
  func values(_ sql: String) async throws -> [String] {
    try await catalog.database.query(SQLStatement(name: "test", text: sql), []).map {
      $0.optionalString(at: 0) ?? "null"
    }
  }

  /// How many objects there are of compactions.
  func compactedObjects() async throws -> Int { try await objects.list(prefix: "compacted/").count }
}
