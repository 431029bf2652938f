import Curation
import DuckDB
import JobModel
import PipelineDefinition
import Testing

@Suite("Rows of a parent")
struct ChildRowTests {
  private static let orders = stream(
    records: .ndjson, key: ["order_id"], cursor: Cursor(field: "ver", type: ColumnType("bigint")))
  private static let sql = """
    select o.order_id, o.ver::bigint as ver, (l->>'n')::int as line, l->>'sku' as sku
    from orders o, unnest(from_json(o.lines, '["JSON"]')) as t(l) order by 3
    """

  private static let lines = {
    var lines = step(columns: [
      ContractColumn(name: "order_id", type: ColumnType("bigint")),
      ContractColumn(name: "ver", type: ColumnType("bigint")),
      ContractColumn(name: "line", type: ColumnType("integer")),
      ContractColumn(name: "sku", type: .text, required: true),
    ])
    lines.key = ["order_id", "line"]
    lines.replaces = ["order_id"]
    return lines
  }()

  /// An order with the items of its lines; nil is a line that breaks the contract.
  private static func order(_ id: Int, at: Int, _ skus: [String?]) -> String {
    let lines = skus.enumerated().map { #"{"n":\#($0.offset + 1),"sku":\#($0.element.map { "\"\($0)\"" } ?? "null")}"# }
    return #"{"order_id":\#(id),"ver":\#(at),"lines":[\#(lines.joined(separator: ","))]}"#
  }

  private func curate(
    _ bench: Workbench, _ orders: [String], first: Int64, previous: PreviousData = PreviousData(),
    seeing expected: String? = nil, step: CurateStep = lines, sql: String = sql
  ) async throws -> CurationResult {
    var step = step
    if let expected {
      let rows = "select string_agg(order_id || '/' || line || sku, ' ' order by order_id, line) from orders"
      step.checks = [DatasetCheck(rule: .sql(rows, expect: expected))]
    }
    let objects = try bench.objects([orders.joined(separator: "\n")], run: first / 10, first: first)
    return try await bench.curate(
      try bench.request(step, [input(Self.orders, objects)], sql: sql, previous: previous, isFull: false))
  }

  @Test("the newest record of a parent gives its rows, and one without rows empties it")
  func withinRun() async throws {
    try await Workbench.with { bench in
      let result = try await curate(
        bench,
        [
          Self.order(1, at: 1, ["a", "b"]), Self.order(2, at: 1, ["c"]), Self.order(1, at: 2, ["d"]),
          Self.order(3, at: 1, []), Self.order(2, at: 2, []), Self.order(4, at: 5, ["e", "f"]),
          Self.order(4, at: 4, ["g", "h", "i"]),
        ], first: 10, seeing: "1/1d 4/1e 4/2f")
      #expect(result.counts.all == [7, 3, nil, 6, 0])
      #expect(result.key == ["order_id", "line"])
      #expect(result.replaces == ["order_id"])
      #expect(
        try await bench.table(result, "select order_id a, line b, sku c, ver d from data order by a, b") == [
          ["1", "1", "d", "2"], ["2", nil, nil, "2"], ["3", nil, nil, "1"], ["4", "1", "e", "5"], ["4", "2", "f", "5"],
        ])
    }
  }

  @Test("later snapshots replace a parent's rows, also to none, and older versions change nothing")
  func acrossRuns() async throws {
    try await Workbench.with { bench in
      var parts: [[String]] = []
      func add(_ orders: [String], _ expected: String, first: Int64) async throws {
        let previous = PreviousData(parts: parts, rowsOfLastRun: nil, quarantine: nil)
        let result = try await curate(bench, orders, first: first, previous: previous, seeing: expected)
        parts.append(result.files.map(\.path))
      }
      try await add([Self.order(1, at: 1, ["a", "b"]), Self.order(2, at: 5, ["c"])], "1/1a 1/2b 2/1c", first: 10)
      try await add([Self.order(1, at: 2, ["A"])], "1/1A 2/1c", first: 20)
      try await add([Self.order(2, at: 4, ["x", "y"])], "1/1A 2/1c", first: 30)
      try await add([Self.order(1, at: 3, []), Self.order(3, at: 1, ["n"])], "2/1c 3/1n", first: 40)
      try await add([Self.order(1, at: 4, ["z"])], "1/1z 2/1c 3/1n", first: 50)
      let seen = try await curate(
        bench, [Self.order(9, at: 1, ["p"])], first: 60,
        previous: PreviousData(parts: parts, rowsOfLastRun: nil, quarantine: nil), step: Self.lines,
        sql: """
          select order_id, ver::bigint as ver, 1 as line, (select string_agg(order_id || sku, '' order by order_id)
            from previous.orders) as sku from orders
          """)
      #expect(try await bench.table(seen, "select sku a from data") == [["1z2c3n"]])
    }
  }

