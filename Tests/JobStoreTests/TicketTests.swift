import JobModel
import JobStore
import Postgres
import TestSupport
import Testing

@Suite("Tickets")
struct TicketTests {
  @Test("the holder of a lease raises them for every later claim; they never fall, and a zombie moves nothing")
  func raise() async throws {
    try await QueueFixture.with { queue in
      try await queue.enqueue(jobs: 3)
      let worker = try await queue.worker()
      let first = try #require(try await queue.claimOne(worker))
      #expect(try await queue.store.held([first.holder]) == [first.holder])
      try await queue.store.raiseTickets(above: 1000, for: first.holder)
      let second = try #require(try await queue.claimOne(worker))
      #expect(second.ticket == 1001)
      try await queue.store.raiseTickets(above: 10, for: second.holder)
      try await queue.store.endAttempt(first.holder, as: .yielded)
      try await queue.store.raiseTickets(above: 9000, for: first.holder)
      #expect(try await queue.store.held([first.holder, second.holder]) == [second.holder])
      let third = try #require(try await queue.claimOne(worker))
      #expect(third.ticket == 1002)
    }
  }
}
