import JobStore
import Postgres
import TestSupport
import Testing

@testable import Benchmarks

@Suite("Statements of the benchmarks")
struct StatementTests {
  @Test("every statement prepares against the migrated schema", arguments: Statement.all)
  func prepares(statement: SQLStatement) async throws {
    try await TestDatabase.withDatabase { database in
      try await database.pool.execute("prepare checked as \(statement.text)")
    }
  }

  @Test("those of the peer and of the crash sink prepare against their own schemas")
  func preparesPeers() async throws {
    try await TestDatabase.withDatabase { database in
      try await database.pool.execute(Statement.peerSchema.text)
      try await database.pool.execute(Statement.crashSchema.text)
      for (number, statement) in Statement.peerAndCrash.enumerated() {
        try await database.pool.execute("prepare checked_\(number) as \(statement.text)")
      }
    }
  }

  @Test("jobs that are put in at once can be claimed like enqueued ones")
  func filled() async throws {
    try await TestDatabase.withDatabase { database in
      let queue = QueueUnderTest(
        BenchDatabase(url: database.url, settings: database.settings, pool: database.pool))
      try await queue.enqueue(["{}"])
      let lane: [PostgresValue] = [.text("bench"), .text(QueueUnderTest.kind)]
      try await database.pool.query(Statement.queueFillReady, lane + [.int(30)])
      try await database.pool.query(Statement.queueFillDone, lane + [.int(5)])
      let claimed = try await queue.withClaimer { claimer in
        #expect(try await claimer.survey() == 1)
        return try await claimer.claim(.fifty)
      }
      #expect(claimed == 31)
      let outcomes = try #require(try await database.pool.query(Statement.queueOutcomes).first)
      #expect(try outcomes.int("attempts") == 5)
      #expect(try outcomes.int("jobs") == 5)
    }
  }
}
