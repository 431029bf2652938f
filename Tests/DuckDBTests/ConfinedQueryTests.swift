import DuckDB
import FoundationEssentials
import Glibc
import JobModel
import Synchronization
import Testing

@Suite("A query of somebody who may read tables and do nothing else")
struct ConfinedQueryTests {
  /// What was printed: the columns, then the rows.
  final class Result: Sendable {
    private let state = Mutex((columns: [String](), rows: [[String?]](), count: 0))
    var columns: [String] { state.withLock { $0.columns } }
    var count: Int { state.withLock { $0.count } }
    var rows: [[String?]] { state.withLock { $0.rows } }
    func begin(_ columns: [DuckDBTable.Column]) { state.withLock { $0.columns = columns.map(\.name) } }
    func take(_ row: [String?]) {
      state.withLock {
        // Of a long result the last row is enough.
        if $0.rows.count > 100 { $0.rows.removeLast() }
        $0.rows.append(row)
        $0.count += 1
      }
    }
  }

  private func query(
    _ sql: String, limits: ConfinedQuery.Limits = .init(), memory: Int = 500_000_000
  ) async throws -> Result {
    try await withScratch { duckdb, place in
      try FileManager.default.createDirectory(atPath: place.directory + "/curated", withIntermediateDirectories: true)
      try FileManager.default.createDirectory(atPath: place.directory + "/secrets", withIntermediateDirectories: true)
      try FileManager.default.createDirectory(atPath: place.directory + "/scratch", withIntermediateDirectories: true)
      let file = place.directory + "/curated/d.parquet"
      try await duckdb.run(
        "copy (select range as id, 'n' || range as name from range(3)) to '\(file)' (format parquet)", in: place,
        limits: DuckDBLimits())
      try Data("hunter2".utf8).write(to: URL(filePath: place.directory + "/secrets/warehouse"))
      let query = ConfinedQuery(
        duckdb: duckdb,
        place: DuckDBPlace(directory: place.directory + "/scratch", directories: [place.directory + "/curated"]),
        duckDBLimits: DuckDBLimits(memoryBytes: memory, time: .seconds(120)), limits: limits)
      let result = Result()
      let text = sql.replacing("HERE", with: place.directory)
      let views = [
        ConfinedQuery.View(name: "d", select: "select * from read_parquet('\(file)')"),
        ConfinedQuery.View(name: "p.d", select: "select * from read_parquet('\(file)')"),
        ConfinedQuery.View(name: "big", select: "select range as i, repeat('y', 5000) as s from range(40000)"),
      ]
      defer {
        #expect(!FileManager.default.fileExists(atPath: place.directory + "/PWNED"))
        #expect(!FileManager.default.fileExists(atPath: place.directory + "/scratch/PWNED"))
        #expect(!FileManager.default.fileExists(atPath: place.directory + "/curated/PWNED"))
      }
      try await query.run(text, over: views, begin: { result.begin($0) }, take: { result.take($0) })
      return result
    }
  }

