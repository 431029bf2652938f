import FoundationEssentials
import Postgres
import TestSupport
import Testing

@Suite("Datasets that are computed from everything")
struct ComputedDatasetTests {
  @Test("count what came in all runs, also when only a joined stream changes, and replace their table")
  func overAll() async throws {
    try await TestProject.withProject { project in
      try await TestDatabase.withEmptyDatabase { target in
        try project.write(
          "pipelines/p.yaml",
          """
          pipeline: p
          sources:
            s:
              files: {at: "file:d"}
              streams: {orders: {match: "o*.csv", key: [id]}, people: {match: "p*.csv", key: [id]}}
          curate:
            totals:
              from: [s.orders, s.people]
              sql: sql/totals.sql
              over: all
              columns: {city: text, orders: bigint}
          load: {w: {postgres: {url: "secret:w"}, tables: {public.totals: {from: totals, mode: replace}}}}

          """)
        try project.write(
          "sql/totals.sql",
          "select p.city, count(*) as orders from orders o join people p on p.id = o.person group by p.city\n")
        try project.write("d/o1.csv", "id,person\n1,a\n2,a\n3,b\n")
        try project.write("d/p1.csv", "id,city\na,Chur\nb,Bern\n")
        let sluice = Installed(project, ["SLUICE_SECRET_W": target.url])
        func rows() async throws -> [String] {
          let run = try await sluice("run", "p", "--wait")
          #expect(run.status == 0, "\(run.errors)")
          let found = try await sluice("query", "select city || orders as r from totals order by 1", "--json")
          let loaded = try await target.pool.query(
            SQLStatement(name: "loaded", text: "select city || orders as r from public.totals order by 1"), [])
          #expect(try loaded.map { try $0.string("r") } == found.json("rows").list.map { $0["r"].text ?? "" })
          return try found.json("rows").list.map { $0["r"].text ?? "" }
        }
        #expect(try await rows() == ["Bern1", "Chur2"])
        try project.write("d/o2.csv", "id,person\n4,b\n3,a\n")
        #expect(try await rows() == ["Bern1", "Chur3"])
        try project.write("d/p2.csv", "id,city\na,Bern\n")
        #expect(try await rows() == ["Bern4"])

        try project.write(
          "pipelines/p.yaml",
          try project.text("pipelines/p.yaml").replacing("    over: all\n", with: "").replacing(
            "replace", with: "append"))
        let refused = try await sluice("check")
        #expect(refused.status == 2)
        #expect(refused.errors.contains("over: all") && refused.errors.contains("over: batch"), "\(refused.errors)")
      }
    }
  }

  @Test("a parent that shrinks has the rows of its newest record in the dataset and in the target, also none")
  func childRows() async throws {
    try await TestProject.withProject { project in
      try await TestDatabase.withEmptyDatabase { target in
        try project.write(
          "pipelines/p.yaml",
          """
          pipeline: p
          sources: {s: {files: {at: "file:d"}, streams: {orders: {match: "*.json", key: [id]}}}}
          curate:
            lines:
              from: s.orders
              sql: sql/lines.sql
              columns: {id: bigint, line: integer, sku: text}
              key: [id, line]
              replaces: [id]
          load: {w: {postgres: {url: "secret:w"}, tables: {public.lines: {from: lines, mode: merge}}}}

          """)
        try project.write(
          "sql/lines.sql",
          """
          select o.id, l->>'n' as line, l->>'sku' as sku from orders o, unnest(from_json(o.lines, '["JSON"]')) as t(l)

          """)
        let sluice = Installed(project, ["SLUICE_SECRET_W": target.url])
        func rows(_ file: String, _ text: String) async throws -> [String] {
          try project.write("d/\(file).json", text)
          let run = try await sluice("run", "p", "--wait")
          #expect(run.status == 0, "\(run.errors)")
          #expect(run.output.contains("records → "), "\(run.output)")
          let found = try await sluice("query", "select id || '/' || line || sku as r from lines order by 1", "--json")
          let loaded = try await target.pool.query(
            SQLStatement(name: "loaded", text: "select id || '/' || line || sku as r from public.lines order by 1"), [])
          #expect(try loaded.map { try $0.string("r") } == found.json("rows").list.map { $0["r"].text ?? "" })
          return try found.json("rows").list.map { $0["r"].text ?? "" }
        }
        let two = #"{"id": 1, "lines": [{"n": 1, "sku": "a"}, {"n": 2, "sku": "b"}]}"#
        #expect(
          try await rows("1", #"[\#(two), {"id": 2, "lines": [{"n": 1, "sku": "c"}]}]"#) == ["1/1a", "1/2b", "2/1c"])
        #expect(try await rows("2", #"[{"id": 1, "lines": [{"n": 1, "sku": "A"}]}]"#) == ["1/1A", "2/1c"])
        #expect(try await rows("3", #"[{"id": 1, "lines": []}]"#) == ["2/1c"])
      }
    }
  }

  @Test(
    "a column that no record has fails the run, leaves its raw due, and is known to check once a run has found the fields"
  )
  func unknownColumn() async throws {
    try await TestProject.withProject { project in
      func write(_ column: String) throws {
        try project.write(
          "pipelines/p.yaml",
          """
          pipeline: p
          sources: {s: {files: {at: "file:d"}, streams: {a: {match: "*.csv", key: [id]}}}}
          curate: {d: {from: s.a, columns: {id: bigint, \(column)}}}

          """)
      }
      try project.write("d/1.csv", "id,name\n1,a\n")
      let sluice = Installed(project)
      try write("nmae: text")
      #expect(try await sluice("check").status == 0)
      let failed = try await sluice("run", "p", "--json")
      #expect(failed.status == 1)
      #expect(try failed.json("error", "code").text == "column_missing")
      #expect(try failed.json("error", "hint").text == "did you mean \"name\"?")
      try write("name: text")
      let good = try await sluice("run", "p", "--json")
      #expect(good.status == 0, "\(good.errors)")
      #expect(try good.json("stages", "curate", "rows_out").int == 1)
      try write("nmae: text")
      let check = try await sluice("check")
      #expect(check.status == 2)
      #expect(check.errors.contains("did you mean \"name\"?"), "\(check.errors)")
    }
  }
}
