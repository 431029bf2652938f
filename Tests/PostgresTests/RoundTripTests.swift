import Postgres
import TestSupport
import Testing

@Suite struct RoundTripTests {
  @Test("one") func one() async throws {
    try await TestDatabase.withDatabase { database in
      let r = try await database.pool.query("select count(*) as n from sluice.migration", [])
      #expect(try #require(r.first).int("n") >= 2)
    }
  }
}
