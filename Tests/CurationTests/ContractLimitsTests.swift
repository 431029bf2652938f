import Curation
import DuckDB
import JobModel
import PipelineDefinition
import Testing

@Suite("Values in a contract")
struct ContractLimitsTests {
  /// A column's definition, and what of it is told; empty where it can be used.
  static let columns: [(definition: String, told: String)] = [
    ("{type: bigint, min: -5, max: \"+007\"}", ""), ("{type: bigint, min: 1.0}", "min of \"c\" is \"1.0\""),
    ("{type: integer, max: 1e3}", "max of \"c\" is \"1e3\""), ("{type: smallint, max: 40000}", "which is no smallint"),
    ("{type: bigint, one_of: [1, \"0x10\"]}", "one_of of \"c\" is \"0x10\""),
    ("{type: \"decimal(9,2)\", min: .5, max: 1.5e2}", ""),
    ("{type: \"decimal(9,2)\", min: 0.125}", "min of \"c\" is \"0.125\", which is no decimal(9,2)"),
    ("{type: double, min: 99999999999999.99}", "which is no double"),
    ("{type: double, lossy: allow, min: 99999999999999.99}", ""), ("{type: date, min: 2024-02-29}", ""),
    ("{type: date, min: 2023-02-29}", "which is no date"), ("{type: date, max: 24-01-05}", "max of \"c\""),
    ("{type: date, max: \"2024-01-01abc\"}", "which is no date"), ("{type: timestamp, min: \"2024-1-1 1:2:3\"}", "min"),
    ("{type: timestamptz, source_timezone: Europe/Zurich, min: \"2024-03-31 02:30:00\"}", "which is no timestamptz"),
    ("{type: uuid, one_of: [0000000000000000000000000000000A]}", ""), ("{type: uuid, one_of: [x]}", "one_of"),
    ("{type: boolean, one_of: [\"Yes\"]}", ""), ("{type: text, one_of: [x], pattern: \"^x$\"}", ""),
    ("{type: text, pattern: \"(\"}", "pattern of \"c\" is no regular expression"),
  ]

  private static func pipeline(_ definition: String) -> String {
    """
    pipeline: p
    sources: {shop: {files: {at: "file:d"}, streams: {orders: {match: "*.csv"}}}}
    curate:
      d:
        from: shop.orders
        columns:
          c: \(definition)

    """
  }

  @Test(
    "are read as the data is: check tells those that are none of the type, with their place", arguments: columns.indices
  )
  func check(index: Int) async throws {
    let (definition, told) = Self.columns[index]
    let parsed = PipelineParser.parse(text: Self.pipeline(definition), file: "pipelines/p.yaml")
    let pipeline = try #require(parsed.0)
    try await Workbench.with { bench in
      let lint = CurationLint(duckdb: bench.duckdb, scratch: bench.directory)
      let found = try await lint.reviewLimits(pipeline.curate[0])
      guard !told.isEmpty else { return #expect(found.isEmpty) }
      #expect(found.count == 1 && found[0].message.contains(told))
      #expect(found.first?.place.line == 7 && found.first?.suggestion != nil)
      let run = try bench.request(pipeline.curate[0], [input(stream(), try bench.objects(["c\n1\n"]))])
      let error = await #expect(throws: StageFailure.self) { _ = try await bench.curate(run) }
      #expect(error?.code == "contract_value" && error?.message.contains(told) == true)
      #expect(error?.at == "pipelines/p.yaml:7:7")
    }
  }

  @Test("an engine's earlier casts stay those of runs that it planned")
  func edition() async throws {
    try await Workbench.with { bench in
      let column = ContractColumn(name: "id", type: ColumnType("bigint"), max: "1e3")
      var run = try bench.request(step(columns: [column]), [input(stream(), try bench.objects(["id\n999\n1001\n"]))])
      run.edition = .first
      #expect(try await bench.curate(run).counts.all == [2, 1, 0, 0, 1])
    }
  }

  @Test("a time without an offset is in the column's zone, and a decimal is not rounded")
  func values() async throws {
    try await Workbench.with { bench in
      let contract = [
        ContractColumn(
          name: "at", type: ColumnType("timestamptz"), min: "2024-07-01", sourceTimezone: "Europe/Zurich"),
        ContractColumn(name: "n", type: ColumnType("decimal(9,2)"), max: "12.5e-1", oneOf: []),
        ContractColumn(name: "b", type: ColumnType("boolean"), oneOf: ["Y"]),
      ]
      let text = """
        at,n,b
        2024-06-30T22:00:00Z,1.25,true
        2024-06-30T21:59:59Z,1.26,no
        """
      let result = try await bench.curate(
        try bench.request(step(columns: contract), [input(stream(), try bench.objects([text]))]))
      #expect(result.counts.all == [2, 1, 0, 0, 1])
      #expect(
        try await bench.table(result, "select reasons::varchar a from bad") == [["['at:min', 'n:max', 'b:one_of']"]])
    }
  }
}