  @Test("gives the columns in order and every value as it is")
  func values() async throws {
    let sql = """
      select id, name, 1.50::decimal(10,2) as d, 0.1::double as f, null as nothing, [1.10::decimal(5,2)] as l,
        'a\n.shell b' as t, id as id from d order by id desc limit 1
      """
    let result = try await query(sql)
    #expect(result.columns == ["id", "name", "d", "f", "nothing", "l", "t", "id"])
    #expect(result.rows.first?.prefix(5) == ["2", "n2", "1.50", "0.1", nil])
    #expect(result.rows.first?[5] == "[1.10]")
    #expect(
      try await query("select [1, 2] as a, {'b': 'x'} as b, '[1]'::json as c").rows == [
        ["[1,2]", "{\"b\":\"x\"}", "[1]"]
      ])
    #expect(result.rows.first?[6] == "a\n.shell b")
    #expect(
      try await query("with d2 as (select * from d) select count(*) from d2, \"p.d\", unnest([1, 2])").rows == [["18"]])
  }

  @Test(
    "gives JSON that every reader understands",
    arguments: [
      ("[1.5, 'inf'::double, '-inf'::double, 'nan'::double, null]", "[1.5,\"inf\",\"-inf\",\"nan\",null]"),
      (
        "{'a': 'inf'::float, 'b': ['nan'::double], 'Infinity': 'NaN, Infinity'}",
        "{\"a\":\"inf\",\"b\":[\"nan\"],\"Infinity\":\"NaN, Infinity\"}"
      ),
      ("map {'nan': 'nan'::double}", "{\"nan\":\"nan\"}"),
      (
        "'[nan, INF, -Infinity, 1e5, \"x\\\\\", \"\\\"NaN,]\",]'::json",
        "[\"nan\", \"inf\", \"-inf\", 1e5, \"x\\\\\", \"\\\"NaN,]\"]"
      ),
      (
        "'{\"n\": 0.1000000000000000055511151231257827, \"b\": -NaN , }'::json",
        "{\"n\": 0.1000000000000000055511151231257827, \"b\": \"nan\"  }"
      ),
      ("'NaN'::json", "\"nan\""), ("[true, false]", "[true,false]"),
    ])
  func strictJSON(value: String, text: String) async throws {
    let found = try #require(try await query("select \(value) as v").rows.first?[0])
    #expect(found == text)
    _ = try JSONDecoder().decode(Anything.self, from: Data(found.utf8))
  }

  /// Any JSON.
  struct Anything: Decodable {
    init(from decoder: any Decoder) throws {
      if let list = try? decoder.unkeyedContainer() {
        var list = list
        while !list.isAtEnd { _ = try list.decode(Anything.self) }
      }
    }
  }

  @Test(
    "refuses what is not one SELECT over the tables",
    arguments: [
      ("select 1; select 2", "2 statements"), ("select 1\n.shell touch HERE/PWNED", "syntax error"),
      ("copy d to 'HERE/curated/PWNED'", "only one SELECT"), ("create table x as select 1", "only one SELECT"),
      ("attach 'HERE/curated/PWNED'", "only one SELECT"), ("set memory_limit = '90GB'", "only one SELECT"),
      ("select * from read_text('HERE/secrets/warehouse')", "read_text()"),
      ("select * from read_parquet('HERE/curated/d.parquet')", "read_parquet()"),
      ("select * from 'HERE/curated/d.parquet'", "there is no dataset"), ("select * from glob('HERE/*')", "glob()"),
      ("select * from query('select 1')", "query()"), ("select * from duckdb_settings()", "duckdb_settings()"),
      ("select * from duckdb_tables", "there is no dataset"), ("from (show tables)", "SHOW_REF"),
      ("summarize d", "SHOW_REF"),
      ("select * from information_schema.tables", "there is no dataset"),
      ("select * from nosuch", "there are: big, d, p.d"),
      ("with d as (select 1) select * from d, (select * from secrets)", "there is no dataset \"secrets\""),
      ("select \"1; copy (select 42) to 'HERE/curated/PWNED'; select 1 --\".* from d", "needs a name"),
      ("select $\"1; copy (select 42) to 'HERE/curated/PWNED'; select 1 --\" from d", "a parameter"),
      ("select 'a\0b'", "NUL"), ("", "0 statements"),
    ])
  func refused(sql: String, says: String) async throws {
    let error = await #expect(throws: SelectProblem.self) { try await query(sql) }
    #expect(error?.message.contains(says) == true, "\(String(describing: error))")
  }

  @Test("sees nothing of the environment", arguments: ["select getenv('HOME')", "select getenv('SLUICE_SECRET_X')"])
  func environment(sql: String) async throws {
    setenv("SLUICE_SECRET_X", "hunter2", 1)
    await #expect(throws: SelectProblem.self) { try await query(sql) }
  }

  @Test("streams: a result larger than its memory comes whole")
  func streams() async throws {
    let result = try await query("select i, s from big", memory: 256_000_000)
    #expect(result.count == 40_000 && result.rows.last?[0] == "39999")
  }

  @Test("ends a result that is too large", arguments: [(10, 1_000_000_000), (1_000_000_000, 10_000)])
  func tooLarge(rows: Int, bytes: Int) async throws {
    let error = await #expect(throws: DuckDBError.self) {
      try await query("select i, s from big", limits: .init(rows: rows, bytes: bytes))
    }
    #expect(error?.kind == .resultTooLarge)
  }
}
