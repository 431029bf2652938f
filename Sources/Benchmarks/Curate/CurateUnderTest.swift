import DuckDB
import FoundationEssentials
import JobModel
import JobStore
import Postgres
import Subprocess
import SystemPackage

/// A project that curates the same dirty rows in several ways, and the bare SQL engine, which does the same with bare files.
struct CurateUnderTest: Sendable {
  /// The raw value is the name of the pipeline.
  enum Way: String, CaseIterable, Sendable {
    case csv, ndjson, latest

    var title: String {
      switch self {
      case .csv: "curate: CSV"
      case .ndjson: "curate: NDJSON"
      case .latest: "curate: CSV, latest row of a key"
      }
    }

    var file: String { self == .ndjson ? "rows.ndjson" : "rows.csv" }

    /// How many times the bare engine's time is wanted at most.
    var wanted: Double { self == .ndjson ? 1.5 : 1.3 }
  }

  private let executable: String
  private let engine: String
  private let folder: String
  private let database: BenchDatabase
  private let rows: Int

  init(_ surroundings: BenchSurroundings, database: BenchDatabase) throws {
    executable = surroundings.executable
    engine = try DuckDB.locate(executablePath: surroundings.executable).executable
    folder = surroundings.folder + "/curate"
    rows = surroundings.scale.curateRows
    self.database = database
  }

  private static let columns = [
    ("id", "bigint"), ("customer", "bigint"), ("amount", "decimal(18,2)"), ("currency", "text"),
    ("ordered_at", "timestamptz"), ("quantity", "integer"), ("note", "text"), ("email", "text"), ("weight", "double"),
    ("active", "boolean"), ("reference", "text"), ("status", "text"),
  ]

  /// One row in a thousand has a quantity that is none, and each key of every third row comes twice.
  private var made: String {
    """
    select i - i % 3 % 2 as id, i * 7919 % 100000 as customer, (i * 31 % 1000000 / 100.0)::decimal(18,2)::varchar as amount,
      ['CHF', 'EUR', 'USD'][i % 3 + 1] as currency,
      strftime(timestamp '2024-01-01' + to_seconds(i * 31 % 63072000), '%Y-%m-%dT%H:%M:%SZ') as ordered_at,
      case when i % 1000 = 0 then 'none' else (i % 50)::varchar end as quantity,
      'note number ' || i || ' with some text in it' as note, 'user' || i % 99991 || '@example.com' as email,
      case when i % 4 <> 0 then (i % 1000 / 8.0)::varchar end as weight, i % 2 = 0 as active, md5(i::varchar) as reference,
      ['new', 'paid', 'sent', 'done', 'lost'][i % 5 + 1] as status
    from range(\(rows)) r(i)
    """
  }

  /// Makes the files and the pipelines.
  func prepare() async throws {
    for directory in ["pipelines", "sql", "drops"] {
      try FileManager.default.createDirectory(atPath: "\(folder)/\(directory)", withIntermediateDirectories: true)
    }
    try await bare(
      """
      copy (\(made)) to '\(folder)/drops/rows.csv' (header);
      copy (\(made)) to '\(folder)/drops/rows.ndjson' (format json);
      """)
    for way in Way.allCases {
      let key = way == .latest ? ", key: [id]" : ""
      let format = way == .ndjson ? "ndjson" : "csv"
      try write(
        "pipelines/\(way.rawValue).yaml",
        """
        pipeline: \(way.rawValue)
        sources:
          drops:
            files: {at: "file:drops"}
            streams: {rows: {match: "\(way.file)", read: full, records: {format: \(format)}\(key)}}
        curate:
          \(way.rawValue)_rows:
            from: [drops.rows]
            sql: sql/rows.sql
            columns: {\(Self.columns.map { "\($0.0): {type: \"\($0.1)\"}" }.joined(separator: ", "))}
            partition_by: {month: ordered_at}

        """)
    }
    try write(
      "sql/rows.sql", "select \(Self.columns.map(\.0).joined(separator: ", ")) from rows where status <> 'lost'\n")
  }

  /// One run. Returns how long its curation took, in seconds.
  func curate(_ way: Way) async throws -> Double {
    _ = try await run(
      executable, ["run", way.rawValue, "--wait", "--project", folder, "--json"],
      ["SLUICE_DATABASE_URL": database.url])
    let row = try await database.pool.query(Statement.curateLatest).only
    guard try row.int("rows_in") == Int64(rows), try row.int("quarantined") > 0 else {
      throw BenchError("not_all", "\(try row.int("rows_in")) of \(rows) rows were curated")
    }
    return try row.double("seconds")
  }

  /// The same by the bare engine, which neither counts nor keeps what it cannot cast. Returns the seconds.
  func ceiling(_ way: Way) async throws -> Double {
    let names = Self.columns.map { "'\($0.0)': 'VARCHAR'" }.joined(separator: ", ")
    let source =
      way == .ndjson
      ? "read_json('\(folder)/drops/\(way.file)', format = 'newline_delimited', columns = {\(names)})"
      : "read_csv('\(folder)/drops/\(way.file)', auto_detect = false, header = true, delim = ',', quote = '\"', "
        + "escape = '\"', columns = {\(names)})"
    let typed = Self.columns.map { "try_cast(\($0.0) as \($0.1)) as \($0.0)" }.joined(separator: ", ")
    let latest = way == .latest ? " qualify row_number() over (partition by id order by note desc) = 1" : ""
    let target = "\(folder)/bare"
    let clock = ContinuousClock()
    let start = clock.now
    try await bare(
      """
      set TimeZone = 'UTC'; set threads = 2; set preserve_insertion_order = false;
      copy (
        select *, strftime(ordered_at, '%Y-%m') as month from (
          select \(typed) from \(source) where status <> 'lost'
        ) where quantity is not null\(latest)
      ) to '\(target)' (format parquet, compression zstd, partition_by (month), overwrite);
      """)
    return start.duration(to: clock.now).seconds
  }

  private func bare(_ sql: String) async throws {
    _ = try await run(engine, ["-no-init", "-batch", "-bail", "-c", sql], [:])
  }

  private func write(_ path: String, _ text: String) throws {
    try Data(text.utf8).write(to: URL(filePath: "\(folder)/\(path)"))
  }

  private func run(
    _ program: String, _ arguments: [String], _ environment: [Environment.Key: String?]
  ) async throws -> String {
    let outcome = try await Subprocess.run(
      .path(FilePath(program)), arguments: Arguments(arguments),
      environment: .inherit.updating(environment),
      output: .string(limit: 1 << 20), error: .string(limit: 1 << 20))
    guard outcome.terminationStatus.isSuccess else {
      let complaint = ProgramComplaint.text(output: outcome.standardOutput, errors: outcome.standardError)
      throw BenchError("program_failed", "\(program) \(arguments.prefix(2).joined(separator: " ")): \(complaint)")
    }
    return outcome.standardOutput
  }
}
