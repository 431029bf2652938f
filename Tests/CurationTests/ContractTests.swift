import Curation
import DuckDB
import FoundationEssentials
import JobModel
import PipelineDefinition
import Testing

@Suite("The contract")
struct ContractTests {
  @Test("gives each rule's reason, and masks values also in quarantine")
  func rules() async throws {
    try await Workbench.with { bench in
      let contract = [
        ContractColumn(name: "id", type: ColumnType("bigint"), required: true),
        ContractColumn(name: "email", type: .text, pattern: "@", mask: Mask(kind: .sha256)),
        ContractColumn(name: "amount", type: ColumnType("decimal(18,4)"), min: "0", max: "100"),
        ContractColumn(name: "currency", type: .text, oneOf: ["CHF", "EUR"]),
        ContractColumn(name: "absent", type: .text, optional: true),
      ]
      let text = """
        id,email,amount,currency,more
        1,a@x,5,CHF,1
        ,b@x,5,CHF,1
        3,nobody,-1,USD,1
        4,,,,1
        5,c@x,100.1,EUR,1
        6,d@x,oops,EUR,1
        7,short
        """
      let result = try await bench.curate(
        try bench.request(
          step(columns: contract), [input(stream(key: ["id"]), try bench.objects([text]))], salts: ["email": "pepper"]))
      #expect(result.counts.all == [7, 2, 0, 0, 5])
      let hash = try await bench.table(result, "select sha256('pepper' || 'a@x') a")[0][0]
      #expect(
        try await bench.table(result, "select id a, email b, amount c, currency d, absent e from data order by id") == [
          ["1", hash, "5.0000", "CHF", nil], ["4", nil, nil, nil, nil],
        ])
      #expect(
        try await bench.table(
          result, "select position a, reasons::varchar b, key c from bad order by position nulls last") == [
            ["2", "['id:required']", nil],
            ["3", "['email:pattern', 'amount:min', 'currency:one_of']", #"{"id":"3"}"#],
            ["5", "['amount:max']", #"{"id":"5"}"#], ["6", "['amount:type']", #"{"id":"6"}"#],
            [nil, "['record:too_few_fields']", nil],
          ])
      #expect(!result.quarantineKeysReadable)
      let leaks =
        "select count(*) a from bad where record like '%@%' or record like '%nobody%' or record like '%short%'"
      #expect(try await bench.table(result, leaks) == [["0"]])
      #expect(result.columns.map(\.name) == ["id", "email", "amount", "currency", "absent", "_object", "_position"])
      #expect(result.columns.map(\.type)[2] == "DECIMAL(18,4)")
    }
  }

  @Test("reads local times in their zone, and refuses those that the clocks skipped")
  func timeZones() async throws {
    try await Workbench.with { bench in
      let contract = [
        ContractColumn(name: "id", type: ColumnType("integer")),
        ContractColumn(name: "at", type: ColumnType("timestamptz"), sourceTimezone: "Europe/Zurich"),
      ]
      let text = """
        id,at
        1,2024-01-15 12:00:00
        2,2024-07-15 12:00:00
        3,2024-03-31 02:30:00
        4,2024-03-31T03:30:00
        5,2024-07-15 12:00:00+05:30
        6,2024-10-27 02:30:00
        """
      let result = try await bench.curate(
        try bench.request(step(columns: contract), [input(stream(), try bench.objects([text]))]))
      #expect(
        try await bench.table(
          result, "select id a, strftime(\"at\" at time zone 'UTC', '%m-%d %H:%M') b from data order by id") == [
            ["1", "01-15 11:00"], ["2", "07-15 10:00"], ["4", "03-31 01:30"], ["5", "07-15 06:30"],
            ["6", "10-27 01:30"],
          ])
      #expect(try await bench.table(result, "select reasons[1] a, position b from bad") == [["at:type", "3"]])
    }
  }

  @Test("stops where too many rows are bad, and where too few are left, if it says so")
  func tooManyBad() async throws {
    try await Workbench.with { bench in
      let contract = [ContractColumn(name: "id", type: ColumnType("bigint"))]
      let objects = try bench.objects(["id\n1\n2\nx\n4\n", "id\nx\n"])
      let fine = try await bench.curate(
        try bench.request(step(columns: contract, stopOver: 0.25), [input(stream(), [objects[0]])]))
      #expect(fine.counts.quarantined == 1)
      let over = await #expect(throws: StageFailure.self) {
        _ = try await bench.curate(
          try bench.request(step(columns: contract, stopOver: 0.24), [input(stream(), [objects[0]])]))
      }
      #expect(over?.code == "stop_over")
      #expect(over?.message.contains("id:type (1)") == true)
      let none = try await bench.curate(try bench.request(step(columns: contract), [input(stream(), [objects[1]])]))
      #expect(none.counts.all == [1, 0, 0, 0, 1])
      let demanding = step(columns: contract, minRows: 1)
      let few = await #expect(throws: StageFailure.self) {
        _ = try await bench.curate(try bench.request(demanding, [input(stream(), [objects[1]])]))
      }
      #expect(few?.code == "min_rows")
      #expect(few?.isTransient == false)
      let empty = try bench.objects(["id\n"], first: 9)
      let nothing = try await bench.curate(try bench.request(demanding, [input(stream(), empty)]))
      #expect(nothing.counts.all == [0, 0, 0, 0, 0])
    }
  }

  @Test("a bad row that the run before quarantined already fails no quiet run")
  func knownBadRow() async throws {
    try await Workbench.with { bench in
      let contract = [ContractColumn(name: "id", type: ColumnType("bigint"), required: true)]
      let strict = step(columns: contract, stopOver: 0.4, minRows: 1)
      let first = try await bench.curate(
        try bench.request(strict, [input(stream(), try bench.objects(["id,v\n1,a\n2,b\nx,c\n"]))], isFull: false))
      #expect(first.counts.quarantined == 1)
      let previous = PreviousData(
        files: first.files.map(\.path), rowsOfLastRun: 2, quarantine: first.quarantine?.path)
      func next(_ text: String, first: Int64) async throws -> CurationResult {
        try await bench.curate(
          try bench.request(
            strict, [input(stream(), try bench.objects([text], run: 2, first: first))], previous: previous,
            isFull: false))
      }
      let quiet = try await next("id,v\nx,c\n", first: 5)
      #expect(quiet.counts.all == [1, 0, 0, 0, 1])
      let other = await #expect(throws: StageFailure.self) { _ = try await next("id,v\nx,c\ny,d\n", first: 7) }
      #expect(other?.code == "stop_over")
    }
  }

  @Test(
    "fails on drift where the definition says so",
    arguments: [
      DriftPolicy(newColumn: .fail), DriftPolicy(missingColumn: .fail), DriftPolicy(typeChange: .fail),
    ])
  func drift(policy: DriftPolicy) async throws {
    try await Workbench.with { bench in
      let contract = [ContractColumn(name: "id", type: ColumnType("bigint"))]
      let objects = try bench.objects(["id,new\n1,a\nx,b\n"])
      let good = try await bench.curate(
        try bench.request(step(columns: contract), [input(stream(), objects, known: ["id", "gone"])]))
      #expect(good.events.map(\.kind) == [.newField, .missingField])
      let error = await #expect(throws: StageFailure.self) {
        _ = try await bench.curate(
          try bench.request(step(columns: contract, drift: policy), [input(stream(), objects, known: ["id", "gone"])]))
      }
      #expect(error?.code == "schema_drift")
    }
  }
}
