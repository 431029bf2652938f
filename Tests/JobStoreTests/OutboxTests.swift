import JobModel
import JobStore
import Postgres
import TestSupport
import Testing

@Suite("Outbox")
struct OutboxTests {
  @Test("a message is spread to its rules once, taken by one notifier, and comes back until it is settled")
  func delivery() async throws {
    try await QueueFixture.with { queue in
      let run = try await queue.enqueue(jobs: 1).runID
      try await queue.store.tell("failed", pipeline: "p", run: run, body: "{}", in: queue.session)
      let message = try #require(try await queue.store.takeOutbox(limit: 5, patience: .seconds(60)).first)
      #expect(message.channel == nil)
      #expect(message.releaseID == queue.release)
      #expect(try await queue.store.takeOutbox(limit: 5, patience: .seconds(60)).isEmpty)
      try await queue.store.spreadOutbox(message.id, to: [0, 2])
      try await queue.store.spreadOutbox(message.id, to: [0, 2])
      let parts = try await queue.store.takeOutbox(limit: 5, patience: .zero)
      #expect(parts.compactMap(\.channel).sorted() == [0, 2])
      for part in parts.prefix(1) { try await queue.store.settleOutbox(part.id, as: .delivered) }
      let again = try await queue.store.takeOutbox(limit: 5, patience: .seconds(60))
      #expect(again.map(\.id) == parts.dropFirst().map(\.id))
      #expect(again.map(\.attempt) == [2])
      try await queue.store.settleOutbox(again[0].id, as: .givenUp(error: "why"))
      #expect(try await queue.store.takeOutbox(limit: 5, patience: .seconds(60)).isEmpty)
      #expect(try await queue.store.outbox(ofRun: run).map(\.error).contains("why"))
    }
  }
}
