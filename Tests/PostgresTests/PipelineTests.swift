import Postgres
import TestSupport
import Testing

@Suite("Pipelines")
struct PipelineTests {
  private static let missing = SQLStatement(name: "second_step", text: "select 1 / $1::int")

  @Test("Several statements come back in order")
  func order() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      let steps = (0..<500).map { (SQLStatement("select $1::int as n"), [PostgresValue.int(Int64($0))]) }
      let results = try await database.pool.pipeline(steps)
      #expect(try results.map { try $0[0].int("n") } == (0..<500).map { Int64($0) })
      #expect(try await database.pool.pipeline([]).isEmpty)
    }
  }

  @Test("When one fails the error names it, nothing of the pipeline stays, and the session goes on")
  func failing() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      try await database.pool.execute("create table t (a int)")
      try await database.pool.withConnection { connection in
        for wrapped in [false, true] {
          let inner: [(SQLStatement, [PostgresValue])] = [
            ("insert into t values (1)", []), (Self.missing, [0]), ("insert into t values (2)", []),
          ]
          let steps = wrapped ? [("begin", [])] + inner + [("commit", [])] : inner
          let error = try await failure { try await connection.pipeline(steps) }
          #expect(error.operation == "second_step")
          #expect(error.sqlState == "22012")
          #expect(try await connection.query("select a from t").isEmpty)
          #expect(await connection.isIdle)
        }
      }
    }
  }

  @Test("In a transaction a failed pipeline ends it, and what came before goes with it")
  func inTransaction() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      try await database.pool.execute("create table t (a int)")
      let error = try await failure {
        try await database.pool.transaction { transaction in
          try await transaction.query("insert into t values (1)")
          return try await transaction.pipeline([("select 1", []), (Self.missing, [0])])
        }
      }
      #expect(error.operation == "second_step")
      #expect(try await database.pool.query("select a from t").isEmpty)
    }
  }

  @Test("More than the socket holds goes both ways at once")
  func large() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      let text = String(repeating: "x", count: 100_000)
      let results = try await database.pool.pipeline((0..<200).map { _ in ("select $1::text as t", [.text(text)]) })
      #expect(results.count == 200)
      #expect(try results.allSatisfy { try $0[0].string("t").utf8.count == 100_000 })
    }
  }

  @Test("A COPY does not belong into one, and is told")
  func copy() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      let error = try await failure {
        try await database.pool.pipeline([("select 1", []), ("copy (select 1) to stdout", [])])
      }
      #expect(error.kind == .usage)
      #expect(try await database.pool.answers())
    }
  }
}
