import JobModel
import JobStore
import Postgres
import Testing

@Suite("Losses of a job's session")
struct LostSessionTests {
  private static let lost = JobStore.AttemptEnd.lostSession(after: .zero, failure: "{\"code\": \"connection_lost\"}")

  @Test(
    "are charged from the second in a row on: an end of the handler's own between them ends the row, an interruption does not",
    arguments: [
      ([lost, lost, lost], ["snoozed", "retried", "retried"]),
      ([lost, .yielded, lost, lost], ["snoozed", "yielded", "snoozed", "retried"]),
      ([lost, .snoozed(.zero), lost, lost], ["snoozed", "snoozed", "snoozed", "retried"]),
      ([lost, .retried(after: .zero, failure: "{}"), lost], ["snoozed", "retried", "snoozed"]),
      ([lost, .interrupted(after: .zero), lost], ["snoozed", "yielded", "retried"]),
      ([lost, .interrupted(after: .milliseconds(1)), lost], ["snoozed", "snoozed", "retried"]),
    ])
  func row(ends: [JobStore.AttemptEnd], expected: [String]) async throws {
    try await QueueFixture.with { queue in
      let worker = try await queue.worker()
      try await queue.enqueue(jobs: 1, attempts: 10)
      var job = JobID(0)
      for end in ends {
        let claim = try #require(try await queue.claimOne(worker))
        job = claim.jobID
        #expect(try await queue.store.endAttempt(claim.holder, as: end))
        _ = try await queue.store.promoteDue(on: queue.session, now: "2100-01-01T00:00:00Z")
      }
      let attempts = try await queue.store.attempts(of: [job])
      #expect(attempts.map(\.status) == expected)
      let charged = expected.count { $0 == "retried" }
      #expect(try await queue.claimOne(worker)?.attempt == charged + 1)
    }
  }

  @Test("leave nothing behind once another end has followed, unless the job must run alone")
  func forgotten() async throws {
    try await QueueFixture.with { queue in
      let worker = try await queue.worker()
      try await queue.enqueue(jobs: 1)
      let first = try #require(try await queue.claimOne(worker))
      try await queue.store.endAttempt(first.holder, as: Self.lost)
      #expect(try await Self.suspects(queue) == ["false true"])
      _ = try await queue.store.promoteDue(on: queue.session, now: "2100-01-01T00:00:00Z")
      try await queue.store.database.query("update sluice.suspect set runs_alone = true")
      let second = try #require(try await queue.claimOne(worker))
      try await queue.store.endAttempt(second.holder, as: .yielded)
      #expect(try await Self.suspects(queue) == ["true false"])
      try await queue.store.database.query("update sluice.suspect set runs_alone = false, lost_session = true")
      let third = try #require(try await queue.claimOne(worker))
      try await queue.store.endAttempt(third.holder, as: .yielded)
      #expect(try await Self.suspects(queue).isEmpty)
    }
  }

  private static let broken = JobStore.AttemptEnd.brokenSession(
    after: .seconds(1), failure: "{\"code\": \"session_broken\"}")

  @Test("that no other session shares cost no attempt, come later each time, and end the job at a limit")
  func broken() async throws {
    try await QueueFixture.with { queue in
      let worker = try await queue.worker()
      try await queue.enqueue(jobs: 1, attempts: 1)
      var delays: [Int64] = []
      func lose(_ times: Int) async throws -> JobID {
        var job = JobID(0)
        for _ in 0..<times {
          let claim = try #require(try await queue.claimOne(worker))
          #expect(claim.attempt == 1)
          job = claim.jobID
          #expect(try await queue.store.endAttempt(claim.holder, as: Self.broken))
          delays += try await queue.store.database.query(
            "select round(extract(epoch from run_at - put_off_at))::bigint as seconds from sluice.later"
          ).map { try $0.int("seconds") }
          _ = try await queue.store.promoteDue(on: queue.session, now: "2100-01-01T00:00:00Z")
        }
        return job
      }
      let job = try await lose(JobStore.lossLimit)
      #expect(delays == [1, 2, 4, 8, 16, 32, 64, 128, 256])
      #expect(try await queue.store.jobs(job: job).first?.state == .dead)
      let attempts = try await queue.store.attempts(of: [job])
      #expect(attempts.map(\.status) == Array(repeating: "snoozed", count: JobStore.lossLimit - 1) + ["dead"])
      #expect(attempts.allSatisfy { $0.detail?.contains("session_broken") == true })

      // Taken up by hand it has all of its tries again, and what moved it on begins a new row.
      delays = []
      #expect(try await queue.store.retry(job: job))
      _ = try await lose(3)
      let claim = try #require(try await queue.claimOne(worker))
      try await queue.store.endAttempt(claim.holder, as: .yielded)
      #expect(try await Self.suspects(queue).isEmpty)
      _ = try await lose(JobStore.lossLimit - 1)
      #expect(delays == [1, 2, 4] + [1, 2, 4, 8, 16, 32, 64, 128, 256])
      #expect(try await queue.store.jobs(job: job).first?.state == .ready)
      #expect(try await queue.claimOne(worker)?.attempt == 1)
    }
  }

  private static func suspects(_ queue: QueueFixture) async throws -> [String] {
    try await queue.store.database.query("select runs_alone || ' ' || lost_session as text from sluice.suspect").map {
      try $0.string("text")
    }
  }
}
