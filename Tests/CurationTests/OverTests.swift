import Curation
import DuckDB
import JobModel
import PipelineDefinition
import Testing

@Suite("Which rows a SELECT means")
struct OverTests {
  /// `orders` and `lines` bring what is new, `stores` everything.
  private static let pipeline = PipelineParser.parse(
    text: """
      pipeline: p
      sources:
        shop:
          files: {at: "file:d"}
          streams:
            orders: {match: "o.csv", key: [id]}
            lines: {match: "l.csv", key: [id]}
            stores: {match: "s.csv", read: full, key: [id]}
      curate: {d: {from: [shop.orders, shop.lines, shop.stores], sql: sql/d.sql}}

      """, file: "pipelines/p.yaml"
  ).0

  private func problems(_ sql: String, over: SelectedRows? = nil) async throws -> [Diagnostic] {
    let pipeline = try #require(Self.pipeline)
    var step = pipeline.curate[0]
    step.over = over
    return try await Workbench.with { bench in
      try await CurationLint(duckdb: bench.duckdb, scratch: bench.directory)
        .review(step, of: pipeline, sql: sql, datasets: ["d"])
    }
  }

  @Test(
    "row by row needs no word",
    arguments: [
      "select id, upper(name) as n from orders where v > 1 order by id",
      "with o as (select * from orders), p as (select id from o) select id from p",
      "select o.id, c.name from orders o left join current.lines c using (id) join stores s using (id)",
      "select o.id from (select id, x from orders) o semi join stores s using (id)",
      "select id from orders where id in (select id from current.lines group by id having count(*) > 1)",
      "select id, (select max(x) from previous.d) as m from orders",
      "select o.id, l.sku from orders o, unnest(o.lines) as l(sku)",
      "select id, unnest(from_json(l, '[\"JSON\"]')) as j from orders",
      "select id from orders union all select id from lines",
      "select id, n from orders join (select store, count(*) as n from stores group by store) s on s.store = orders.id",
    ])
  func rowByRow(sql: String) async throws {
    let problems = try await problems(sql)
    #expect(problems.isEmpty, "\(problems)")
  }

  @Test(
    "everything else says which rows it means",
    arguments: [
      ("select id, count(*) as n from orders group by id", "GROUP BY"), ("select sum(v) as s from orders", "sum()"),
      ("select count(*) as n from orders", "count()"),
      ("select id, count(*) as n from orders group by all", "GROUP BY"),
      ("select distinct id from orders", "DISTINCT"), ("select id from orders limit 3", "LIMIT"),
      ("select id, row_number() over (order by id) as n from orders", "window"),
      ("select id from orders qualify row_number() over (partition by id) = 1", "window"),
      ("select o.id from orders o join lines l using (id)", "join of incremental"),
      ("select o.id from orders o where id in (select id from lines)", "nested SELECT"),
      ("select l.id from stores l left join orders o using (id)", "outer join"),
      ("select id from orders union select id from lines", "set operation"),
      ("select id from orders except all select id from lines", "set operation"),
      ("select s.id from stores s", "no incremental stream"),
      ("select status, count(*) as n from current.orders group by status", "no incremental stream"),
      ("with g as (select id, max(v) as v from orders group by id) select * from g", "GROUP BY"),
      ("select id from orders union all select id from stores", "another origin"),
    ])
  func together(sql: String, reason: String) async throws {
    let problems = try await problems(sql)
    #expect(problems.map(\.code) == ["over"])
    #expect(problems.first?.message.contains(reason) == true, "\(problems)")
    #expect(problems.first?.suggestion?.contains("over: all") == true)
    #expect(problems.first?.suggestion?.contains("over: batch") == true)
    #expect(try await self.problems(sql, over: .all).isEmpty)
    #expect(try await self.problems(sql, over: .batch).isEmpty)
  }

  @Test("full streams alone need none")
  func fullStreams() async throws {
    var pipeline = try #require(Self.pipeline)
    pipeline.curate[0].from = [StreamReference(source: "shop", stream: "stores")]
    try await Workbench.with { bench in
      let found = try await CurationLint(duckdb: bench.duckdb, scratch: bench.directory)
        .review(pipeline.curate[0], of: pipeline, sql: "select count(*) as n from stores", datasets: ["d"])
      #expect(found.isEmpty)
    }
  }

  private static let grouped = "select status, count(*) as n, sum(v::int) as s from orders group by status"

  @Test("a run refuses what does not say it, unless an earlier engine planned it")
  func refused() async throws {
    try await Workbench.with { bench in
      let objects = try bench.objects(["id,status,v\n1,open,5\n"])
      let strict = try bench.request(step(), [input(stream(key: ["id"]), objects)], sql: Self.grouped)
      let error = await #expect(throws: StageFailure.self) { _ = try await bench.curate(strict) }
      #expect(error?.code == "over_missing")
      var request = try bench.request(step(), [input(stream(key: ["id"]), objects)], sql: Self.grouped)
      request.edition = .first
      let result = try await bench.curate(request)
      #expect(result.counts.rowsOut == 1)
    }
  }

  @Test("over all sees each row of a keyed stream once, as it is now; over batch sees what came")
  func latest() async throws {
    try await Workbench.with { bench in
      let cursor = Cursor(field: "at", type: ColumnType("bigint"))
      let first = try bench.objects(["id,at,status,v\n1,10,open,5\n2,10,open,7\nbad\n"])
      let second = try bench.objects(["id,at,status,v\n1,9,older,5\n2,11,paid,8\n3,11,paid,1\n"], run: 2, first: 9)
      let orders = input(stream(key: ["id"], cursor: cursor), first + second)
      let all = try await bench.curate(try bench.request(step(over: .all), [orders], sql: Self.grouped))
      #expect(
        try await bench.table(all, "select status a, n b, s c from data order by 1") == [
          ["open", "1", "5"], ["paid", "2", "9"],
        ])
      #expect(all.counts.all == [6, 2, nil, 0, 1])
      let batch = try await bench.curate(try bench.request(step(over: .batch), [orders], sql: Self.grouped))
      #expect(try await bench.table(batch, "select sum(n) a from data") == [["5"]])
      let windowed = try await bench.curate(
        try bench.request(
          step(over: .all), [orders], sql: "select id, row_number() over (order by id) as n from orders"))
      #expect(windowed.counts.all == [6, 3, nil, 0, 1])
    }
  }
}
