import DuckDB
import TestSupport
import Testing

@testable import Curation

@Suite("Which version of a row is kept")
struct AccountingTests {
  @Test("older versions that are found in parts of the keys are those that are found at once", arguments: [2, 3, 11])
  func parts(parts: Int) async throws {
    try await Workbench.with { bench in
      let keyed = [
        Accounting(key: ["id", "name"], cursorIsCarried: false),
        Accounting(key: ["id", "name"], cursorIsCarried: true),
        Accounting(key: ["id", "line"], cursorIsCarried: true, replaces: ["id"]),
      ]
      for accounting in keyed {
        let once = try await losers(accounting, parts: 1, bench)
        #expect(once.count > 100 && once.count < 5_000)
        #expect(try await losers(accounting, parts: parts, bench) == once)
      }
      let unkeyed = Accounting(key: [], cursorIsCarried: false)
      #expect(try await losers(unkeyed, parts: parts, bench).isEmpty)
    }
  }

  /// Keys that are null in part, texts that differ in case, cursors that tie or are missing, bad rows among them.
  private func losers(_ accounting: Accounting, parts: Int, _ bench: Workbench) async throws -> [Int?] {
    try await bench.duckdb.withSession(in: DuckDBPlace(directory: bench.directory), limits: bench.limits) { session in
      try await session.run("create schema raw")
      try await session.run("create schema work")
      try await session.run("create table raw.objects as select i::INTEGER as id, 9 - i as ordinal from range(9) r(i)")
      try await session.run(
        """
        create table \(ContractPlan.table) as
        select nullif(i * 7 % 301, 5)::BIGINT as id, nullif(['a', 'A', '', 'é', 'x'][i % 5 + 1], 'x') as name,
          nullif(i % 4, 3)::BIGINT as line, (i % 9)::INTEGER as _object, i::BIGINT as _position,
          nullif(i * 31 % 17, 3)::BIGINT as _cursor, i::HUGEINT as _row,
          case when i % 50 = 0 then ['id:type'] end as _reasons
        from range(5000) r(i)
        """)
      for statement in accounting.findLosers(parts: parts) { try await session.run(statement) }
      return try await session.rows("select distinct _row::BIGINT as n from \(Accounting.losers) order by n")
        .map { $0["n"]?.int }
    }
  }
}
