import Postgres
import TestSupport
import Testing

@Suite("LISTEN")
struct NotificationTests {
  @Test("What is said on its channels is heard, in order, from the moment that it listens")
  func heard() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      let listener = try await PostgresNotifications.listen(on: ["jobs", "Öther \"x\""], database.settings)
      for number in 0..<100 { try await database.pool.query("select pg_notify('jobs', $1)", [.text("\(number)")]) }
      try await database.pool.query("select pg_notify('not this', 'x')")
      try await database.pool.query("select pg_notify($1, 'last')", ["Öther \"x\""])
      var heard: [String] = []
      for try await notification in listener {
        heard.append(notification.payload)
        if notification.payload == "last" {
          #expect(notification.channel == "Öther \"x\"")
          break
        }
      }
      #expect(heard == (0..<100).map { "\($0)" } + ["last"])
      await listener.close()
    }
  }

  @Test("A cancelled listener ends, and so does one that is closed")
  func ends() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      for isCancelled in [true, false] {
        let listener = try await PostgresNotifications.listen(on: ["jobs"], database.settings)
        let task = Task {
          var count = 0
          for try await _ in listener { count += 1 }
          return count
        }
        try await database.pool.query("select pg_notify('jobs', '')")
        if isCancelled { task.cancel() } else { await listener.close() }
        #expect(try await task.value <= 1)
        await listener.close()
      }
    }
  }

  @Test("A lost session is an error, not silence")
  func lost() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      let listener = try await PostgresNotifications.listen(on: ["jobs"], database.settings)
      async let outcome = failure { for try await _ in listener {} }
      try await database.pool.query("select pg_terminate_backend($1::int)", [.int(Int64(listener.backendPID))])
      let error = try await outcome
      #expect(error.kind == .connectionLost)
      #expect(error.operation == "listen")
      await listener.close()
    }
  }
}
