import DuckDB
import Testing

@Suite("A SELECT that was taken apart and written again")
struct SelectStatementTests {
  @Test("says whether it may use the rows of a table as a whole")
  func wholeRows() async throws {
    try await withScratch { duckdb, place in
      try await duckdb.withSession(in: place, limits: DuckDBLimits(threads: 1)) { session in
        let named = [
          "select id, name as orders from orders", "select o.id, count(*) from orders o group by o.id",
          "select * exclude (b) from orders", "with x as (select id from orders) select * from x where id > 1",
          "select distinct id from orders", "select id from orders union select id from more",
        ]
        let whole = [
          "select to_json(orders) as j from orders", "select o as j from orders o",
          "select hash(columns(*)) from orders",
          "select columns('_r.*') from orders", "with x as (select * from orders) select x::text as t from x",
          "select y::text as t from (select * from orders) y", "select distinct * from orders",
          "select * from orders union select * from orders", "select #1 from orders",
          "select id from orders natural join more", "select a from orders as o(a)",
        ]
        for (isWhole, texts) in [(false, named), (true, whole)] {
          for text in texts {
            let statement = try await SelectStatement.parse(text, session)
            #expect(statement.mayReadWholeRows(of: [SQLName("orders")]) == isWhole, "\(text)")
          }
        }
      }
    }
  }

  @Test(
    "has the same numbers",
    arguments: [
      "1e5", "1e0", "-2e3", "1.5e0", "1e300", "5e-324", "18446744073709551615e0", "9007199254740993e0", "3", "1.50",
      "18446744073709551615", "123456789012345678901234567890", "[1e5, 2.5e0]", "1e5::float",
    ])
  func numbers(number: String) async throws {
    try await withScratch { duckdb, place in
      try await duckdb.withSession(in: place, limits: DuckDBLimits(threads: 1)) { session in
        let select = "select \(number) as n, typeof(\(number)) as t, (\(number))::VARCHAR as s"
        let text = try await SelectStatement.parse(select, session).text(session) { _ in }
        #expect(try await session.rows(text) == session.rows(select), "\(text)")
      }
    }
  }
}
