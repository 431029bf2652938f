import DuckDB
import FoundationEssentials
import JobModel
import Testing

@Suite("A DuckDB child")
struct DuckDBSessionTests {
  @Test("answers one statement after another")
  func statements() async throws {
    try await withScratch { duckdb, place in
      let columns = try await duckdb.withSession(in: place, limits: DuckDBLimits()) { session in
        try await session.run("create table t as select range as i from range(3)")
        let rows = try await session.rows("select i, 1.50::decimal(10,2) as d, null as n from t order by i -- why not")
        #expect(rows.map { $0["i"]?.int } == [0, 1, 2])
        #expect(rows[0]["d"] == .text("1.50"))
        #expect(rows[0]["n"] == .null)
        let none = try await session.rows("select 1 where false")
        #expect(none.isEmpty)
        return try await session.table("select 1::bigint as a, 'x' as b where false").columns
      }
      #expect(columns == [.init(name: "a", type: "BIGINT"), .init(name: "b", type: "VARCHAR")])
    }
  }

  @Test("goes on after a statement that failed")
  func goesOn() async throws {
    try await withScratch { duckdb, place in
      try await duckdb.withSession(in: place, limits: DuckDBLimits()) { session in
        let error = await #expect(throws: DuckDBError.self) { try await session.run("select nothing from nowhere") }
        #expect(error?.kind == .sql)
        #expect(error?.message.contains("nowhere") == true)
        let seven = try await session.value("select 7")
        #expect(seven == .int(7))
      }
    }
  }

  @Test("is asked once for what it says of itself, and again where that failed")
  func constantRows() async throws {
    try await withScratch { duckdb, place in
      try await duckdb.withSession(in: place, limits: DuckDBLimits()) { session in
        let first = try await session.constantRows("select uuid()::varchar as id")
        let second = try await session.constantRows("select uuid()::varchar as id")
        #expect(first.count == 1 && first.first?["id"] == second.first?["id"])
        await #expect(throws: DuckDBError.self) {
          _ = try await session.constantRows("select count(*) as n from later")
        }
        try await session.run("create table later (i integer)")
        let known = try await session.constantRows("select count(*) as n from later")
        #expect(known.first?["n"] == .int(0))
      }
    }
  }

  @Test("tells no values in a message", arguments: ["select 'pw-1234'::integer", "select cast('pw-1234' as date)"])
  func noValues(sql: String) async throws {
    try await withScratch { duckdb, place in
      let error = await #expect(throws: DuckDBError.self) {
        try await duckdb.run(sql, in: place, limits: DuckDBLimits())
      }
      #expect(error?.description.contains("pw-1234") == false)
      #expect(error?.debugDescription.contains("pw-1234") == true)
    }
  }

  @Test(
    "reads back every text that it quoted", arguments: ["", "it's", "\"a\"", "a\\n\nb", "é\u{0}x", ".shell id", "';--"])
  func quoting(text: String) async throws {
    try await withScratch { duckdb, place in
      let sql = "select \(textExpression(text)) as \(quoteIdentifier("k" + text.replacing("\u{0}", with: "")))"
      let rows = try await duckdb.query(sql, in: place, limits: DuckDBLimits()).rows
      #expect(rows.first?.values.first == .text(text))
    }
  }

  @Test(
    "opens nothing but its directories, and keeps its settings",
    arguments: [
      "select * from read_text('/etc/hostname')", "copy (select 1) to '/tmp/sluice-escape.csv'",
      "set memory_limit = '90GB'",
      "install httpfs", "attach '/tmp/sluice-escape.db'", "set enable_external_access = true",
    ])
  func locked(sql: String) async throws {
    try await withScratch { duckdb, place in
      await #expect(throws: DuckDBError.self) { try await duckdb.run(sql, in: place, limits: DuckDBLimits()) }
      try await duckdb.run("copy (select 1) to '\(place.directory)/own.csv'", in: place, limits: DuckDBLimits())
    }
  }

  @Test("does not inherit the environment, where secrets may be")
  func environment() async throws {
    try await withScratch { duckdb, place in
      let text = try await duckdb.withSession(in: place, limits: DuckDBLimits()) { session in
        try await session.run("select 1")
        let child = try #require(children(in: place.directory).first)
        return String(
          decoding: try #require(FileManager.default.contents(atPath: "/proc/\(child)/environ")), as: UTF8.self)
      }
      let names = text.split(separator: "\0").compactMap { $0.split(separator: "=").first }
      #expect(Set(names).isSubset(of: ["PATH", "HOME", "LANG", "TZ", "DUCKDB_JE_MALLOC_CONF"]))
    }
  }

  @Test("ends with memory_limit when it needs more, and this process goes on")
  func memory() async throws {
    try await withScratch { duckdb, place in
      let limits = DuckDBLimits(memoryBytes: 50_000_000, threads: 1, temporaryBytes: 1_000_000)
      for sql in [
        "select list(range) from range(100000000)",
        "create table t as select range, repeat('x', 50) || range from range(5000000)",
      ] {
        let error = await #expect(throws: DuckDBError.self) { try await duckdb.run(sql, in: place, limits: limits) }
        #expect(error?.kind == .memoryLimit)
        #expect(error?.isTransient == false)
        #expect(error?.hint?.contains("limits.memory") == true)
      }
    }
  }

  @Test("says where the disk is full")
  func diskFull() async throws {
    try await withScratch { duckdb, place in
      var opened = place
      opened.files = ["/dev/full"]
      let full = opened
      let error = await #expect(throws: DuckDBError.self) {
        try await duckdb.run(
          "copy (select range from range(100000)) to '/dev/full' (format csv)", in: full, limits: DuckDBLimits())
      }
      #expect(error?.kind == .diskFull)
      #expect(error?.message.contains("/dev") == true)
      #expect(error?.isTransient == true)
    }
  }

  @Test("spills into its own directory")
  func spills() async throws {
    try await withScratch { duckdb, place in
      let limits = DuckDBLimits(memoryBytes: 60_000_000, threads: 1, temporaryBytes: 2_000_000_000)
      let rows = try await duckdb.query(
        "select count(*) as n from (select range, repeat('x', 40) || random() as s from range(2000000) order by s)",
        in: place, limits: limits
      ).rows
      #expect(rows[0]["n"] == .int(2_000_000))
    }
  }
}
