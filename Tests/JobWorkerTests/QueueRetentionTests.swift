import JobModel
import JobStore
import Postgres
import TestSupport
import Testing

@testable import JobWorker

@Suite("Retention")
struct QueueRetentionTests {
  private func count(_ table: String, _ queue: WorkerFixture) async throws -> Int64 {
    try await queue.database.pool.query(SQLStatement(text: "select count(*) as rows from sluice.\(table)")).only.int(
      "rows")
  }

  @Test("a day of history goes when its time is over, with its jobs; what stands somewhere stays")
  func expires() async throws {
    try await WorkerFixture.with { queue in
      let store = queue.store
      let session = try await PostgresConnection.connect(queue.database.settings)
      let birth = JobStore.WorkerBirth(release: 0, host: "h", pid: 1, engine: "test", slots: 1)
      let worker = try await store.registerWorker(birth, lease: .seconds(3600), on: session)
      try await store.enqueue((0..<300).map { _ in NewJob(kind: "test") })
      var claims: [Claim] = []
      while claims.count < 300 { claims += try await store.claim(worker: worker, limit: 200) }
      let done = claims.prefix(298).map { FinishedJob($0.holder) }
      #expect(try await store.finish(Array(done), in: session).isEmpty)
      try await store.endAttempt(claims[298].holder, as: .retried(after: .seconds(3600), failure: "{}"))
      try await store.endAttempt(claims[299].holder, as: .dead(failure: "{}"))

      let retention = QueueRetention(store: store, keep: .seconds(7 * 86_400), logger: queue.logger)
      try await retention.run(on: session)
      #expect(try await count("job", queue) == 300)

      let today = try await session.query(
        "select 'outcome_' || to_char(now() at time zone 'UTC', 'YYYYMMDD') as name", []
      ).only.string("name")
      let later = try await session.query("select (now() + interval '9 days')::text as at").only.string("at")
      try await retention.run(on: session, now: later)
      #expect(try await count("outcome", queue) == 0)
      let left = try await store.jobs()
      #expect(left.map(\.state) == [.later], "the dead one's time is over too")
      let isThere = "select to_regclass('sluice.\(today)') is not null as there"
      #expect(try await session.query(SQLStatement(text: isThere)).only.bool("there") == false)
      await session.close()
    }
  }

  @Test("who holds an old snapshot is named")
  func oldSnapshots() async throws {
    try await WorkerFixture.with { queue in
      let holder = try await PostgresConnection.connect(
        PostgresSettings(queue.database.url, applicationName: "nightly report"))
      try await holder.execute("begin isolation level repeatable read; select 1")
      let named = try await queue.store.oldSnapshots(olderThan: .zero)
      let mine = try #require(named.first { $0.name == "\(holder.backendPID)" })
      #expect(mine.application == "nightly report")
      #expect(mine.holder == "session")
      #expect(try await queue.store.oldSnapshots(olderThan: .seconds(600)).isEmpty)
      await holder.close()
    }
  }
}
