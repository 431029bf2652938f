import Postgres
import TestSupport
import Testing

@Suite("The end of a pipeline, where it is committed")
struct PipelineCommitTests {
  @Test("A constraint that is only checked there fails it with its own error, and the session goes on")
  func deferredConstraint() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      try await database.pool.withConnection { connection in
        try await connection.execute("create table t (n bigint primary key deferrable initially deferred)")
        await #expect {
          try await connection.pipeline([("insert into t values (1)", []), ("insert into t values (1)", [])])
        } throws: { error in
          let failure = error as? PostgresError
          return failure?.kind == .statement && failure?.sqlState == "23505"
        }
        let rows = try await connection.query("select * from t", [])
        #expect(rows.isEmpty)
        #expect(await connection.isIdle)
      }
    }
  }
}
