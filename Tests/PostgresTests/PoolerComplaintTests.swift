import Testing

@testable import Postgres

@Suite("What PgBouncer says for the server")
struct PoolerComplaintTests {
  @Test(
    "counts as what the server had said, as an outage, or as itself",
    arguments: [
      ("08P01", "server conn crashed?", nil, nil),
      ("08P01", "server conn crashed?", "57P02", "57P02"),
      ("08P01", "server login has been failing, try again later (server_login_retry)", nil, "57P03"),
      ("08P01", "pgbouncer cannot connect to server", nil, "57P03"),
      ("08P01", "query_wait_timeout", nil, "57P03"),
      // That would come again without end.
      ("08P01", "idle transaction timeout", nil, "08P01"),
      ("57P01", "terminating connection due to administrator command", nil, "57P01"),
    ] as [(String, String, String?, String?)])
  func code(code: String, message: String, farewell: String?, expected: String?) {
    #expect(PoolerComplaint.serversCode(of: code, message, farewell: farewell) == expected)
  }

  @Test("before the first statement is known among libpq's own words")
  func early() {
    let told =
      "FATAL:  server login has been failing, try again later (server_login_retry) server closed the connection"
    #expect(PoolerComplaint.codeOfOutage(told) == "57P03")
    #expect(PoolerComplaint.codeOfOutage("FATAL:  server conn crashed? server closed the connection") == nil)
  }
}
