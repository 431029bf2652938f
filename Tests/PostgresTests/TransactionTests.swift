import Postgres
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

@Suite("Transactions")
struct TransactionTests {
  struct OnPurpose: Error {}

  @Test("It is committed when the body returns, and rolled back when it throws")
  func ends() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      try await database.pool.execute("create table t (a int)")
      let value = try await database.pool.transaction { transaction in
        try await transaction.query("insert into t values (1)")
        return 7
      }
      #expect(value == 7)
      await #expect(throws: OnPurpose.self) {
        try await database.pool.transaction { transaction in
          try await transaction.query("insert into t values (2)")
          throw OnPurpose()
        }
      }
      #expect(try await database.pool.query("select a from t").map { try $0.int("a") } == [1])
    }
  }

  @Test("A COMMIT that a hung server does not answer ends at its deadline, and says that its fate is not known")
  func hungCommit() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      try await database.pool.execute("create table t (a int)")
      let settings = try PostgresSettings(database.url, commitTimeout: .milliseconds(200))
      let connection = try await PostgresConnection.connect(settings)
      let backend = connection.backendPID
      defer { kill(backend, SIGCONT) }
      let began = ContinuousClock.now
      let error = try await failure {
        try await connection.transaction { transaction in
          try await transaction.query("insert into t values (1)")
          kill(backend, SIGSTOP)
        }
      }
      #expect(error.kind == .commitUnknown)
      #expect(began.duration(to: .now) < .seconds(10))
      #expect(await !connection.isIdle)
      await connection.close()
      kill(backend, SIGCONT)
    }
  }

  @Test("A transaction that says so has longer for a COMMIT in which deferred constraints are checked")
  func slowCommit() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      try await database.pool.execute(
        """
        create table t (a int);
        create function slow() returns trigger language plpgsql as 'begin perform pg_sleep(0.6); return null; end';
        create constraint trigger slow after insert on t deferrable initially deferred for each row execute function slow();
        """)
      let settings = try PostgresSettings(database.url, commitTimeout: .milliseconds(200))
      let connection = try await PostgresConnection.connect(settings)
      try await connection.transaction(commitWithin: .seconds(60)) { transaction in
        try await transaction.execute("insert into t values (1)")
      }
      #expect(try await connection.query("select from t").count == 1)
      let error = try await failure {
        try await connection.transaction { transaction in
          try await transaction.execute("insert into t values (2)")
        }
      }
      #expect([.commitUnknown, .timeout].contains(error.kind), "without it, the limit of the settings ends it")
      await connection.close()
    }
  }

  @Test("A body that hides a statement's failure does not get away with it")
  func hidden() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      try await database.pool.execute("create table t (a int)")
      let error = try await failure {
        try await database.pool.transaction { transaction in
          try await transaction.query("insert into t values (1)")
          _ = try await failure { try await transaction.query("select 1 / 0") }
        }
      }
      #expect(error.operation == "commit")
      #expect(try await database.pool.query("select a from t").isEmpty)
    }
  }

  @Test("Others wait until it has ended, and its own connection inside it is refused instead of waiting for itself")
  func exclusive() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      let connection = try await PostgresConnection.connect(database.settings)
      try await connection.execute("create temp table t (a int)")
      let error = try await failure {
        try await connection.transaction { _ in try await connection.query("select 1") }
      }
      #expect(error.kind == .usage)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<20 {
          group.addTask {
            try await connection.transaction { transaction in
              try await transaction.query("insert into t values ($1)", [.int(Int64(number))])
              let seen = try await transaction.query("select a from t where a = $1", [.int(Int64(number))])
              #expect(seen.count == 1)
              if number % 2 == 1 { try await transaction.execute("delete from t where a = \(number)") }
            }
          }
        }
        try await group.waitForAll()
      }
      #expect(try await connection.query("select a from t").count == 10)
      await connection.close()
    }
  }

  @Test("After its end it can no longer be used")
  func escaped() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      let escaped = try await database.pool.transaction { $0 }
      let error = try await failure { try await escaped.query("select 1") }
      #expect(error.kind == .usage)
    }
  }

  @Test("A cancelled task's transaction is rolled back, and the connection is idle again")
  func cancelled() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      try await database.pool.execute("create table t (a int)")
      let connection = try await PostgresConnection.connect(database.settings)
      let task = Task {
        try await connection.transaction { transaction in
          try await transaction.query("insert into t values (1)")
          try await transaction.query("select pg_sleep(60)")
        }
      }
      try await database.waitUntilActive(connection.backendPID)
      task.cancel()
      await #expect(throws: CancellationError.self) { try await task.value }
      #expect(await connection.isIdle)
      #expect(try await database.pool.query("select a from t").isEmpty)
      await connection.close()
    }
  }
}
