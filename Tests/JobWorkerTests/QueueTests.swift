import JobModel
import JobStore
import Logging
import Postgres
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

@testable import JobWorker

/// The queue as a service opens it.
@Suite("Embedded queue")
struct QueueTests {
  private struct Letter: Codable, Equatable {
    var to: String
    var copies = 1
  }

  private static func with<T: Sendable>(_ body: @Sendable (Queue, TestDatabase.Handle) async throws -> T) async throws {
    try await TestDatabase.withEmptyDatabase { database in
      let queue = try await Queue.open(database.url, logger: silent)
      do { _ = try await body(queue, database) } catch {
        await queue.close()
        throw error
      }
      await queue.close()
    }
  }

  private static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  @Test("any number of processes open an empty database at once, and each can use it")
  func open() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<4 {
          group.addTask {
            let queue = try await Queue.open(database.url, logger: Self.silent)
            try await queue.enqueue(NewJob(kind: "k", uniqueKey: "\(number % 2)"))
            await queue.close()
          }
        }
        try await group.waitForAll()
      }
      #expect(try await JobStore(database: database.pool).jobs().count == 2)
    }
  }

  @Test("what cannot be opened says why, and leaves no connection")
  func refused() async throws {
    try await TestDatabase.withEmptyDatabase { database in
      // Nobody has made the tables.
      await #expect(throws: PostgresError.self) {
        try await Queue.open(database.url, migrating: false, logger: Self.silent)
      }
      try await Queue.open(database.url, logger: Self.silent).close()
      try await Queue.open(database.url, migrating: false, logger: Self.silent).close()
      try await database.pool.execute("insert into sluice.migration values (9999, 'later', true, now())")
      await #expect {
        try await Queue.open(database.url, logger: Self.silent)
      } throws: {
        ($0 as? any Failure)?.code == "schema_too_new"
      }
    }
  }

  @Test("rows and jobs of a transaction are committed together, or neither; workers are told after the commit")
  func transaction() async throws {
    struct Stop: Error {}
    try await Self.with { queue, database in
      try await queue.database.execute("create table sent (name text)")
      await #expect(throws: Stop.self) {
        try await queue.database.transaction { transaction in
          try await transaction.query("insert into sent values ('ada')")
          try await queue.enqueue(NewJob(kind: "mail"), in: transaction)
          throw Stop()
        }
      }
      #expect(try await queue.store.jobs().isEmpty)
      #expect(queue.store.bell?.pending.isEmpty == true)

      let jobs = try await queue.database.transaction { transaction in
        try await transaction.query("insert into sent values ($1)", ["ada"])
        let jobs = try await queue.enqueue([NewJob(kind: "mail"), NewJob(kind: "print")], in: transaction)
        #expect(queue.store.bell?.pending.isEmpty == true)
        #expect(try await queue.store.jobs().isEmpty)
        return jobs
      }
      #expect(try await queue.store.jobs().map(\.id) == jobs.map(\.id).reversed())
      #expect(queue.store.bell?.pending.count == 2)
      #expect(try await queue.database.query("select from sent").count == 1)
    }
  }

  @Test("a service does jobs of its own kind with its own types, enqueues what follows, and drains")
  func services() async throws {
    try await Self.with { queue, database in
      let format = CheckpointFormat("mail", 2)
      let seen = Mutex<[Letter]>([])
      let handler = ClosureHandler { attempt in
        let letter = try attempt.payload(as: Letter.self)
        guard try attempt.checkpoint(format, as: Letter.self) == nil else {
          seen.withLock { $0.append(letter) }
          // What follows is enqueued in the transaction that ends the job.
          return try await attempt.complete { transaction in
            try await queue.enqueue(NewJob(kind: "print"), in: transaction)
          }
        }
        try await attempt.checkpoint(format, letter)
        #expect(attempt.kind == "mail" && attempt.attempt == 1)
        throw JobSnooze(.zero)
      }
      let job = try await queue.enqueue(
        NewJob(kind: "mail", payload: Letter(to: "Ada \"A.\"", copies: 2), uniqueKey: "ada"))
      let wrong = try await queue.enqueue(NewJob(kind: "mail", payload: "[]"))
      let done = AsyncStream<Void>.makeStream()
      let group = ServiceGroup(
        services: queue.services(
          handling: [
            "mail": handler,
            "print": ClosureHandler { attempt in
              try await attempt.complete()
              done.continuation.finish()
            },
          ]), logger: Self.silent)
      try await withThrowingTaskGroup(of: Void.self) { tasks in
        tasks.addTask { try await group.run() }
        for await _ in done.stream {}
        await group.triggerGracefulShutdown()
        try await tasks.waitForAll()
      }
      #expect(seen.withLock { $0 } == [Letter(to: "Ada \"A.\"", copies: 2)])
      #expect(try await queue.store.attempts(of: [job.id]).map(\.status) == ["snoozed", "done"])
      let dead = try await queue.store.attempts(of: [wrong.id])
      #expect(dead.map(\.status) == ["dead"])
      #expect(dead.first?.detail?.contains("payload_unreadable") == true)
      #expect(try await queue.store.workers().isEmpty)
    }
  }

  @Test("a payload that is no JSON is refused when it is enqueued")
  func badPayload() async throws {
    try await Self.with { queue, _ in
      let error = await #expect(throws: PostgresError.self) {
        try await queue.enqueue(NewJob(kind: "mail", payload: "{"))
      }
      #expect(error?.kind == .statement)
      let jobs = try await queue.store.jobs()
      #expect(jobs.isEmpty)
    }
  }
}
