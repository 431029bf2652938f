import Curation
import DuckDB
import FoundationEssentials
import JobModel
import PipelineDefinition
import Subprocess
import Testing

/// What other engines read in the data files.
@Suite("Data files in other engines")
struct ParquetReaderTests {
  /// Least and greatest value of each type, and how every engine prints them.
  static let extremes: [(type: String, least: String, greatest: String, read: (String, String)?)] = [
    ("text", "a", "Z\u{fc}rich \u{1d11e}", nil),
    ("bigint", "-9223372036854775808", "9223372036854775807", nil), ("integer", "-2147483648", "2147483647", nil),
    ("smallint", "-32768", "32767", nil), ("double", "5e-324", "1.7976931348623157e+308", nil),
    ("real", "-16777216", "0.5", ("-16777216.0", "0.5")), ("boolean", "false", "true", nil),
    ("decimal(18,4)", "-99999999999999.9999", "99999999999999.9999", nil),
    ("decimal(38,10)", "-9999999999999999999999999999.9999999999", "0.0000000001", nil),
    ("date", "0001-01-01", "9999-12-31", nil), ("time", "00:00:00", "23:59:59.999999", nil),
    (
      "timestamp", "0001-01-01 00:00:00", "9999-12-31 23:59:59.999999",
      ("0001-01-01 00:00:00.000000", "9999-12-31 23:59:59.999999")
    ),
    (
      "timestamptz", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z",
      ("0001-01-01 00:00:00.000000", "9999-12-31 23:59:59.999999")
    ),
    ("uuid", "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff", nil),
    ("json", "[]", #"{"a":1.50}"#, nil), ("bytea", "a", "\u{fc}", ("61", "c3bc")),
  ]

  private func curate(_ bench: Workbench, native: Set<String> = []) async throws -> CurationResult {
    let names = Self.extremes.indices.map { "v\($0)" }
    var step = step(columns: zip(names, Self.extremes).map { ContractColumn(name: $0, type: ColumnType($1.type)) })
    step.nativeTypes = native
    let rows = [Self.extremes.map(\.least), Self.extremes.map(\.greatest)].map { row in
      row.map { "\"" + $0.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\"" }
        .joined(separator: ",")
    }
    let nulls = names.map { _ in "" }.joined(separator: ",")
    let text = ([names.joined(separator: ",")] + rows + [nulls]).joined(separator: "\n")
    return try await bench.curate(try bench.request(step, [input(stream(), try bench.objects([text]))]))
  }

  /// Types that files hold as text.
  private static let texts = ["json", "time", "uuid"]

  @Test(
    "uuid, time and json are text in a file that names their types, native on request, and themselves to our readers")
  func texts() async throws {
    try await Workbench.with { bench in
      let result = try await curate(bench)
      let columns = Self.texts.map { type in "v\(Self.extremes.firstIndex { $0.type == type } ?? -1)" }
      let (time, uuid) = (columns[1], columns[2])
      #expect(result.counts.all == [3, 3, 0, 0, 0])
      #expect(result.columns.filter { columns.contains($0.name) }.map(\.type).sorted() == ["JSON", "TIME", "UUID"])
      let list = columns.map { "typeof(\($0))" }.joined(separator: " || ' ' || ")
      #expect(try await bench.table(result, "select distinct \(list) a from data") == [["VARCHAR VARCHAR VARCHAR"]])
      let path = try #require(result.files.first?.path)
      let metadata = try await bench.table(
        result,
        "select decode(value)::json ->> '\(time)' a, decode(value)::json ->> '\(uuid)' b "
          + "from parquet_kv_metadata('\(path)') where key = 'sluice_types'")
      #expect(metadata == [["time", "uuid"]])

      let native = try await curate(bench, native: ["uuid", "time", "json"])
      #expect(try await bench.table(native, "select distinct \(list) a from data") == [["JSON TIME UUID"]])

      // Snapshots with the one and with the other are one dataset in its types.
      let stored = TextColumns(
        result.columns.map { (name: $0.name, type: ColumnType(duckDBName: $0.type).name) })
      let shape = result.columns.map { DataColumn(name: $0.name, type: ColumnType(duckDBName: $0.type).name) }
      let previous = PreviousData(
        parts: [native.files.map(\.path), result.files.map(\.path)], texts: [stored, stored],
        columns: [shape, shape], rowsOfLastRun: 3, quarantine: nil)
      let check = DatasetCheck(rule: .sql("select count(*) || max(typeof(\(uuid))) from orders", expect: "7UUID"))
      let next = try await bench.curate(
        try bench.request(
          step(columns: [ContractColumn(name: uuid, type: ColumnType("uuid"))], checks: [check], over: .batch),
          [input(stream(), try bench.objects(["id\n1\n"], run: 2, first: 50))],
          sql: "select (select max(\(uuid)) from previous.orders) as \(uuid) from orders", previous: previous,
          isFull: false))
      #expect(try await bench.table(next, "select \(uuid) a from data") == [["ffffffff-ffff-ffff-ffff-ffffffffffff"]])
    }
  }

  /// Where `make soak-readers` puts them.
  static let folder = ProcessInfo.processInfo.environment["SLUICE_READERS"]

  @Test(
    "pyarrow, pandas, Polars and Spark read every type with its extremes",
    .enabled(if: folder != nil, "skipped: make soak-readers fetches them and sets SLUICE_READERS"))
  func engines() async throws {
    let hasSpark = FileManager.default.fileExists(atPath: "\(Self.folder ?? "")/pyspark")
    let engines = ["pyarrow", "pandas", "polars"] + (hasSpark ? ["pyspark"] : [])
    try await Workbench.with { bench in
      let result = try await curate(bench)
      let path = try #require(result.files.first?.path)
      let output = try await Subprocess.run(
        .name("python3"),
        arguments: Arguments(
          ["\(FileManager.default.currentDirectoryPath)/scripts/read-parquet.py", path] + engines),
        environment: .inherit.updating(["PYTHONPATH": Self.folder ?? ""]),
        output: .string(limit: 1_000_000), error: .string(limit: 100_000))
      let lines = output.standardOutput.split(separator: "\n")
      #expect(lines.count == engines.count, "\(output.standardError)")
      struct Reading: Decodable {
        var engine: String
        var error: String?
        var rows: [[String: String?]]?
      }
      for line in lines {
        let reading = try JSONDecoder().decode(Reading.self, from: Data(line.utf8))
        #expect(reading.error == nil)
        let rows = try #require(reading.rows)
        #expect(rows.count == 3)
        for (index, extreme) in Self.extremes.enumerated() {
          let expected = extreme.read ?? (extreme.least, extreme.greatest)
          let found = rows.map { $0["v\(index)"] ?? nil }
          #expect(found == [expected.0, expected.1, nil], "\(reading.engine): \(extreme.type)")
        }
      }
    }
  }
}
