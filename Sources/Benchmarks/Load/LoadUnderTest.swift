import FoundationEssentials
import JobModel
import Postgres
import Subprocess
import SystemPackage

/// A project whose one dataset is loaded in several ways, and psql, which does the same with bare files.
struct LoadUnderTest: Sendable {
  /// The raw value is the name of the target and of its table.
  enum Way: String, CaseIterable, Sendable {
    case chunks, once, merge
    /// Every key is in the table already, and a tenth of the rows differ.
    case again

    var title: String {
      switch self {
      case .chunks: "load: append, apply: per_chunk"
      case .once: "load: append, apply: once"
      case .merge: "load: merge, first load"
      case .again: "load: merge, a tenth differs"
      }
    }

    var ceiling: String {
      switch self {
      case .chunks: "2 × psql \\copy"
      case .once: "2 × psql \\copy, insert"
      case .merge, .again: "2 × psql \\copy, insert … on conflict"
      }
    }

    var definition: String {
      let how =
        switch self {
        case .chunks: "mode: append, apply: per_chunk"
        case .once: "mode: append"
        case .merge, .again: "mode: merge, key: [id]"
        }
      return "{postgres: {url: \"secret:target\"}, tables: {public.\(rawValue): {from: bench, \(how)}}}"
    }

    var bareTable: String { "bare_\(rawValue)" }
    var isMerge: Bool { self == .merge || self == .again }
  }

  private let executable: String
  private let psql: String
  private let control: BenchDatabase
  private let target: BenchDatabase
  private let folder: String

  init(_ surroundings: BenchSurroundings, control: BenchDatabase, target: BenchDatabase, psql: String) {
    executable = surroundings.executable
    self.psql = psql
    self.control = control
    self.target = target
    folder = surroundings.folder + "/load"
  }

  private static let columns = [
    "id": "bigint", "customer": "bigint", "name": "text", "active": "boolean", "amount": "decimal(18,4)", "day": "date",
    "at": "timestamptz", "changed": "timestamp", "ratio": "double precision", "small": "integer", "note": "text",
    "currency": "text",
  ].sorted { $0.key < $1.key }

  private static var names: String { columns.map { quoteIdentifier($0.key) }.joined(separator: ", ") }

  private static var layout: String {
    columns.map { "\(quoteIdentifier($0.key)) \($0.value)" }.joined(separator: ", ")
  }

  private static let made = """
    select i as id, i * 7919 % 100000 as customer, 'name ' || i as name, i % 3 = 0 as active, \
    ((i % 100000) / 4.0)::numeric(18,4) as amount, date '2024-01-01' + (i % 365)::integer as day, \
    timestamptz '2024-01-01 00:00:00Z' + i * interval '1 second' as at, \
    timestamp '2024-01-01' + i * interval '1 second' as changed, i / 3.0::double precision as ratio, i % 1000 as small, \
    'some text of thirty characters ' || i % 1000 as note, (array['CHF', 'EUR', 'USD'])[i % 3 + 1] as currency
    """

  /// Makes the rows, takes them through the project, and writes them as binary files for psql.
  func prepare(rows: Int) async throws {
    try write("pipelines/bench.yaml", Self.pipeline)
    try FileManager.default.createDirectory(atPath: folder + "/drops", withIntermediateDirectories: true)
    try await psql(
      "\\copy (\(Self.made) from generate_series(1, \(rows)::bigint) i) to '\(folder)/drops/rows.csv' (format csv, header)"
    )
    try await sluice("run", "bench", "--wait")
    for half in 0...1 {
      let rows = "select \(Self.names) from public.merge where id % 2 = \(half)"
      try await psql("\\copy (\(rows)) to '\(file(half))' (format binary)")
    }
    try await target.pool.execute(
      """
      create unlogged table stage (\(Self.layout)) with (autovacuum_enabled = false);
      create table \(Way.chunks.bareTable) (\(Self.layout));
      create table \(Way.once.bareTable) (\(Self.layout));
      create table \(Way.merge.bareTable) (\(Self.layout), primary key (id));
      create table \(Way.again.bareTable) (\(Self.layout), primary key (id))
      """)
  }

  private func file(_ half: Int) -> String { "\(folder)/half\(half).bin" }

