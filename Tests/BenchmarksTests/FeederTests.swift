import JobStore
import Postgres
import TestSupport
import Testing

@testable import Benchmarks

@Suite("Jobs under a benchmark")
struct FeederTests {
  @Test("what a feeder sends is done by the workers, each once, and its waits are known")
  func fed() async throws {
    try await TestDatabase.withDatabase { database in
      let queue = QueueUnderTest(
        BenchDatabase(url: database.url, settings: database.settings, pool: database.pool))
      let times = StartTimes()
      let handler = BenchHandler(onStart: times.began)
      let sent = try await queue.withWorkers(2, slots: 8, handler: handler) {
        let feeder = Feeder(queue: queue, pace: .rate(200), payload: times.payload)
        let sent = try await feeder.run(until: .now + .milliseconds(200)) { 0 }
        #expect(try await handler.waitUntil(sent, before: .now + .seconds(30)))
        return sent
      }
      #expect(sent > 0)
      #expect(times.count == sent)
      #expect(times.all.allSatisfy { $0 >= 0 && $0 < 30_000 })
      let outcomes = try await database.pool.query(Statement.queueOutcomes).only
      #expect(try outcomes.int("attempts") == Int64(sent))
      #expect(try outcomes.int("jobs") == Int64(sent))
    }
  }
}
