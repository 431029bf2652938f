import FoundationEssentials
import Postgres
import TestSupport
import Testing

/// Of each key the version with the highest cursor stays, in the order of the cursor's type, whatever the contract says of it.
@Suite("The newest version of a key")
struct NewestVersionTests {
  /// Cursor values in the order in which they arrive, one run each, and the newest of them.
  static let cursors: [(type: String, arrives: [[String]], newest: String)] = [
    ("bigint", [["9"], ["10", "8"], ["7"]], "10"),
    ("\"decimal(18,4)\"", [["9.5"], ["1e1", "9.75"], ["-11"]], "1e1"),
    (
      "timestamptz",
      [["2024-03-01T00:30:00+02:00"], ["2024-02-29T23:00:00Z", "2024-02-29T22:59:59.999Z"], ["2024-02-29"]],
      "2024-02-29T23:00:00Z"
    ),
  ]

  @Test(
    "stays across runs: in current.STREAM, in a query and in the target, also without types",
    arguments: cursors.indices)
  func newest(index: Int) async throws {
    let (type, arrives, newest) = Self.cursors[index]
    try await TestProject.withProject { project in
      try await TestDatabase.withEmptyDatabase { target in
        try project.write(
          "pipelines/p.yaml",
          """
          pipeline: p
          sources:
            s:
              files: {at: "file:d"}
              streams: {v: {match: "*.ndjson", key: [id], cursor: {field: u, type: \(type)}}}
          curate:
            plain: {from: s.v}
            latest: {from: s.v, sql: sql/latest.sql, over: all}
          load: {w: {postgres: {url: "secret:w"}, tables: {public.plain: {from: plain, mode: merge, key: [id]}}}}

          """)
        try project.write("sql/latest.sql", "select id, u from \"current\".v\n")
        let sluice = Installed(project, ["SLUICE_SECRET_W": target.url])
        for (run, values) in arrives.enumerated() {
          let lines = values.map { "{\"id\":1,\"u\":\"\($0)\"}\n" }.joined()
          try project.write("d/\(run).ndjson", lines)
          let ended = try await sluice("run", "p", "--wait")
          #expect(ended.status == 0, "\(ended.errors)")
        }
        let plain = try await sluice("query", "select u from plain", "--json")
        #expect(try plain.json("rows").list.map { $0["u"].text } == [newest])
        let latest = try await sluice("query", "select u from latest", "--json")
        #expect(try latest.json("rows").list.map { $0["u"].text } == [newest])
        let loaded = try await target.pool.query(SQLStatement(name: "loaded", text: "select u from public.plain"), [])
        #expect(try loaded.map { try $0.string("u") } == [newest])
      }
    }
  }
}
