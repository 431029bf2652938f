import Curation
import DuckDB
import FoundationEssentials
import JobModel
import PipelineDefinition
import Testing

@Suite("Bad rows of streamed datasets")
struct BadRowsTests {
  private static let contract = [
    ContractColumn(name: "id", type: ColumnType("integer"), required: true),
    ContractColumn(name: "day", type: ColumnType("date")), ContractColumn(name: "text", type: .text),
  ]

  /// Forbids the way in one pass and changes nothing else.
  private static let look = DatasetCheck(rule: .sql("select true", expect: "true"))

  struct Delivery: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var objects: [[UInt8]]
    var records = RecordFormat.csv(CSVFormat())
    var sql: String?
    var bad: Int
  }

  private static func csv(_ ids: [String], _ text: String = "a", day: String = "2024-01-0") -> String {
    "id,day,text\n" + ids.enumerated().map { "\($1),\(day)\($0 % 9 + 1),\(text)\n" }.joined()
  }

  private static func ids(_ count: Int, bad: Set<Int> = []) -> [String] {
    (0..<count).map { bad.contains($0) ? "x\($0)" : "\($0)" }
  }

  private static let utf16: [UInt8] =
    [0xFF, 0xFE]
    + csv(ids(9, bad: [0, 8]), "\u{1d11e}é").utf16.flatMap {
      [UInt8($0 & 0xFF), UInt8($0 >> 8)]
    }

  /// Values with all that a row's text escapes, and with what looks like the beginning of a row.
  private static let escapes = "\"\u{1}\u{2}\u{1f}\r\n1\u{1f}1\u{1f}\n\""

  static let deliveries: [Delivery] = [
    Delivery(
      testDescription: "at the edges of files",
      objects: [
        Array(csv(ids(50, bad: [0, 49])).utf8), Array(csv(ids(1, bad: [0])).utf8), Array(csv(ids(30)).utf8),
        Array(csv(ids(70, bad: [0, 1, 2, 69])).utf8),
      ], bad: 7),
    Delivery(
      testDescription: "behind a filter", objects: [Array(csv(ids(200, bad: [0, 1, 100, 199])).utf8)],
      sql: "select id, day, text from orders where _position % 2 = 0", bad: 2),
    Delivery(
      testDescription: "with a column that the contract does not have", objects: [Array(csv(ids(20, bad: [3])).utf8)],
      sql: "select id, day, upper(text) as text, 1 as more from orders", bad: 1),
    Delivery(testDescription: "all", objects: [Array(csv(ids(40, bad: Set(0..<40))).utf8)], bad: 40),
    Delivery(testDescription: "none", objects: [Array(csv(ids(40)).utf8)], bad: 0),
    Delivery(testDescription: "no rows at all", objects: [Array("id,day,text\n".utf8)], bad: 0),
    Delivery(
      testDescription: "with escapes",
      objects: [
        Array(csv(ids(30, bad: [0, 7, 29]), escapes).utf8), Array(csv(ids(30, bad: [5]), "plain").utf8),
      ], bad: 4),
    Delivery(
      testDescription: "in Latin-1",
      objects: [csv(ids(20, bad: [0, 19]), "\u{e9}\u{df}").unicodeScalars.map { UInt8($0.value) }],
      records: .csv(CSVFormat(encoding: "latin-1")), bad: 2),
    Delivery(testDescription: "in UTF-16", objects: [utf16], records: .csv(CSVFormat(encoding: "utf-16")), bad: 2),
    Delivery(
      testDescription: "of JSON, with the record itself",
      objects: [
        Array(
          (0..<30).map { #"{"id":\#($0 % 7 == 0 ? "\"x\"" : "\($0)"),"day":"2024-02-01","text":"a\n\u0001b"}"# + "\n" }
            .joined().utf8),
        Array("{\"id\":\"none\"}\n".utf8),
      ], records: .ndjson, sql: "select id, day, _record as text from orders", bad: 6),
    Delivery(
      testDescription: "with a field that later rows have",
      objects: [
        Array("{\"id\":\"a\"}\n{\"id\":1,\"day\":\"2024-01-01\",\"text\":\"t\"}\n".utf8),
        Array("{\"text\":\"u\",\"id\":\"b\"}\n".utf8),
      ], records: .ndjson, bad: 2),
  ]

  static let layouts: [[Partition]] = [
    [], [Partition(transform: .month, column: "day")], [Partition(transform: .value, column: "id")],
    [Partition(transform: .value, column: "text")],
  ]

  @Test("are those of tables on the way, and only their lines are read twice", arguments: deliveries)
  func same(_ delivery: Delivery) async throws {
    try await Workbench.with { bench in
      let log = "\(bench.directory)/log"
      let logged = try bench.altered(log: log)
      let objects = try bench.objects(delivery.objects, run: 1) + bench.objects([Self.csv(["7"])], run: 2, first: 90)
      let isCSV = if case .csv(let format) = delivery.records { format.encoding == "utf-8" } else { false }
      for partitions in Self.layouts {
        var seen: [[String]] = []
        for checks in [[], [Self.look]] {
          var step = step(columns: Self.contract, checks: checks, partitionBy: partitions)
          step.extra = .drop
          let raw = isCSV ? objects : Array(objects.dropLast())
          let request = try logged.request(
            step, [input(stream(records: delivery.records), raw)], sql: delivery.sql)
          let result = try await logged.curate(request)
          #expect(result.counts.quarantined == delivery.bad)
          let rows =
            result.files.isEmpty
            ? []
            : try await bench.ask(result, "select to_json(d)::varchar as t from data d order by _object, _position")
          let bad =
            result.quarantine == nil ? [] : try await bench.ask(result, "select to_json(d)::varchar as t from bad d")
          seen.append(["\(result.counts.all)", "\(result.columns)"] + (rows + bad).map { $0["t"]?.text ?? "" })
          // Where all rows go through one COPY, the bad ones are taken from the reader's files.
          guard checks.isEmpty else { continue }
          let said = try String(contentsOf: URL(filePath: log), encoding: .utf8)
          let isApart = said.contains("partition_by (_sluice_folder")
          #expect(isApart || partitions.contains { $0.transform == .value })
          guard isApart else { continue }
          #expect(said.contains("/bad-") == (delivery.bad > 0))
          let taken = try await Self.rowsTaken(in: request.scratch, bench)
          #expect(taken == delivery.bad)
        }
        #expect(seen[0] == seen[1])
      }
    }
  }

  /// Of the files that bad rows were copied to.
  private static func rowsTaken(in scratch: String, _ bench: Workbench) async throws -> Int {
    let files = try FileManager.default.contentsOfDirectory(atPath: scratch)
      .filter { $0.hasPrefix("bad-") && $0 != "bad-places" }.map { "\(scratch)/\($0)" }
    guard !files.isEmpty else { return 0 }
    return try await bench.duckdb.withSession(in: DuckDBPlace(directory: scratch), limits: bench.limits) { session in
      try await session.value("select count(*) as n from read_parquet(\(quoteList(files)))").int ?? 0
    }
  }

  @Test(
    "are found in each part of an object that several readers read, and partitions that a sample does not have are written"
  )
  func shares() async throws {
    try await Workbench.with { bench in
      let rows = 24_000
      let padding = String(repeating: "p", count: 700)
      let bad = [0, 1, 11_999, 12_000, 12_001, 23_999]
      var text = "id,day,text\n"
      for row in 0..<rows {
        // Two days with one row each, between those that are looked at.
        let day = row == 7_654 ? "2031-05-06" : row == 20_002 ? "" : row % 2 == 0 ? "2024-01-01" : "2024-02-01"
        text += "\(bad.contains(row) ? "x" : "")\(row),\(day),\(padding)\n"
      }
      let log = "\(bench.directory)/log"
      let logged = try bench.altered(log: log)
      let request = try logged.request(
        step(columns: Self.contract, partitionBy: [Partition(transform: .month, column: "day")]),
        [input(stream(), try bench.objects([text]))], sql: "select id, day, text from orders where id <> '17'")
      let result = try await logged.curate(request)
      #expect(result.counts.all == [rows, rows - bad.count - 1, 1, 0, bad.count])
      #expect(
        try await bench.table(result, "select position as a, record as b from bad order by 1").map { "\($0[0] ?? "")" }
          == bad.map { "\($0 + 1)" })
      #expect(
        Set(result.files.map(\.partition)) == [
          "day_month=2024-01", "day_month=2024-02", "day_month=2031-05", "day_month=__HIVE_DEFAULT_PARTITION__",
        ])
      #expect(
        try await bench.table(result, "select count(*) as a, count(distinct _position) as b from data") == [
          ["\(rows - bad.count - 1)", "\(rows - bad.count - 1)"]
        ])
      let said = try String(contentsOf: URL(filePath: log), encoding: .utf8)
      let isAsExpected = said.contains("/out/apart-1/") && said.contains("/rows-0-1'")
      #expect(isAsExpected)
    }
  }

  /// Rows that an engine loses, by what its statements become.
  static let losses = [
    "s/\\(rows-0-0'\\], hive_partitioning = false)\\)$/\\1 limit 30/",
    "s/, num_rows as n from/, num_rows - 1 as n from/",
    "s/^\\(create table work.bad as from work.checked where \\)/\\1_position <> 1 and /",
    "s/ from work.checked)$/ from work.checked where _position <> 9)/",
  ]

  @Test("or good ones that an engine loses are told, whatever the layout", arguments: losses)
  func lost(_ script: String) async throws {
    try await Workbench.with { bench in
      let objects = try bench.objects([Self.csv(Self.ids(60, bad: [0, 5, 59]))])
      let faulty = try bench.altered(script)
      for partitions in [[], [Partition(transform: .month, column: "day")]] {
        let request = try faulty.request(
          step(columns: Self.contract, partitionBy: partitions), [input(stream(), objects)])
        let error = await #expect(throws: StageFailure.self) { try await faulty.curate(request) }
        #expect(error?.code == "rows_unaccounted")
      }
    }
  }

  /// No plan, a plan in another form, a plan that says something else.
  static let plans = [
    "/enable_profiling/d", "s/OPERATOR_CARDINALITY/OPERATOR_TIMING/",
  ]

  @Test("and all others are counted again where the engine's plan cannot be read", arguments: plans)
  func unreadable(_ script: String) async throws {
    try await Workbench.with { bench in
      let objects = try bench.objects([Self.csv(Self.ids(60, bad: [0, 5, 59]))])
      let other = try bench.altered(script)
      for key in [[], ["id"]] {
        for partitions in [[], [Partition(transform: .month, column: "day")]] {
          let result = try await other.curate(
            try other.request(
              step(columns: Self.contract, partitionBy: partitions), [input(stream(key: key), objects)],
              sql: "select id, day, text from orders where id <> '3'"))
          #expect(result.counts.all == [60, 56, 1, 0, 3])
        }
      }
    }
  }
}
