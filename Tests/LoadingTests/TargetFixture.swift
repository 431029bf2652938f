import DuckDB
import FoundationEssentials
import JobModel
import PipelineDefinition
import Postgres
import Synchronization
import TestSupport

@testable import Loading

/// An empty target database, a directory for data files, and short ways to make snapshots and to look at rows.
struct TargetFixture: Sendable {
  let url: String
  let directory: String
  let duckDB: DuckDB
  /// Snapshots of tests are small: with zero rows all of them are staged, as large ones are.
  var straightRows: Int64 = 0

  static func with<T: Sendable>(_ body: @Sendable (TargetFixture) async throws -> T) async throws -> T {
    try await TestDatabase.withEmptyDatabase { database in try await with(url: database.url, body) }
  }

  static func with<T: Sendable>(
    url: String, _ body: @Sendable (TargetFixture) async throws -> T
  ) async throws -> T {
    try await TestProject.withProject { project in
      try await body(TargetFixture(url: url, directory: project.directory, duckDB: try DuckDB.locate()))
    }
  }

  /// A table of the owner's, and a role that loads it: the policies of `script` are for ROLE.
  static func withRole(
    _ columns: String, _ script: String,
    _ body: @Sendable (_ owner: TargetFixture, _ loader: TargetFixture, _ role: String) async throws -> Void
  ) async throws {
    try await with { owner in
      let role = "loader_" + owner.directory.suffix(6)
      let database = String(try await owner.rows("select current_database()")[0].dropFirst().dropLast())
      try await owner.execute(
        """
        create role "\(role)" login; create schema mart; create table mart.orders (\(columns));
        alter table mart.orders enable row level security;
        \(script.replacing("ROLE", with: "\"\(role)\""));
        grant usage on schema mart to "\(role)"; grant select, insert, update, delete on mart.orders to "\(role)";
        grant create on database \(quoteIdentifier(database)) to "\(role)"
        """)
      let loader = TargetFixture(
        url: owner.url.replacing(#/postgresql://[^@]*@/#, with: "postgresql://\(role)@"), directory: owner.directory,
        duckDB: owner.duckDB)
      try await body(owner, loader, role)
      try await owner.execute("drop owned by \"\(role)\" cascade; drop role \"\(role)\"")
    }
  }

  static func uuid(_ number: Int) -> String {
    let digits = String(number)
    return "00000000-0000-4000-8000-" + String(repeating: "0", count: 12 - digits.count) + digits
  }

  /// Writes one Parquet file for each SELECT.
  func snapshot(
    _ number: Int, full: Bool = false, key: [String] = ["id"], cursor: String? = nil,
    cursorType: String? = nil, quarantined: QuarantinedKeys = .none, _ selects: String...
  ) async throws -> SnapshotToLoad {
    var files: [DataFileToLoad] = []
    var columns: [SnapshotToLoad.Column] = []
    let place = DuckDBPlace(directory: directory)
    for (chunk, select) in selects.enumerated() {
      let path = "\(directory)/\(number)-\(chunk)-\(UUID().uuidString).parquet"
      try await duckDB.run("copy (\(select)) to '\(path)' (format parquet)", in: place, limits: DuckDBLimits())
      let count = try await duckDB.query("select count(*) as n from '\(path)'", in: place, limits: DuckDBLimits())
      files.append(
        DataFileToLoad(
          chunk: chunk, key: "orders/\(number)-\(chunk)", localPath: path, rows: Int64(count.rows[0]["n"]?.int ?? -1),
          sha256: "\(number)-\(chunk)"))
      let described = try await duckDB.query("select * from (\(select)) limit 0", in: place, limits: DuckDBLimits())
      guard chunk == 0 else { continue }
      columns = described.columns.map {
        SnapshotToLoad.Column($0.name, $0.type, cursor: $0.name == cursor ? cursorType : nil)
      }
    }
    return SnapshotToLoad(
      uuid: Self.uuid(number), number: Int64(number), dataset: "orders", isFull: full, columns: columns, key: key,
      cursorField: cursor, files: files, quarantinedKeys: quarantined)
  }

  static func table(
    _ mode: LoadTable.Mode, key: [String] = [], deletes: LoadTable.Deletes? = nil, name: String = "orders"
  ) -> LoadTable {
    LoadTable(schema: "mart", table: name, from: "orders", mode: mode, key: key, deletes: deletes)
  }

  /// Patient, because hooks do whole loads inside a transaction, and tests run beside each other.
  var target: PostgresTarget {
    PostgresTarget(
      name: "warehouse", url: url, duckDB: duckDB, directory: directory, straightRows: straightRows,
      lockTimeout: .seconds(120), idleTimeout: .seconds(120))
  }

  static func loader(ticket: Int64, job: Int64 = 1) -> Loader {
    Loader(installation: "here", environment: "test", pipeline: "shop", jobID: JobID(job), ticket: ticket)
  }

  @discardableResult
  func load(
    _ table: LoadTable, _ snapshots: [SnapshotToLoad], required: Set<String> = [], repair: TableRepair? = nil,
    without leftOut: [SnapshotToLoad] = [], with wanted: [SnapshotToLoad] = [], recorded: [SnapshotToLoad] = [],
    knowsHead: Bool = true, ticket: Int64 = 1, job: Int64 = 1,
    forget: @escaping @Sendable () async throws -> Void = {}, hooks: LoadHooks = LoadHooks()
  ) async throws -> [LoadedSnapshot] {
    let listing = TableLoad.Listing(
      snapshots: snapshots, recorded: Set(recorded.map(\.uuid)), knowsHead: knowsHead)
    return try await target.load(
      TableLoad(
        table: table, required: required, repair: leftOut.isEmpty ? repair : .leaveOut,
        named: leftOut.map(\.uuid) + wanted.map(\.uuid), forget: forget
      ) { head in
        var listing = listing
        if head == nil { listing.knowsHead = true }
        return listing
      },
      by: Self.loader(ticket: ticket, job: job),
      hooks: hooks)
  }

  /// The failure that a load ends with; nil when it went well.
  func failure(
    _ table: LoadTable, _ snapshots: [SnapshotToLoad], repair: TableRepair? = nil,
    without leftOut: [SnapshotToLoad] = [],
    recorded: [SnapshotToLoad] = [], knowsHead: Bool = true, ticket: Int64 = 1, hooks: LoadHooks = LoadHooks()
  ) async -> (any Failure)? {
    do {
      try await load(
        table, snapshots, repair: repair, without: leftOut, recorded: recorded, knowsHead: knowsHead, ticket: ticket,
        hooks: hooks)
      return nil
    } catch { return error as? any Failure }
  }

  func withSession<T: Sendable>(_ body: (PostgresConnection) async throws -> T) async throws -> T {
    let session = try await PostgresConnection.connect(try PostgresSettings(url, applicationName: "looking on"))
    do {
      let result = try await body(session)
      await session.close()
      return result
    } catch {
      await session.close()
      throw error
    }
  }

  func execute(_ script: String) async throws { try await withSession { try await $0.execute(script) } }

  /// Rows as PostgreSQL's own text of a row, such as `(1,a,)`; null is nothing, the empty text is `""`.
  func rows(_ select: String) async throws -> [String] {
    try await withSession { session in
      try await session.query(SQLStatement(text: "select r::text as row from (\(select)) as r"), [])
        .map { try $0.string("row") }
    }
  }

  /// What `sluice_ledger` still holds of staging.
  func staged() async throws -> [String] {
    try await rows(
      "select relname from pg_class where relnamespace = 'sluice_ledger'::regnamespace and relname ~ '^stage_' "
        + "union all select 'chunk ' || chunk from sluice_ledger.staged union all select name from sluice_ledger.staging"
    )
  }
}

/// The fault that a test puts into a hook.
struct Fault: Error {}

/// Counts how often each step was reached, and does something at one of them.
final class Steps: Sendable {
  private let counts = Mutex<[KillPoint: Int]>([:])
  private let told = Mutex<[String]>([])

  subscript(point: KillPoint) -> Int { counts.withLock { $0[point] ?? 0 } }
  var events: [String] { told.withLock { $0 } }

  func hooks(at point: KillPoint? = nil, _ act: @escaping @Sendable () async throws -> Void = {}) -> LoadHooks {
    LoadHooks(
      reached: { reached in
        self.counts.withLock { $0[reached, default: 0] += 1 }
        if reached == point { try await act() }
      },
      event: { kind, _ in self.told.withLock { $0.append(kind) } })
  }
}

/// Texts that a test's hook was told.
final class Told: Sendable {
  private let texts = Mutex<[String]>([])

  var all: [String] { texts.withLock { $0 } }

  func note(_ text: String) { texts.withLock { $0.append(text) } }
}

extension TableLoad {
  /// Lists all of them, as for a head that the catalog does not know.
  init(
    table: LoadTable, required: Set<String> = [], snapshots: [SnapshotToLoad], repair: TableRepair? = nil
  ) {
    self.init(table: table, required: required, repair: repair) { _ in Listing(snapshots: snapshots) }
  }
}
