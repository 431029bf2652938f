import Curation
import DuckDB
import FoundationEssentials
import JobModel
import PipelineDefinition
import Testing

@Suite("Data files")
struct OutputTests {
  @Test("are partitioned by value and by time, sorted inside, with every row in one of them")
  func partitions() async throws {
    try await Workbench.with { bench in
      let contract = [
        ContractColumn(name: "id", type: ColumnType("integer")),
        ContractColumn(name: "at", type: ColumnType("timestamptz")),
        ContractColumn(name: "country", type: .text),
      ]
      let text = """
        id,at,country
        5,2024-01-31T23:59:59Z,CH
        4,2024-02-01T00:00:00Z,CH
        3,2024-01-01T00:00:00Z,CH
        2,2024-01-01T00:00:00Z,a/b
        1,,
        """
      let result = try await bench.curate(
        try bench.request(
          step(
            columns: contract,
            partitionBy: [Partition(transform: .month, column: "at"), Partition(transform: .value, column: "country")],
            files: FileLayout(sort: ["id"])),
          [input(stream(), try bench.objects([text]))]))
      #expect(
        result.files.map(\.partition).sorted() == [
          "at_month=2024-01/country=CH", "at_month=2024-01/country=a%2Fb", "at_month=2024-02/country=CH",
          "at_month=__HIVE_DEFAULT_PARTITION__/country=__HIVE_DEFAULT_PARTITION__",
        ])
      #expect(result.files.reduce(0) { $0 + $1.rows } == 5)
      let january = try #require(result.files.first { $0.partition == "at_month=2024-01/country=CH" })
      var only = result
      only.files = [january]
      #expect(try await bench.table(only, "select id a from data") == [["3"], ["5"]])
    }
  }

  @Test("have the partitions of instants in UTC, from the first to the last that there are")
  func instants() async throws {
    let instants = [
      "-infinity": "-infinity", "0001-01-01 00:00:00+00": "0001-01-01", "1582-10-14 23:59:59.999999+00": "1582-10-14",
      "1969-12-31 23:59:59.999999+00": "1969-12-31", "2024-03-01 00:30:00+01": "2024-02-29",
      "9999-12-31 23:59:59.999999+00": "9999-12-31", "infinity": "infinity",
    ]
    try await Workbench.with { bench in
      for (transform, length) in [(Partition.Transform.day, 10), (.month, 7), (.year, 4)] {
        let result = try await bench.curate(
          try bench.request(
            step(partitionBy: [Partition(transform: transform, column: "moment")]),
            [input(stream(), try bench.objects(["moment\n" + instants.keys.map { "\($0)\n" }.joined()]))],
            sql: "select moment::timestamptz as moment from orders"))
        let expected = instants.values.map {
          "moment_\(transform.rawValue)=\($0.hasSuffix("infinity") ? $0 : String($0.prefix(length)))"
        }
        #expect(result.files.map(\.partition).sorted() == expected.sorted())
        #expect(result.counts.rowsOut == instants.count)
      }
    }
  }

  @Test("have row groups that fit a small partition", arguments: [[], ["id"]])
  func rowGroups(key: [String]) async throws {
    try await Workbench.with { bench in
      let text = "id,day\n" + (0..<45_000).map { "\($0),2024-0\(1 + $0 % 2)-01\n" }.joined()
      let result = try await bench.curate(
        try bench.request(
          step(
            columns: [
              ContractColumn(name: "id", type: ColumnType("integer")),
              ContractColumn(name: "day", type: ColumnType("date")),
            ], partitionBy: [Partition(transform: .month, column: "day")]),
          [input(stream(key: key), try bench.objects([text]))]))
      #expect(result.files.map(\.rows) == [22_500, 22_500])
      let paths = quoteList(result.files.map(\.path))
      let largest = try await bench.ask(result, "select max(row_group_num_rows) as n from parquet_metadata(\(paths))")
      #expect((1...20_480).contains(try #require(largest.first?["n"]?.int)))
    }
  }

  @Test("are as large as the definition wants, in the order of the raw")
  func sizes() async throws {
    try await Workbench.with { bench in
      let text = "id,v\n" + (0..<400_000).map { "\($0),\(($0 &* 2_654_435_761) % 1_000_003)\n" }.joined()
      let result = try await bench.curate(
        try bench.request(step(files: FileLayout(targetBytes: 1_000_000)), [input(stream(), try bench.objects([text]))])
      )
      #expect(result.files.count > 1)
      #expect(result.files.reduce(0) { $0 + $1.rows } == 400_000)
      // One has what is left over.
      let sizes = result.files.map(\.bytes).sorted()
      #expect(sizes.dropFirst().allSatisfy { (300_000...3_000_000).contains($0) }, "\(sizes)")
      let disorder = "select count(*) a from (select id::int i, lag(id::int) over () p from data) where p > i"
      var only = result
      only.files = [result.files[0]]
      #expect(try await bench.table(only, disorder) == [["0"]])
    }
  }

  @Test("stay within the memory limit, or say how to raise it")
  func memoryLimit() async throws {
    try await Workbench.with { bench in
      var small = bench
      small.limits = DuckDBLimits(memoryBytes: 60_000_000, threads: 1, time: .seconds(60), temporaryBytes: 16_000_000)
      let text = "id,v\n" + (0..<200_000).map { "\($0),some text that is different for \($0)\n" }.joined()
      let request = try small.request(
        step(over: .batch), [input(stream(), try small.objects([text]))],
        sql: "select list(v || repeat('x', 500)) as everything from orders")
      let error = await #expect(throws: DuckDBError.self) { _ = try await small.curate(request) }
      #expect(error?.kind == .memoryLimit)
      #expect(error?.hint?.contains("limits.memory") == true)
      #expect(error?.isTransient == false)
    }
  }
}
