import Curation
import DuckDB
import FoundationEssentials
import PipelineDefinition
import Testing

@Suite("What curate SQL may say")
struct CurationLintTests {
  static let streams = [
    StreamReference(source: "shop", stream: "orders"), StreamReference(source: "a", stream: "same"),
    StreamReference(source: "b", stream: "same"),
  ]

  private func problems(_ sql: String) async throws -> [String] {
    try await Workbench.with { bench in
      try await CurationLint(duckdb: bench.duckdb, scratch: bench.directory)
        .check(sql, streams: Self.streams, datasets: ["orders"]).map(\.description)
    }
  }

  @Test(
    "accepts what depends on the raw only",
    arguments: [
      "select id, _run_at as loaded_at from orders", "from \"a.same\"",
      "with x as (select * from orders) select x.id from x join current.orders c using (id) where hash(x.id) % 2 = 0",
      "select * from orders where id not in (select id from previous.orders)",
      "select unnest(['a', 'b']) as u from orders",
    ])
  func accepted(sql: String) async throws {
    #expect(try await problems(sql).isEmpty)
  }

  @Test(
    "refuses clocks, randomness, files and other tables, and says where",
    arguments: [
      ("select id,\n  now() as t from orders", "2:3: now()"), ("select current_date from orders", "1:8: current_date"),
      ("select * from orders where t < current_timestamp", "1:32: current_timestamp"),
      ("select é, random() from orders", "1:11: random()"), ("select id from orders where id = uuid()", "1:34: uuid()"),
      ("select (select today()) from orders", "1:16: today()"), ("select getenv('HOME') from orders", "1:8: getenv()"),
      ("select * from read_csv('/etc/passwd')", "1:15: read_csv()"),
      ("select * from '/etc/passwd'", "1:15: there is no stream"),
      ("select * from same", "1:15: there is no stream \"same\""),
      ("select * from raw.objects", "1:15: there is no stream"),
      ("select * from orders using sample 10%", "a sample gives other rows"),
      ("select 1; select 2", "1:1: there are 2 statements"), ("delete from orders", "1:1: only one SELECT"),
      ("select id,\n from where", "2:7: syntax error"), ("", "1:1: there are 0 statements"),
    ])
  func refused(sql: String, start: String) async throws {
    let found = try await problems(sql)
    #expect(found.first?.contains(start) == true, "\(found)")
  }
}
