import JobModel
import Postgres
import TestSupport
import Testing

@Suite("Failures of statements")
struct FailureTests {
  @Test("A failure names its statement, holds the server's code, and shows no value")
  func refused() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      let statement = SQLStatement(name: "order_insert", text: "select $1::int")
      let error = try await failure { try await database.pool.query(statement, ["top-secret \" x"]) }
      #expect(error.kind == .statement)
      #expect(error.sqlState == "22P02")
      #expect(error.operation == "order_insert")
      #expect(error.description == "order_insert: invalid input syntax for type integer: \"…\"")
      #expect(error.debugDescription.contains("top-secret"), "whoever debugs sees it")
      #expect(!error.isTransient)
    }
  }

  @Test("The detail, which names values, is not in the message")
  func detail() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      try await database.pool.execute("create table t (a text primary key); insert into t values ('top-secret')")
      let error = try await failure { try await database.pool.query("insert into t values ($1)", ["top-secret"]) }
      #expect(error.sqlState == "23505")
      #expect(error.description.contains("t_pkey"))
      #expect(!error.description.contains("top-secret"))
    }
  }

  @Test(
    "Whether another attempt can help, and whether the database was away, is the server's code's to say",
    arguments: [
      ("40001", true, false), ("40P01", true, false), ("53100", true, true), ("53300", true, true),
      ("53400", true, false), ("55P03", true, false), ("57P03", true, true), ("08006", true, false),
      ("08P01", true, false), ("25006", true, false), ("23505", false, false),
      ("42P01", false, false), ("22P02", false, false), ("P0001", false, false),
    ])
  func transience(code: String, isTransient: Bool, isOutage: Bool) async throws {
    try await TestDatabase.withEmptyDatabase { database in
      let raise = "do $$ begin raise exception 'on purpose' using errcode = '\(code)'; end $$"
      let error = try await failure { try await database.pool.execute(raise) }
      #expect(error.sqlState == code)
      #expect(error.isTransient == isTransient)
      #expect(error.isOutage == isOutage)
    }
  }

  @Test("A backend that was ended is a lost connection with the statement's name, and the pool goes on")
  func ended() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      try await database.pool.withConnection { victim in
        let sleep = SQLStatement(name: "long_report", text: "select pg_sleep(60)")
        async let outcome = failure { try await victim.query(sleep) }
        try await database.waitUntilActive(victim.backendPID)
        try await database.pool.query("select pg_terminate_backend($1::int)", [.int(Int64(victim.backendPID))])
        let error = try await outcome
        #expect(error.kind == .connectionLost)
        #expect(error.isTransient)
        #expect(error.message.hasPrefix("long_report: "))
        let later = try await failure { try await victim.query("select 1") }
        #expect(later.kind == .connectionLost)
      }
      #expect(try await database.pool.answers())
    }
  }

  @Test("A COMMIT whose answer was lost is told as such")
  func commitUnknown() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      // The deferred trigger runs inside COMMIT and ends its own session there.
      try await database.pool.execute(
        """
        create table t (a int);
        create function ended() returns trigger language plpgsql as
          $$ begin perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(5); return null; end $$;
        create constraint trigger last after insert on t deferrable initially deferred
          for each row execute function ended();
        """)
      let error = try await failure {
        try await database.pool.transaction { try await $0.query("insert into t values (1)") }
      }
      #expect(error.kind == .commitUnknown)
      #expect(error.isTransient)
      let pipelined = try await failure {
        try await database.pool.pipeline([("begin", []), ("insert into t values (1)", []), ("commit", [])])
      }
      #expect(pipelined.kind == .commitUnknown)
      #expect(try await database.pool.query("select from t").isEmpty)
    }
  }

  @Test("A statement that takes longer than it may is ended on the server")
  func deadline() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      let sleep = SQLStatement(name: "nap", text: "select pg_sleep(60)").within(.milliseconds(200))
      let error = try await failure { try await database.pool.query(sleep) }
      #expect(error.kind == .timeout)
      #expect(error.message.hasPrefix("nap: "))
      #expect(try await database.activeStatements() == 0)
      let limited = try PostgresSettings(database.url, statementTimeout: .milliseconds(200))
      let connection = try await PostgresConnection.connect(limited)
      #expect(try await failure { try await connection.query("select pg_sleep(60)") }.kind == .timeout)
      #expect(try await connection.answers())
      await connection.close()
    }
  }
}
