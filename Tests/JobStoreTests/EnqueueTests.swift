import JobModel
import JobStore
import Postgres
import TestSupport
import Testing

@Suite("Enqueue without a run")
struct EnqueueTests {
  @Test("tells unique keys apart by their bytes, as the database does")
  func normalisation() async throws {
    try await QueueFixture.with { queue in
      let keys = ["caf\u{E9}", "cafe\u{301}"]
      let jobs = try await queue.store.enqueue(keys.map { NewJob(kind: "a", uniqueKey: $0) })
      #expect(Set(jobs.map(\.id)).count == 2)
      #expect(jobs.map(\.isNew) == [true, true])
      let again = try await queue.store.enqueue(keys.map { NewJob(kind: "a", uniqueKey: $0) })
      #expect(again.map(\.id) == jobs.map(\.id))
    }
  }

  @Test("jobs come in the order of the call, each of its own shape, and urgent ones first")
  func shapes() async throws {
    try await QueueFixture.with { queue in
      let asked = [
        NewJob(kind: "a", payload: #"{"n":1}"#, urgencyClass: 5), NewJob(kind: "b", payload: #"{"n":2}"#),
        NewJob(kind: "a", payload: #"{"n":3}"#, urgencyClass: 5),
        NewJob(kind: "a", runAt: "2100-01-01T00:00:00Z", urgencyClass: 5),
      ]
      let jobs = try await queue.store.enqueue(asked)
      #expect(jobs.count == 4)
      #expect(jobs.filter(\.isNew).count == 4)
      let claims = try await queue.store.claim(worker: try await queue.worker(), limit: 10)
      #expect(claims.map(\.jobID) == [jobs[1].id, jobs[0].id, jobs[2].id])
      #expect(claims.map(\.payload) == [#"{"n": 2}"#, #"{"n": 1}"#, #"{"n": 3}"#])
      #expect(try await queue.state(jobs[3].id) == .later)
    }
  }

  @Test("a unique key is held from the enqueue to the end, whatever that is")
  func uniqueKeys() async throws {
    try await QueueFixture.with { queue in
      let job = NewJob(kind: "a", uniqueKey: "k")
      let twice = try await queue.store.enqueue([job, NewJob(kind: "a", uniqueKey: "other"), job])
      #expect(twice.map(\.isNew) == [true, true, false])
      #expect(twice[0].id == twice[2].id)
      let worker = try await queue.worker()
      for end in [JobStore.AttemptEnd.dead(failure: "{}"), .cancelled] {
        let first = try await queue.store.enqueue([job])[0]
        let claim = try #require(
          try await queue.store.claim(worker: worker, limit: 10).first { $0.jobID == first.id })
        #expect(try await queue.store.enqueue([job])[0] == EnqueuedJob(id: first.id, isNew: false))
        if case .cancelled = end { _ = try await queue.store.cancel(job: first.id) }
        try await queue.store.endAttempt(claim.holder, as: end)
      }
      let last = try await queue.store.enqueue([job])[0]
      #expect(last.isNew)
      let claim = try #require(try await queue.store.claim(worker: worker, limit: 1).first)
      #expect(try await queue.store.finish([FinishedJob(claim.holder)], in: queue.session).isEmpty)
      #expect(try await queue.store.enqueue([job])[0].isNew)
    }
  }

  @Test("callers who race for the same keys make each job once, and all learn whose it is")
  func racingKeys() async throws {
    try await QueueFixture.with { queue in
      let jobs = (0..<40).map { NewJob(kind: "a", uniqueKey: "k\($0)") }
      let answers = try await withThrowingTaskGroup(of: [EnqueuedJob].self) { group in
        for caller in 0..<6 {
          group.addTask {
            let mine = caller.isMultiple(of: 2) ? jobs : jobs.reversed()
            let answer = try await queue.store.enqueue(mine)
            return caller.isMultiple(of: 2) ? answer : answer.reversed()
          }
        }
        var answers: [[EnqueuedJob]] = []
        for try await answer in group { answers.append(answer) }
        return answers
      }
      #expect(Set(answers.map { $0.map(\.id) }).count == 1)
      #expect(answers.joined().filter(\.isNew).count == 40)
      #expect(try await queue.store.jobs(limit: 1000).count == 40)
    }
  }

  @Test("a run that is cancelled ends at once where nothing runs, and taken up again it waits for what it waited for")
  func cancelledRun() async throws {
    try await QueueFixture.with { queue in
      let run = try await queue.enqueue(jobs: 3, after: [1: [0], 2: [0, 1]])
      let worker = try await queue.worker()
      let first = try #require(try await queue.claimOne(worker))
      let met = try await queue.store.cancel(run: run.runID)
      #expect(met.ended.count == 2)
      #expect(met.stopping == [first.jobID])
      #expect(try await queue.store.run(run.runID).first?.state == .cancelled)
      #expect(try await queue.store.cancelledLeases(ofWorker: worker) == [first.holder])
      // However the attempt ends that was asked to stop, it ends as cancelled.
      #expect(try await queue.store.endAttempt(first.holder, as: .yielded))
      #expect(try await queue.state(first.jobID) == .cancelled)
      #expect(try await queue.store.retry(run: run.runID) == 3)
      #expect(try await queue.store.run(run.runID).first?.state == .running)
      for _ in 0..<3 {
        let claims = try await queue.store.claim(worker: worker, limit: 10)
        #expect(claims.count == 1, "one waits for the other")
        #expect(try await queue.complete(try #require(claims.first).holder))
      }
      #expect(try await queue.store.run(run.runID).first?.state == .succeeded)
      #expect(try await queue.store.cancel(run: run.runID) == JobStore.Cancellation())
    }
  }

  @Test("a worker that dies over a job that was cancelled leaves it cancelled")
  func cancelledAndLost() async throws {
    try await QueueFixture.with { queue in
      let job = try await queue.store.enqueue([NewJob(kind: "a", uniqueKey: "k")])[0].id
      let worker = try await queue.worker()
      _ = try await queue.claimOne(worker)
      _ = try await queue.store.cancel(job: job)
      _ = try await queue.store.expireBeats(on: queue.session, now: "2100-01-01T00:00:00Z")
      #expect(try await queue.store.reapLeases(on: queue.session).map(\.isDead) == [false])
      #expect(try await queue.state(job) == .cancelled)
      #expect(try await queue.store.enqueue([NewJob(kind: "a", uniqueKey: "k")])[0].isNew)
    }
  }
}
