import Postgres
import TestSupport
import Testing

@Suite("A backfill next to runs")
struct BackfillOrderTests {
  @Test("whose curation comes after all other work keeps no run waiting, and spoils nothing when it is done at last")
  func leftToItself() async throws {
    try await TestProject.withProject { project in
      try await TestDatabase.withEmptyDatabase { control in
        try await TestDatabase.withEmptyDatabase { warehouse in
          let sluice = Installed(
            project, ["SLUICE_DATABASE_URL": control.url, "SLUICE_SECRET_WAREHOUSE": warehouse.url])
          defer { sluice.killAll() }
          try write([("2024-01-10", 1), ("2024-02-10", 1)], project)
          try project.write("pipelines/p.yaml", Self.pipeline(try await PythonSource.start(sluice)))
          let first = try await sluice("run", "p", "--wait", "--json")
          #expect(first.status == 0, "\(first.errors)")

          let backfill = try await sluice("backfill", "p", "--from", "2024-01-01", "--to", "2024-03-01", "--json")
          #expect(backfill.status == 0, "\(backfill.errors)")
          // As if there were always other work.
          let held = "(select min(class) from sluice.lane where pipeline = 'p') < class and stage = 'curate'"
          try await control.pool.execute("update sluice.lane set paused = true where \(held)")
          let up = try await sluice("up", "--detach", "--workers", "1", "--json")
          #expect(up.status == 0, "\(up.errors)")
          try await eventually("the backfill has read its range") {
            try await control.pool.query("select from sluice.sealed", []).count == 2
          }
          // The backfill has read the rows as they were.
          try write([("2024-01-10", 1), ("2024-02-10", 1), ("2024-03-10", 2)], project)
          let run = try await sluice("run", "p", "--wait", "--timeout", "60", "--json")
          #expect(run.status == 0, "\(run.errors)")
          #expect(
            try run.json("stages", "curate", "rows_in").int == 2,
            "the rows from its cursor on, and none of the backfill")
          #expect(try await amounts(warehouse) == ["1 1", "2 1", "3 2"])

          try await warehouse.pool.execute(
            "update orders set amount = 7, at = '2030-01-01' where id = 1; delete from orders where id = 2")
          try await control.pool.execute("update sluice.lane set paused = false where \(held)")
          try await eventually(within: .seconds(40), "the backfill ends") {
            try await control.pool.query("select from sluice.run where state not in ('succeeded')", []).isEmpty
          }
          #expect(
            try await amounts(warehouse) == ["1 7", "2 1", "3 2"], "what it brought is merged, and a newer row stays")
          let query = try await sluice("query", "select count(*) as n, sum(amount)::bigint as sum from d", "--json")
          #expect(try query.json("rows").list.first?["n"].int == 3)
          #expect(try query.json("rows").list.first?["sum"].int == 4)
          #expect(try await sluice("down").status == 0)
        }
      }
    }
  }

  private static func pipeline(_ url: String) -> String {
    """
    pipeline: p
    sources:
      s:
        http: {base_url: "\(url)"}
        streams:
          orders:
            get: /orders
            query: {since: "{cursor}", until: "{until}"}
            records: {format: json, path: "$[*]"}
            key: [id]
            cursor: {field: at, type: timestamptz}
    curate:
      d: {from: s.orders, columns: {id: {type: bigint}, at: {type: timestamptz}, amount: {type: bigint}}}
    load:
      warehouse: {postgres: {url: "secret:warehouse"}, tables: {public.orders: {from: d, mode: merge, key: [id]}}}

    """
  }

  private func write(_ rows: [(day: String, amount: Int)], _ project: TestProject) throws {
    let rows = rows.enumerated().map { index, row in
      "{\"id\": \(index + 1), \"at\": \"\(row.day)T00:00:00Z\", \"amount\": \(row.amount)}"
    }
    try project.write("rows.json", "[" + rows.joined(separator: ", ") + "]")
  }

  private func amounts(_ database: TestDatabase.Handle) async throws -> [String] {
    try await database.pool.query("select id || ' ' || amount as row from orders order by id", []).map {
      try $0.string("row")
    }
  }
}
