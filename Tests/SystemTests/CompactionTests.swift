import FoundationEssentials
import Postgres
import TestSupport
import Testing

/// Small increments through the built program: files are compacted between the runs, and nothing that a reader sees changes.
@Suite("Compacted datasets")
struct CompactedDatasetTests {
  private static let pipeline = """
    pipeline: p
    sources:
      s:
        files: {at: "file:d"}
        streams: {v: {match: "*.ndjson", key: [id], cursor: {field: u, type: bigint}}}
    curate:
      latest:
        from: s.v
        partition_by: {value: land}
        columns:
          id: {type: bigint, required: true}
          u: bigint
          land: text
          uid: uuid
          doc: json
          secret: {type: text, mask: sha256}
        checks:
          - {sql: "select count(*) = count(distinct id) from latest", expect: "true"}
      totals: {from: s.v, sql: sql/totals.sql, over: batch, columns: {tens: bigint, earlier: bigint}}

    """

  private static let lands = ["CH", "", "a/b=c", "%2F", "Zürich"]

  private static func line(_ run: Int, _ id: Int) -> String {
    let land = id == 5 ? "null" : "\"\(lands[id % lands.count])\""
    return
      "{\"id\":\(id),\"u\":\(run),\"land\":\(land),\"uid\":\"00000000-0000-4000-8000-\(100_000_000_000 + id)\",\"doc\":{\"r\":\(run).50},\"secret\":\"s\(run)\"}\n"
  }

  @Test("give the rows of all runs, to queries, checks and previous rows, also where a compacted object is gone")
  func readers() async throws {
    try await TestProject.withProject { project in
      try await TestDatabase.withEmptyDatabase { database in
        try project.write("pipelines/p.yaml", Self.pipeline)
        try project.write(
          "sql/totals.sql",
          """
          select try_cast(id as bigint) * 10 as tens, (select count(*) from previous.totals) as earlier
          from v where id <> 'bad'

          """)
        let sluice = Installed(project, ["SLUICE_DATABASE_URL": database.url])
        let runs = 9
        for run in 1...runs {
          // One record that no later run brings, and one that is quarantined.
          let lines = [run % 6, run + 100].map { Self.line(run, $0) } + ["{\"id\":\"bad\",\"u\":\(run)}\n"]
          try project.write("d/\(run).ndjson", lines.joined())
          let ended = try await sluice("run", "p", "--wait")
          #expect(ended.status == 0, "\(ended.errors)")
        }
        func count(_ text: String) async throws -> String? {
          try await database.pool.query(SQLStatement(name: "count", text: text), []).first?.optionalString(at: 0)
        }
        let failed = try await count(
          "select string_agg(message, '; ') from sluice.event where kind = 'compaction_failed'")
        #expect(failed == nil)
        let compactions = "select count(*) from sluice.compaction where state = 'current'"
        #expect(try await count(compactions) == "2")
        // Whatever was compacted, loads and older engines find all files of all snapshots.
        #expect(try await count("select count(distinct snapshot_id) from sluice.data_file") == "\(2 * runs)")

        func rows(_ sql: String) async throws -> [String] {
          let asked = try await sluice("query", sql, "--json")
          #expect(asked.status == 0, "\(asked.errors)")
          return try asked.json("rows").list.map { $0["r"].text ?? "null" }
        }
        func check() async throws {
          var newest: [Int: Int] = [:]
          for run in 1...runs { for id in [run % 6, run + 100] { newest[id] = run } }
          let expected = newest.sorted { $0.key < $1.key }.map { id, run in
            "\(id) \(run) \(id == 5 ? "-" : Self.lands[id % Self.lands.count]) \("\(1_000 + id)".suffix(3)) {\"r\":\(run).50} 64"
          }
          let found = try await rows(
            """
            select concat_ws(' ', id, u, coalesce(land, '-'), right(uid::varchar, 3), doc, length(secret)) as r from latest order by id
            """)
          #expect(found == expected)
          let before = (1...runs).flatMap { run in [run % 6, run + 100].map { "\($0 * 10) \((run - 1) * 2)" } }
          #expect(try await rows("select concat_ws(' ', tens, earlier) as r from totals").sorted() == before.sorted())
          #expect(try await rows("select typeof(uid) || typeof(doc) as r from latest limit 1") == ["UUIDJSON"])
        }
        try await check()
        let listed = try await database.pool.query(
          SQLStatement(name: "keys", text: "select key from sluice.compacted_file"), [])
        let keys = try listed.map { try $0.string("key") }
        #expect(keys.count == 2)
        for key in keys { try FileManager.default.removeItem(atPath: project.path(".sluice/storage/\(key)")) }
        try await check()
      }
    }
  }
}
