import DuckDB
import Testing

@Suite("A SELECT that was taken apart and written again")
struct SelectStatementTests {
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