  @Test(
    "a record without rows empties its parent, whatever type orders the versions",
    arguments: [
      ("timestamptz", "\"2024-01-0NT00:00:00Z\""), ("date", "\"2024-01-0N\""), ("decimal(18,2)", "N.5"),
      ("text", "\"vN\""), ("bigint", "N"),
    ], [true, false])
  func emptied(cursor: (type: String, value: String), hasContract: Bool) async throws {
    try await Workbench.with { bench in
      let orders = stream(
        records: .ndjson, key: ["order_id"], cursor: Cursor(field: "ver", type: ColumnType(cursor.type)))
      var lines = step(
        columns: hasContract
          ? [
            ContractColumn(name: "order_id", type: ColumnType("bigint")),
            ContractColumn(name: "ver", type: ColumnType(cursor.type)), ContractColumn(name: "sku", type: .text),
          ] : [])
      lines.key = ["order_id", "sku"]
      lines.replaces = ["order_id"]
      func record(_ version: Int, _ skus: String) -> String {
        let value = cursor.value.replacing("N", with: "\(version)")
        return #"{"order_id":1,"ver":\#(value),"skus":[\#(skus)]}"#
      }
      var parts: [[String]] = []
      for (index, (text, expected)) in [
        (record(1, #""a","b""#), "ab"), (record(2, ""), ""), (record(3, #""c""#), "c"), (record(1, #""z""#), "c"),
      ].enumerated() {
        let all = "select coalesce(string_agg(sku, '' order by sku), '') from orders"
        lines.checks = [DatasetCheck(rule: .sql(all, expect: expected))]
        let objects = try bench.objects([text], run: Int64(index + 1), first: Int64(10 * index + 10))
        let result = try await bench.curate(
          try bench.request(
            lines, [input(orders, objects)],
            sql: "select order_id, ver, unnest(from_json(skus, '[\"VARCHAR\"]')) as sku from orders",
            previous: PreviousData(parts: parts, rowsOfLastRun: nil, quarantine: nil), isFull: false))
        parts.append(result.files.map(\.path))
      }
    }
  }

  @Test("a parent with a bad row is set aside whole, and keeps the rows that it had")
  func incomplete() async throws {
    try await Workbench.with { bench in
      let first = try await curate(bench, [Self.order(1, at: 1, ["a", "b"])], first: 10)
      let second = try await curate(
        bench, [Self.order(1, at: 2, ["A", nil])], first: 20,
        previous: PreviousData(parts: [first.files.map(\.path)], rowsOfLastRun: 2, quarantine: nil),
        seeing: "1/1a 1/2b")
      #expect(second.counts.all == [1, 0, nil, 0, 2])
      #expect(
        try await bench.table(second, "select reasons[1] a, key b from bad order by 1") == [
          ["replaces:incomplete", #"{"order_id":"1","line":"1"}"#], ["sku:required", #"{"order_id":"1","line":"2"}"#],
        ])
    }
  }

  @Test("a key of the dataset's own: rows without it are bad, and repeated ones without an order fail")
  func ownKey() async throws {
    try await Workbench.with { bench in
      var keyed = step(over: .batch)
      keyed.key = ["k"]
      let input = input(stream(), try bench.objects(["id,k,v\n1,a,1\n2,,2\n3,a,3\n"]))
      let result = try await bench.curate(try bench.request(keyed, [input]))
      #expect(result.counts.all == [3, 1, 0, 1, 1])
      #expect(result.key == ["k"])
      #expect(try await bench.table(result, "select v a from data") == [["3"]])
      #expect(try await bench.table(result, "select reasons[1] a from bad") == [["k:key"]])
      let grouped = try await bench.curate(
        try bench.request(keyed, [input], sql: "select k, count(*) as n from orders where k is not null group by k"))
      #expect(grouped.key == ["k"])
      let repeated = try bench.request(keyed, [input], sql: "select k, id, count(*) as n from orders group by all")
      let error = await #expect(throws: StageFailure.self) { _ = try await bench.curate(repeated) }
      #expect(error?.code == "key_repeated")
    }
  }
}
