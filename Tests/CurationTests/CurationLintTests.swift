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
      "select o.*, list_sum([1, 2]) as s, nullif(id, 1) as n, age(t, u) as a from orders as o",
      "select o.* exclude (\"a b\") from orders o",
    ])
  func accepted(sql: String) async throws {
    #expect(try await problems(sql).isEmpty)
  }

  @Test("a recursive expression may read itself, and a name is hidden only where the expression is visible")
  func scopes() async throws {
    let sql = """
      with recursive r as (select 1 as i union all select i + 1 from r where i < 3),
        orders as (select * from orders where id in (select i from r))
      select * from orders
      """
    #expect(try await problems(sql).isEmpty)
  }

  @Test("the SQL of a check reads its own dataset and may ask the clock")
  func checks() async throws {
    try await Workbench.with { bench in
      let lint = CurationLint(duckdb: bench.duckdb, scratch: bench.directory)
      let texts = [
        "select count(*) from orders where ordered_at > now() + interval 1 day", "select count(*) from (show tables)",
        "select count(*) from read_text('/etc/hostname')", "select getenv('HOME')", "select random() from orders",
        "select 1; select 2",
      ]
      let found = try await lint.check(checks: texts, of: "orders")
      #expect(found[0].isEmpty)
      #expect(found.dropFirst().allSatisfy { !$0.isEmpty })
    }
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
      (
        "with same as (select 1) select * from (select * from same) x, (with y as (select 2) select * from y) z, y",
        "there is no stream \"y\""
      ),
      (
        "select * from orders where exists (with objects as (select 1) select * from objects) and 1 in (select id from objects)",
        "there is no stream \"objects\""
      ),
      ("with objects as (select * from objects) select * from objects", "1:32: there is no stream \"objects\""),
      ("with a as (select * from b), b as (select 1) select * from a", "1:26: there is no stream \"b\""),
      ("with \u{212A}1 as (select 1) select * from k1", "there is no stream \"k1\""),
      ("select * from (show tables)", "SHOW_REF is not possible"), ("describe orders", "SHOW_REF is not possible"),
      ("select * from memory.main.orders", "there is no stream \"memory.main.orders\""),
      ("select * from query('select 1')", "query() reads something else"),
      ("select * from orders at (version => 1)", "BASE_TABLE is not possible"),
      ("select * from shop.orders", "write orders"), ("select * from a.same", "write \"a.same\""),
      ("select \"1; copy (select 42) to 'PWNED'; select 1 --\".* from orders", "1:8: a table before .* needs a name"),
      ("select COLUMNS(\"o o\".*) from orders as \"o o\"", "a table before .* needs a name"),
      ("select $\"a b\" from orders", "a parameter has no value"), ("select ? from orders", "a parameter has no value"),
      ("select ago(interval 1 hour) from orders", "ago()"),
      ("select pg_conf_load_time() from orders", "pg_conf_load_time()"),
      ("select age(timestamp '2020-01-01') from orders", "age() of one time"),
      ("select reservoir_quantile(id, 0.5, 10) from orders", "reservoir_quantile()"),
      ("select pg_get_viewdef(1) from orders", "pg_get_viewdef()"),
      ("select current_database() from orders", "current_database()"),
      ("select 1\n.shell touch PWNED", "2:1: syntax error"), ("select 'a\0b' from orders", "1:10: the SQL holds a NUL"),
      ("select id,\n from where", "2:7: syntax error"), ("", "1:1: there are 0 statements"),
    ])
  func refused(sql: String, start: String) async throws {
    let found = try await problems(sql)
    #expect(found.first?.contains(start) == true, "\(found)")
  }
}
