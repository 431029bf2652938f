import FoundationEssentials
import Postgres
import TestSupport
import Testing

@Suite("Columns that data files hold as text")
struct TextColumnTests {
  @Test("have their types in queries and in the target, over snapshots with text and with the types themselves")
  func types() async throws {
    try await TestProject.withProject { project in
      try await TestDatabase.withEmptyDatabase { target in
        func define(_ parquet: String) throws {
          try project.write(
            "pipelines/p.yaml",
            """
            pipeline: p
            sources: {s: {files: {at: "file:d"}, streams: {v: {match: "*.csv", records: {format: csv}, key: [id]}}}}
            curate: {v: {from: s.v, columns: {id: uuid, clock: time, more: json}\(parquet)}}
            load: {w: {postgres: {url: "secret:w"}, tables: {public.v: {from: v, mode: merge, key: [id]}}}}

            """)
        }
        let sluice = Installed(project, ["SLUICE_SECRET_W": target.url])
        for (run, parquet) in ["", ", parquet: {uuid: native, time: native, json: native}", ""].enumerated() {
          try define(parquet)
          try project.write(
            "d/\(run).csv", "id,clock,more\n0000000\(run)-0000-0000-0000-00000000000A,10:0\(run),[\(run)]\n")
          let ended = try await sluice("run", "p", "--wait")
          #expect(ended.status == 0, "\(ended.errors)")
        }
        let found = try await sluice(
          "query",
          "select typeof(id) || typeof(clock) || typeof(more) as t, id::text as i, more as m from v order by 2",
          "--json")
        let rows = try found.json("rows").list
        #expect(rows.map { $0["t"].text } == ["UUIDTIMEJSON", "UUIDTIMEJSON", "UUIDTIMEJSON"])
        #expect(rows.map { $0["i"].text ?? "" } == (0..<3).map { "0000000\($0)-0000-0000-0000-00000000000a" })
        let loaded = try await target.pool.query(
          SQLStatement(
            name: "loaded",
            text:
              "select pg_typeof(id)::text || pg_typeof(clock) || pg_typeof(more) || clock || more as r from public.v order by id"
          ),
          [])
        #expect(
          try loaded.map { try $0.string("r") }
            == (0..<3).map { "uuidtime without time zonejsonb10:0\($0):00[\($0)]" })
      }
    }
  }
}
