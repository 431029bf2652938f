import Curation
import DuckDB
import FoundationEssentials
import JobModel
import PipelineDefinition
import Testing

@Suite("Every row is accounted for")
struct AccountingTests {
  static let cursor = Cursor(field: "at", type: ColumnType("timestamptz"))

  @Test("the last of a key wins: by cursor, then run, then position")
  func lastWins() async throws {
    try await Workbench.with { bench in
      let first = try bench.objects(
        ["id,at,v\n1,2024-01-02T00:00:00Z,newer\n2,2024-01-01T00:00:00Z,old\n3,,none\n,2024-01-01T00:00:00Z,no key\n"])
      let second = try bench.objects(
        [
          "id,at,v\n1,2024-01-01T00:00:00Z,older\n2,2024-01-01T01:00:00+01:00,same time\n3,,a\n3,,b\n,2024-01-01T00:00:00Z,no key\n"
        ], run: 2, first: 10)
      let result = try await bench.curate(
        try bench.request(step(), [input(stream(key: ["id"], cursor: Self.cursor), second + first)]))
      #expect(result.counts.all == [9, 5, 0, 4, 0])
      #expect(
        try await bench.table(result, "select id a, v b from data order by id nulls last, v") == [
          ["1", "newer"], ["2", "same time"], ["3", "b"], [nil, "no key"], [nil, "no key"],
        ])
      #expect(result.key == ["id"])
      #expect(result.cursorField == "at")
    }
  }

  @Test("rows that the SELECT leaves out are counted one by one")
  func filtered() async throws {
    try await Workbench.with { bench in
      let objects = try bench.objects(["id,v\n1,a\n2,b\n2,c\n3,\n4,bad\n5\n"])
      let contract = [
        ContractColumn(name: "id", type: ColumnType("integer"), max: "3"), ContractColumn(name: "v", type: .text),
      ]
      var step = step(columns: contract)
      step.extra = .drop
      let result = try await bench.curate(
        try bench.request(
          step, [input(stream(key: ["id"]), objects)],
          sql:
            "-- the good ones\nselect upper(o.v) as v, o.id, 1 as more from orders as o where o.v is not null order by 1 desc"
        ))
      #expect(result.counts.all == [6, 2, 1, 1, 2])
      #expect(
        try await bench.table(result, "select id a, v b, _position c from data order by id") == [
          ["1", "A", "1"], ["2", "C", "3"],
        ])
      #expect(result.events.map(\.kind) == [.droppedColumn])
    }
  }

  @Test(
    "claims no equation where the SELECT groups, unites, or multiplies rows",
    arguments: [
      "select id, count(*) as n from orders group by id", "select count(*) as n from orders",
      "select distinct id from orders", "select id, sum(n) as n from orders group by all",
      "select id from orders union all select id from orders", "select id, unnest([1, 2]) as u from orders",
      "with o as (select * from orders) select id from o",
    ])
  func aggregates(sql: String) async throws {
    try await Workbench.with { bench in
      let objects = try bench.objects([#"{"id":1,"n":1}"# + "\n" + #"{"id":1,"n":2}"# + "\nbad\n"])
      let columns = [StreamColumn(name: "n", type: ColumnType("integer"))]
      let result = try await bench.curate(
        try bench.request(step(over: .batch), [input(stream(records: .ndjson, columns: columns), objects)], sql: sql))
      #expect(result.counts.filtered == nil)
      #expect(result.counts.rowsIn == 3)
      #expect(result.counts.quarantined == 1)
      #expect(result.counts.rowsOut > 0)
    }
  }

  @Test(
    "knows where rows stand through joins, stars and windows",
    arguments: [
      "select * from orders", "select o.*, c.name from orders o left join current.customers c on c.id = o.id",
      "select id, row_number() over (order by id) as n from \"shop.orders\"", "from orders",
      "select id from orders qualify row_number() over (partition by id) = 1",
    ])
  func carries(sql: String) async throws {
    try await Workbench.with { bench in
      let orders = input(stream(), try bench.objects(["id,v\n1,a\n2,b\n"]))
      let late = try bench.objects(["id,name\n1,Ann\n"], run: 1, first: 50)
      let customers = input(stream("customers", key: ["id"]), [], history: late)
      let result = try await bench.curate(try bench.request(step(over: .batch), [orders, customers], sql: sql))
      #expect(result.counts.all == [2, 2, 0, 0, 0])
      #expect(
        try await bench.table(result, "select id a, _object b, _position c from data order by id") == [
          ["1", "1", "1"], ["2", "1", "2"],
        ])
      #expect(result.columns.map(\.name).suffix(2) == ["_object", "_position"])
      #expect(!result.columns.map(\.name).contains("_run"))
    }
  }

  @Test("joins the latest row of each key over all runs, and the snapshot before")
  func currentAndPrevious() async throws {
    try await Workbench.with { bench in
      let definition = stream("invoices", records: .ndjson, key: ["id"], cursor: Self.cursor)
      let earlier = try bench.objects(
        [#"{"id":"1","at":"2024-01-01T00:00:00Z","v":"old","gone":"x"}"#], run: 1, first: 20)
      let due = try bench.objects(
        [
          #"{"id":"1","at":"2024-01-02T00:00:00Z","v":"new"}"# + "\n"
            + #"{"id":"2","at":"2024-01-02T00:00:00Z","v":"two"}"#
        ],
        run: 2, first: 30)
      let first = try await bench.curate(
        try bench.request(step(), [input(stream(), try bench.objects(["id\n9\n"], first: 40))]))
      let result = try await bench.curate(
        try bench.request(
          step(),
          [
            input(stream(), try bench.objects(["id\n1\n2\n3\n"], first: 60)),
            input(definition, due, history: earlier + due, known: ["gone"]),
          ],
          sql: """
            select o.id, i.v, i.gone, (select max(id) from previous.orders) as before from orders o
            left join current.invoices i on i.id = o.id
            """, previous: PreviousData(files: first.files.map(\.path), rowsOfLastRun: 1), isFull: false))
      #expect(
        try await bench.table(result, "select id a, v b, gone c, before d from data order by id") == [
          ["1", "new", nil, "9"], ["2", "two", nil, "9"], ["3", nil, nil, "9"],
        ])
      #expect(result.counts.all == [3, 3, 0, 0, 0])
      #expect(result.recordsByObject == [30: 2, 60: 3])
    }
  }

  @Test("runs checks over the dataset as of the new snapshot")
  func checks() async throws {
    try await Workbench.with { bench in
      let definition = stream(key: ["id"])
      let before = try await bench.curate(
        try bench.request(step(), [input(definition, try bench.objects(["id,v\n1,a\n2,b\n"]))]))
      let previous = PreviousData(files: before.files.map(\.path), rowsOfLastRun: 2)
      let objects = try bench.objects(["id,v\n2,c\n3,d\n3,e\n"], run: 2, first: 9)
      func run(_ check: DatasetCheck.Rule, _ severity: DatasetCheck.Severity = .fail) async throws -> CurationResult {
        try await bench.curate(
          try bench.request(
            step(checks: [DatasetCheck(rule: check, severity: severity)]), [input(definition, objects)],
            previous: previous, isFull: false))
      }
      let rows = "select string_agg(id || v, ' ' order by id) from orders"
      #expect(try await run(.sql(rows, expect: "1a 2c 3e")).counts.rowsOut == 2)
      #expect(try await run(.rowsChange(-0.2...0.5)).counts.rowsOut == 2)
      #expect(try await run(.unique(["v"])).events.isEmpty)
      #expect(try await run(.unique(["id"]), .warn).events.map(\.kind) == [.checkWarning])
      for rule in [
        DatasetCheck.Rule.unique(["id"]), .sql("select count(*) from orders", expect: "4"), .rowsChange(0.5...2),
        .sql("delete from orders", expect: "1"),
      ] {
        let error = await #expect(throws: StageFailure.self) { _ = try await run(rule) }
        #expect(error?.code == "check_failed" || error?.code == "check_sql")
      }
    }
  }

  @Test("the same raw gives the same rows, whatever the order of the objects")
  func deterministic() async throws {
    try await Workbench.with { bench in
      let pages = (0..<6).map { page in
        "id,v\n" + (0..<500).map { "\(($0 &* 7 &+ page &* 13) % 900),\(page)-\($0)\n" }.joined()
      }
      let objects = try bench.objects(pages)
      let digest = "select md5(string_agg(id || v || _object || _position, ',' order by id)) a, count(*) b from data"
      var seen: Set<[String?]> = []
      for order in [objects, objects.reversed(), objects.shuffled()] {
        let result = try await bench.curate(try bench.request(step(), [input(stream(key: ["id"]), order)]))
        seen.formUnion(try await bench.table(result, digest))
      }
      #expect(seen.count == 1)
      #expect(seen.first?[1] == "900")
    }
  }
}
