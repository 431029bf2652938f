import Glibc
import TestSupport
import Testing

@testable import Postgres

@Suite("The pool")
struct PoolTests {
  @Test("No more connections than its maximum, however many ask")
  func bound() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      let pool = PostgresPool(database.settings, maximum: 3)
      let most = Recorded((now: 0, ever: 0))
      let pids = try await withThrowingTaskGroup(of: Int32.self) { group in
        for _ in 0..<60 {
          group.addTask {
            try await pool.withConnection { connection in
              most.update {
                $0.now += 1
                $0.ever = max($0.ever, $0.now)
              }
              defer { most.update { $0.now -= 1 } }
              try await connection.query("select pg_sleep(0.005)")
              return connection.backendPID
            }
          }
        }
        return try await group.reduce(into: Set()) { $0.insert($1) }
      }
      #expect(most.value.ever == 3)
      #expect(pids.count == 3, "connections are used again")
      await pool.close()
    }
  }

  @Test("Who asks first is served first")
  func fairness() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      let pool = PostgresPool(database.settings, maximum: 1)
      let order = Recorded<[Int]>([])
      try await withThrowingTaskGroup(of: Void.self) { group in
        try await pool.withConnection { _ in
          for number in 0..<10 {
            group.addTask { try await pool.withConnection { _ in order.update { $0.append(number) } } }
            try await eventually("\(number + 1) wait") { pool.waiting == number + 1 }
          }
        }
        try await group.waitForAll()
      }
      #expect(order.value == Array(0..<10))
      await pool.close()
    }
  }

  @Test("A connection that died while it lay idle is not lent")
  func deadIdle() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      let pool = PostgresPool(database.settings, maximum: 2)
      let dead = try await pool.withConnection { $0.backendPID }
      try await database.pool.query("select pg_terminate_backend($1::int)", [.int(Int64(dead))])
      // The server's own list forgets a session before its socket is closed.
      try await eventually("the session's process is gone") { kill(dead, 0) != 0 }
      #expect(try await pool.withConnection { $0.backendPID } != dead)
      await pool.close()
    }
  }

  @Test("A connection that lay idle for long is asked, and closed when it is no longer needed")
  func ageing() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      let clock = Recorded(ContinuousClock.now)
      let pool = PostgresPool(database.settings, maximum: 2, now: { clock.value })
      let first = try await pool.withConnection { older in
        try await pool.withConnection { _ in older.backendPID }
      }
      clock.update { $0 += PostgresPool.idleBeforeTest + .seconds(1) }
      #expect(try await pool.withConnection { $0.backendPID } == first, "the last one given back, and it answers")
      clock.update { $0 += PostgresPool.idleBeforeClose }
      #expect(try await pool.withConnection { $0.backendPID } == first)
      try await eventually("the other one is closed") {
        try await database.pool.query(
          "select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        ).count == 1
      }
      await pool.close()
    }
  }

  @Test("A transaction left open is rolled back before the connection is lent again")
  func leftOpen() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      let pool = PostgresPool(database.settings, maximum: 1)
      try await pool.execute("create table t (a int)")
      try await pool.withConnection { try await $0.execute("begin; insert into t values (1)") }
      #expect(try await pool.query("select from t").isEmpty)
      await pool.close()
    }
  }

  @Test("Closing waits for what is lent, turns away who waits, and lets nobody in")
  func closing() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      let pool = PostgresPool(database.settings, maximum: 1)
      let isDone = Recorded(false)
      try await withThrowingTaskGroup(of: Void.self) { group in
        try await pool.withConnection { connection in
          group.addTask {
            let error = try await failure { try await pool.query("select 1") }
            #expect(error.kind == .usage)
          }
          try await eventually("one waits") { pool.waiting == 1 }
          group.addTask {
            await pool.close()
            #expect(isDone.value, "what was lent came back first")
          }
          try await eventually("nobody waits") { pool.waiting == 0 }
          try await connection.query("select 1")
          isDone.update { $0 = true }
        }
        try await group.waitForAll()
      }
      #expect(try await failure { try await pool.query("select 1") }.kind == .usage)
    }
  }

  @Test("A server that is not there gives no place away")
  func unreachable() async throws {
    let pool = PostgresPool(try PostgresSettings("postgresql://nobody@/x?host=/nowhere"), maximum: 1)
    for _ in 0..<3 {
      let error = try await failure { try await pool.query("select 1") }
      #expect(error.kind == .unreachable)
      #expect(error.isTransient)
    }
    await pool.close()
  }
}
