import Curation
import DuckDB
import FoundationEssentials
import JobModel
import PipelineDefinition
import Testing

@Suite("Rows that go straight into files")
struct StreamedRowsTests {
  /// Forbids it and changes nothing else.
  private static let look = DatasetCheck(rule: .sql("select true", expect: "true"))

  private static let contract = [
    ContractColumn(name: "id", type: ColumnType("integer"), required: true, min: "0"),
    ContractColumn(name: "day", type: ColumnType("timestamptz")), ContractColumn(name: "rowid", type: .text),
    ContractColumn(name: "ok", type: ColumnType("boolean")),
  ]

  private static func text(_ first: Int) -> String {
    var text = "id,day,rowid,ok\n"
    for id in first..<(first + 500) {
      let at = id % 7 == 0 ? "" : id % 11 == 0 ? "yesterday" : "20\(20 + id % 5)-0\(1 + id % 9)-01T00:00:00Z"
      text +=
        "\(id % 13 == 0 ? "x" : "\(id % 90)"),\(at),\"r\(id % 3)\n\",\(id % 2 == 0)\(id % 50 == 1 ? ",more" : "")\n"
    }
    return text
  }

  static let selects: [String?] = [
    nil, "select * from orders", "select id, day, rowid, ok from orders where ok = 'true' and _position % 2 = 0",
    "select id, day, upper(rowid) as rowid, ok::boolean as ok from orders o where o.rowid like 'r1%'",
    "select id::bigint + 1 as id, day, _run::varchar || _run_at::varchar as rowid, ok from orders where try_cast(id as integer) > 5",
    "select length(rowid) as id, day, rowid, false as ok from orders where try_cast(id as integer) > 1",
    "select id, day, rowid, ok from orders where false", "from orders select columns(*)",
  ]

  static let layouts: [[Partition]] = [
    [], [Partition(transform: .month, column: "day")],
    [Partition(transform: .year, column: "day"), Partition(transform: .value, column: "ok")],
    [Partition(transform: .value, column: "rowid")], [Partition(transform: .value, column: "id")],
  ]

  @Test("are those that tables on the way would give: values, counts, quarantine, partitions", arguments: selects)
  func same(_ sql: String?) async throws {
    try await Workbench.with { bench in
      var objects = try bench.objects([Self.text(0), Self.text(300)])
      objects += try bench.objects([Self.text(700)], run: 2, first: 9)
      for partitions in Self.layouts {
        var seen: [[String]] = []
        for checks in [[], [Self.look]] {
          var step = step(columns: Self.contract, checks: checks, partitionBy: partitions)
          step.extra = .drop
          let result = try await bench.curate(try bench.request(step, [input(stream(), objects)], sql: sql))
          let counts = result.counts
          #expect(counts.rowsIn == 1_500 && counts.quarantined > 0)
          let rows =
            result.files.isEmpty
            ? []
            : try await bench.ask(result, "select to_json(d)::varchar as t from data d order by _object, _position")
          let bad = try await bench.ask(result, "select to_json(d)::varchar as t from bad d order by t")
          // Each file has rows of its partition only, and no column more.
          var folders: [String: Int] = [:]
          for file in result.files {
            var only = result
            only.files = [file]
            #expect(try await bench.ask(only, "select count(*) as n from data").first?["n"]?.int == file.rows)
            folders[file.partition, default: 0] += file.rows
          }
          #expect(folders.values.reduce(0, +) == counts.rowsOut)
          seen.append(
            ["\(counts.all)", "\(folders.sorted { $0.key < $1.key })", "\(result.columns)"]
              + (rows + bad).map { $0["t"]?.text ?? "" })
        }
        #expect(seen[0] == seen[1])
      }
    }
  }

  /// Of one column each, which an engine could take into its scan.
  static let filters = [
    "ok <> 'true'", "day is null", "rowid like 'r%'", "id in ('1', '2', 'x')", "_position >= 5", "_object = 1",
    "length(rowid) > 1",
  ]