  private static var pipeline: String {
    """
    pipeline: bench
    sources:
      drops:
        files: {at: "file:drops"}
        streams: {rows: {match: "*.csv", records: {format: csv}, key: [id]}}
    curate:
      bench:
        from: [drops.rows]
        columns: {\(columns.map { "\($0.key): {type: \"\($0.value)\"}" }.joined(separator: ", "))}
    load:
    \(Way.allCases.map { "  \($0.rawValue): \($0.definition)" }.joined(separator: "\n"))

    """
  }

  /// Loads everything, into a table that is not there or, for ``Way/again``, one that has all rows. Returns the seconds from the start
  /// of the load to its end.
  func load(_ way: Way) async throws -> Double {
    try await target.pool.execute(
      "drop table if exists public.\(way.rawValue); drop schema if exists sluice_ledger cascade")
    if way == .again {
      try await target.pool.execute("create table public.again (\(Self.layout), primary key (id))")
      try await fill("public.again")
    }
    try await control.pool.query("checkpoint")
    let report = try await sluice("reload", "bench", "--target", way.rawValue, "--wait")
    guard let seconds = try JSONDecoder().decode(Report.self, from: Data(report.utf8)).seconds, seconds > 0 else {
      throw BenchError("no_seconds", "the report of the load has no time: \(report.prefix(200))")
    }
    return seconds
  }

  private func fill(_ table: String) async throws {
    let values = Self.columns.map {
      $0.key == "note" ? "case when id % 10 = 0 then 'old' else note end" : quoteIdentifier($0.key)
    }
    try await target.pool.execute(
      "insert into \(table) (\(Self.names)) select \(values.joined(separator: ", ")) from public.merge; analyze \(table)"
    )
  }

  private struct Report: Decodable { var seconds: Double? }

  /// What psql needs to bring the same rows into such a table, in seconds.
  func ceiling(_ way: Way) async throws -> Double {
    try await target.pool.execute("truncate stage, \(way.bareTable)")
    if way == .again { try await fill(way.bareTable) }
    try await control.pool.query("checkpoint")
    let clock = ContinuousClock()
    let start = clock.now
    try await withThrowingTaskGroup(of: Void.self) { group in
      let table = way == .chunks ? way.bareTable : "stage"
      for half in 0...1 {
        group.addTask {
          try await psql("\\copy \(table) (\(Self.names)) from '\(file(half))' (format binary)")
        }
      }
      try await group.waitForAll()
    }
    if way != .chunks { try await psql(Self.insert(way)) }
    return start.duration(to: clock.now).seconds
  }

  private static func insert(_ way: Way) -> String {
    let insert = "insert into \(way.bareTable) as t (\(names)) select \(names) from stage"
    guard way.isMerge else { return insert }
    let changing = columns.map(\.key).filter { $0 != "id" }.map(quoteIdentifier)
    let assignments = changing.map { "\($0) = excluded.\($0)" }.joined(separator: ", ")
    let differs = changing.map { "t.\($0) is distinct from excluded.\($0)" }.joined(separator: " or ")
    return "\(insert) on conflict (id) do update set \(assignments) where \(differs)"
  }

  private func write(_ path: String, _ text: String) throws {
    let url = URL(filePath: "\(folder)/\(path)")
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: url)
  }

  private func psql(_ command: String) async throws {
    _ = try await run(psql, ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", command, target.url])
  }

  @discardableResult
  private func sluice(_ arguments: String...) async throws -> String {
    try await run(executable, arguments + ["--project", folder, "--json"])
  }

  private func run(_ program: String, _ arguments: [String]) async throws -> String {
    let outcome = try await Subprocess.run(
      .path(FilePath(program)), arguments: Arguments(arguments),
      environment: .inherit.updating(["SLUICE_DATABASE_URL": control.url, "SLUICE_SECRET_TARGET": target.url]),
      output: .string(limit: 1 << 20), error: .string(limit: 1 << 20))
    guard outcome.terminationStatus.isSuccess else {
      let complaint = ProgramComplaint.text(output: outcome.standardOutput, errors: outcome.standardError)
      throw BenchError("program_failed", "\(program) \(arguments.prefix(2).joined(separator: " ")): \(complaint)")
    }
    return outcome.standardOutput
  }
}
