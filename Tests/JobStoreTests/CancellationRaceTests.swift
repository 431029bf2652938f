import JobModel
import JobStore
import Postgres
import TestSupport
import Testing

@Suite("A cancellation beside what moves its jobs")
struct CancellationRaceTests {
  @Test("meets a job that was on its way from its lease to a later time", arguments: [true, false])
  func onItsWay(endsLater: Bool) async throws {
    try await QueueFixture.with { queue in
      try await queue.store.enqueue([NewJob(kind: "loose")])
      let worker = try await queue.worker()
      let claim = try #require(try await queue.claimOne(worker))
      let end: JobStore.AttemptEnd = endsLater ? .retried(after: .seconds(60), failure: "{}") : .yielded
      let cancelling = try await queue.store.database.transaction { transaction in
        #expect(try await queue.store.endAttempt(claim.holder, as: end, on: transaction))
        let cancelling = Task { try await queue.store.cancel(job: claim.jobID) }
        try await queue.someoneWaits()
        return cancelling
      }
      #expect(try await cancelling.value.ended == [claim.jobID])
      #expect(try await queue.state(claim.jobID) == .cancelled)
    }
  }

  @Test("meets a job that the end of another was just making ready")
  func unblocked() async throws {
    try await QueueFixture.with { queue in
      let run = try await queue.enqueue(jobs: 2, after: [1: [0]]).runID
      let worker = try await queue.worker()
      let claim = try #require(try await queue.claimOne(worker))
      let cancelling = try await queue.store.database.transaction { transaction in
        _ = try await queue.store.complete([claim.holder], runs: [run], in: transaction)
        let cancelling = Task { try await queue.store.cancel(run: run) }
        try await queue.someoneWaits()
        return cancelling
      }
      #expect(try await cancelling.value.ended.count == 1)
      #expect(try await Set(queue.store.jobs(run: run).map(\.state)) == [.done, .cancelled])
      #expect(try await queue.claimOne(worker) == nil)
    }
  }

  @Test("waits for a job's last transaction without keeping others from their claims")
  func letsOthersClaim() async throws {
    try await QueueFixture.with { queue in
      let run = try await queue.enqueue(jobs: 1).runID
      try await queue.enqueue(jobs: 1)
      let worker = try await queue.worker()
      let claim = try #require(try await queue.claimOne(worker))
      let cancelling = try await queue.store.database.transaction { transaction in
        _ = try await queue.store.complete([claim.holder], runs: [run], in: transaction)
        // Not this body's own: it will borrow the connection of this transaction when that is over.
        let cancelling = Task.detached { try await queue.store.cancel(run: run) }
        try await queue.someoneWaits()
        #expect(try await queue.claimOne(worker) != nil)
        return cancelling
      }
      #expect(try await cancelling.value.ended.isEmpty)
      #expect(try await queue.store.run(run).first?.state == .succeeded)
    }
  }

  @Test("of a run of which one job was taken up again while another was stopping stays one")
  func oneTakenUp() async throws {
    try await QueueFixture.with { queue in
      let run = try await queue.enqueue(jobs: 2).runID
      let worker = try await queue.worker()
      let stopping = try #require(try await queue.claimOne(worker))
      let ended = try #require(try await queue.store.cancel(run: run).ended.first)
      #expect(try await queue.store.retry(job: ended))
      #expect(try await queue.store.endAttempt(stopping.holder, as: .yielded))
      #expect(try await queue.complete(try #require(try await queue.claimOne(worker)).holder))
      #expect(try await queue.store.run(run).first?.state == .cancelled)
      #expect(try await queue.store.retry(run: run) == 1)
      #expect(try await queue.complete(try #require(try await queue.claimOne(worker)).holder))
      #expect(try await queue.store.run(run).first?.state == .succeeded)
    }
  }

  @Test("and is taken back whole by a retry, also where all that is left still runs")
  func takenBack() async throws {
    try await QueueFixture.with { queue in
      let run = try await queue.enqueue(jobs: 1).runID
      let worker = try await queue.worker()
      let claim = try #require(try await queue.claimOne(worker))
      #expect(try await queue.store.cancel(run: run).stopping == [claim.jobID])
      #expect(try await queue.store.run(run).first?.state == .cancelled)
      #expect(try await queue.store.retry(run: run) == 1)
      #expect(try await queue.store.run(run).first?.state == .running)
      #expect(try await queue.store.cancelledLeases(ofWorker: worker).isEmpty)
      #expect(try await queue.complete(claim.holder))
      #expect(try await queue.store.run(run).first?.state == .succeeded)
      #expect(try await queue.store.retry(run: run) == 0)
    }
  }
}

extension QueueFixture {
  /// Returns once a session of this database waits for a lock.
  func someoneWaits() async throws {
    try await eventually("someone waits for a lock") {
      try await !session.query(
        "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'", []
      ).isEmpty
    }
  }
}