  @Test("are counted as one statement reads them, whatever the filter asks for", arguments: filters)
  func counted(_ filter: String) async throws {
    try await Workbench.with { bench in
      let log = "\(bench.directory)/log"
      let logged = try bench.altered(log: log)
      let objects = try bench.objects([Self.text(0)])
      for partitions in Self.layouts.prefix(2) {
        let result = try await logged.curate(
          try logged.request(
            step(columns: Self.contract, partitionBy: partitions), [input(stream(), objects)],
            sql: "select id, day, rowid, ok from orders where \(filter)"))
        #expect(result.counts.rowsIn == 500 && result.counts.rowsOut > 0)
      }
      let said = try String(contentsOf: URL(filePath: log), encoding: .utf8).lowercased()
      let isCountedAgain = said.contains("count(_position)") || said.contains("select count(*) as n from (select")
      #expect(!isCountedAgain)
    }
  }

  @Test("claim no equation where a function of the SELECT makes several rows of one, with and without a key")
  func severalRows() async throws {
    try await Workbench.with { bench in
      let objects = try bench.objects(["id,tags\n1,\"a,b\"\n2,c\n"])
      for key in [[], ["id"]] {
        let result = try await bench.curate(
          try bench.request(
            step(), [input(stream(key: key), objects)],
            sql: "select id, regexp_split_to_table(tags, ',') as tag from orders"))
        #expect(result.counts.all == (key.isEmpty ? [2, 3, nil, 0, 0] : [2, 2, nil, 1, 0]))
      }
      let named = try await bench.curate(
        try bench.request(
          step(), [input(stream(), objects)], sql: "select 7 as \"_OBJECT\", id from orders where id = '1'"))
      #expect(named.counts.rowsOut == 1)
    }
  }

  @Test("fit into the memory also with many columns and threads")
  func wide() async throws {
    try await Workbench.with { bench in
      var small = bench
      small.limits = DuckDBLimits(memoryBytes: 1_000_000_000, threads: 6, time: .seconds(120))
      let columns = (0..<60).map {
        ContractColumn(name: "c\($0)", type: ColumnType($0 % 2 == 0 ? "double" : "decimal(18,4)"))
      }
      let row = columns.indices.map { "\($0).25" }.joined(separator: ",") + "\n"
      let text = columns.map(\.name).joined(separator: ",") + "\n" + String(repeating: row, count: 500)
      let result = try await small.curate(
        try small.request(step(columns: columns), [input(stream(), try small.objects([text]))]))
      #expect(result.counts.all == [500, 500, 0, 0, 0])
    }
  }

  @Test("are refused where they have more partitions than files may be, and divided where a file would be too large")
  func layout() async throws {
    try await Workbench.with { bench in
      let days = (0..<4_200).map { "\($0),\(1_000 + $0 / 300)-0\(1 + $0 / 30 % 9)-\(10 + $0 % 20)\n" }.joined()
      let many = step(
        columns: [ContractColumn(name: "id", type: ColumnType("bigint")), ContractColumn(name: "d", type: .text)],
        partitionBy: [Partition(transform: .value, column: "id")])
      let error = await #expect(throws: StageFailure.self) {
        try await bench.curate(
          try bench.request(many, [input(stream(), try bench.objects(["id,d\n" + days]))]))
      }
      #expect(error?.code == "too_many_partitions")
      let rows = (0..<600_000).map { "\($0 % 2),\(($0 &* 2_654_435_761) % 1_000_003)\n" }.joined()
      let large = step(
        columns: [ContractColumn(name: "id", type: ColumnType("bigint")), ContractColumn(name: "v", type: .text)],
        partitionBy: [Partition(transform: .value, column: "id")], files: FileLayout(targetBytes: 300_000))
      let result = try await bench.curate(
        try bench.request(large, [input(stream(), try bench.objects(["id,v\n" + rows]))]))
      #expect(result.files.count > 2 && Set(result.files.map(\.partition)) == ["id=0", "id=1"])
      #expect(
        try await bench.table(result, "select count(*) a, count(distinct _position) b from data") == [
          ["600000", "600000"]
        ])
    }
  }
}
