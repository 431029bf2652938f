import Catalog
import JobStore
import Postgres
import TestSupport
import Testing

@Suite("Statements")
struct StatementTests {
  @Test("every statement prepares against the migrated schema")
  func prepares() async throws {
    try await TestDatabase.withDatabase { database in
      let connection = try await PostgresConnection.connect(database.settings)
      for statement in jobStoreStatements + catalogStatements {
        try await connection.execute("prepare checked as \(statement.text)")
        try await connection.execute("deallocate checked")
      }
      await connection.close()
    }
    #expect(jobStoreStatements.count > 30)
  }

  @Test("a claim can be planned by keys alone: where reading whole tables is dear, none of the large ones is")
  func claimPlan() async throws {
    try await TestDatabase.withDatabase { database in
      let plan = try await QueueFixture.with(database) { queue -> String in
        try await queue.enqueue(jobs: 500)
        return try await queue.plan(of: "job_claim")
      }
      for table in ["job", "lease", "outcome", "mark"] {
        #expect(!plan.contains("Seq Scan on \(table) "), "\(plan)")
      }
    }
  }
}
