import Postgres
import TestSupport
import Testing

@Suite("Cancellation")
struct CancellationTests {
  @Test("A cancelled task ends its statement on the server, and the session goes on")
  func task() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      let connection = try await PostgresConnection.connect(database.settings)
      for _ in 0..<5 {
        let task = Task { try await connection.query("select pg_sleep(60)") }
        try await database.waitUntilActive(connection.backendPID)
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(try await database.activeStatements() == 0)
        #expect(try await connection.answers())
      }
      await connection.close()
    }
  }

  @Test("A cancellation that overtakes its statement ends it all the same")
  func overtaking() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      let connection = try await PostgresConnection.connect(database.settings)
      for _ in 0..<20 {
        let task = Task { try await connection.query("select pg_sleep(60)") }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(try await connection.answers())
      }
      await connection.close()
    }
  }

  @Test("A request by hand ends the statement that runs, and only that one")
  func byHand() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      let connection = try await PostgresConnection.connect(database.settings)
      async let outcome = failure { try await connection.query("select pg_sleep(60)") }
      try await database.waitUntilActive(connection.backendPID)
      connection.cancel()
      #expect(try await outcome.kind == .cancelled)
      connection.cancel()
      #expect(try await connection.query("select pg_sleep(0.2)").count == 1)
      await connection.close()
    }
  }

  @Test("Who waits for a connection and is cancelled leaves the queue")
  func waiting() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      let pool = PostgresPool(database.settings, maximum: 1)
      try await pool.withConnection { _ in
        let task = Task { try await pool.query("select 1") }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
      }
      #expect(try await pool.answers())
      await pool.close()
    }
  }
}
