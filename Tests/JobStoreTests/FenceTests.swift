import JobModel
import JobStore
import Postgres
import TestSupport
import Testing

@Suite("Fence")
struct FenceTests {
  /// Every way in which a holder may write.
  enum Operation: String, CaseIterable, Sendable {
    case checkpoint, complete, yield, snooze, retry, die
  }

  private func perform(_ operation: Operation, _ holder: LeaseHolder, _ queue: QueueFixture) async throws -> Bool {
    let store = queue.store
    switch operation {
    case .checkpoint:
      do {
        try await store.checkpoint(
          holder, JobMark(format: CheckpointFormat("test", 1), state: "{}"), in: queue.session)
        return true
      } catch is LeaseLost { return false }
    case .complete: return try await queue.complete(holder)
    case .yield: return try await store.endAttempt(holder, as: .yielded)
    case .snooze: return try await store.endAttempt(holder, as: .snoozed(.zero))
    case .retry: return try await store.endAttempt(holder, as: .retried(after: .zero, failure: "{}"))
    case .die: return try await store.endAttempt(holder, as: .dead(failure: "{}"))
    }
  }

  @Test("a holder of the current epoch may do everything", arguments: Operation.allCases)
  func current(_ operation: Operation) async throws {
    try await QueueFixture.with { queue in
      try await queue.enqueue(jobs: 1)
      let claim = try #require(try await queue.claimOne(try await queue.worker()))
      #expect(try await perform(operation, claim.holder, queue))
    }
  }

  @Test("a holder of an older epoch changes nothing, whatever it does", arguments: Operation.allCases)
  func zombie(_ operation: Operation) async throws {
    try await QueueFixture.with { queue in
      try await queue.enqueue(jobs: 1)
      let worker = try await queue.worker()
      let old = try #require(try await queue.claimOne(worker))
      #expect(try await queue.store.endAttempt(old.holder, as: .yielded))
      let new = try #require(try await queue.claimOne(worker))
      #expect(new.epoch == old.epoch + 1)
      #expect(new.ticket > old.ticket)
      #expect(try await perform(operation, old.holder, queue) == false)
      #expect(try await queue.state(new.jobID) == .leased)
      #expect(try await queue.store.jobs(job: new.jobID).first?.mark == nil)
      #expect(try await queue.complete(new.holder))
    }
  }

  @Test("results written with a completion that lost its lease are rolled back")
  func rolledBack() async throws {
    try await QueueFixture.with { queue in
      try await queue.enqueue(jobs: 1)
      let worker = try await queue.worker()
      let claim = try #require(try await queue.claimOne(worker))
      try await queue.session.execute("create table result (n int)")
      try await queue.store.endAttempt(claim.holder, as: .yielded)
      await #expect(throws: LeaseLost.self) {
        try await queue.attempt(claim).complete { _ = try await $0.query("insert into result values (1)", []) }
      }
      await #expect(throws: LeaseLost.self) {
        try await queue.attempt(claim).checkpoint(format: CheckpointFormat("test", 1), state: "{}") {
          _ = try await $0.query("insert into result values (2)", [])
        }
      }
      let count = try await queue.session.query("select count(*) as n from result", [])
      #expect(try count.first?.int("n") == 0)
    }
  }

  @Test("a checkpoint moves a job on where it is another one than the attempt began with, however its JSON is written")
  func sameCheckpoint() async throws {
    try await QueueFixture.with { queue in
      try await queue.enqueue(jobs: 1)
      let worker = try await queue.worker()
      let format = CheckpointFormat("test", 1)
      let first = try #require(try await queue.claimOne(worker))
      let new = queue.attempt(first)
      try await new.checkpoint(format: format, state: #"{"bb":1,"a":2}"#)
      #expect(new.hasMovedOn)
      try await queue.store.endAttempt(first.holder, as: .yielded)

      let second = try #require(try await queue.claimOne(worker))
      let again = queue.attempt(second)
      try await again.checkpoint(format: format, state: #"{ "bb": 1, "a": 2 }"#)
      #expect(!again.hasMovedOn, "it would lose its session for ever, and never be charged")
      try await again.checkpoint(format: format, state: #"{"bb":2,"a":2}"#)
      #expect(again.hasMovedOn)
      try await again.checkpoint(format: format, state: #"{"bb":1,"a":2}"#)
      #expect(again.hasMovedOn)
    }
  }

  @Test("a yield and a snooze are not charged, a failure and a crash are")
  func charging() async throws {
    try await QueueFixture.with { queue in
      try await queue.enqueue(jobs: 1, attempts: 2)
      let worker = try await queue.worker()
      for _ in 0..<5 {
        let claim = try #require(try await queue.claimOne(worker))
        #expect(claim.attempt == 1)
        try await queue.store.endAttempt(claim.holder, as: .yielded)
      }
      let failed = try #require(try await queue.claimOne(worker))
      try await queue.store.endAttempt(failed.holder, as: .retried(after: .zero, failure: "{}"))
      _ = try await queue.store.promoteDue(on: queue.session)
      let second = try #require(try await queue.claimOne(worker))
      #expect(second.attempt == 2)
      try await queue.store.workerLeaves(worker)
      let reaped = try await queue.store.reapLeases(on: queue.session)
      #expect(reaped.map(\.isDead) == [true])
      #expect(try await queue.state(second.jobID) == .dead)
    }
  }

  @Test("a failure whose text holds a NUL is written all the same")
  func nul() async throws {
    try await QueueFixture.with { queue in
      try await queue.enqueue(jobs: 1)
      let claim = try #require(try await queue.claimOne(try await queue.worker()))
      let failure = StageFailure(code: "x", message: "a\0b")
      #expect(try await queue.store.endAttempt(claim.holder, as: .dead(failure: failure.json)))
      #expect(try await queue.state(claim.jobID) == .dead)
    }
  }
}
