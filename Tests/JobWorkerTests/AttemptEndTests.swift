import JobModel
import JobStore
import Postgres
import Testing

@testable import JobWorker

@Suite("How an attempt ends")
struct AttemptEndTests {
  private func claim(attempt: Int, of maximum: Int) -> Claim {
    Claim(
      jobID: JobID(1), runID: nil, releaseID: nil, epoch: 1, ticket: 1, attempt: attempt, maximumAttempts: maximum,
      kind: "k", label: "l", laneID: 1, pipeline: "p", stage: "s", payload: "{}", runAt: nil, mark: nil)
  }

  private func name(
    _ error: any Error, attempt: Int = 1, of maximum: Int = 3, hasMovedOn: Bool = false, hasCrashedServer: Bool? = nil,
    hasLostOthers: Bool = false, stop: RunningAttempts.Stop? = nil
  ) -> String {
    let end = AttemptExecutor.end(
      of: .failure(error), claim: claim(attempt: attempt, of: maximum), hasMovedOn: hasMovedOn,
      hasCrashedServer: hasCrashedServer, hasLostOthers: hasLostOthers,
      stop: stop,
      retry: RetryPolicy(), jitter: 0)
    return switch end {
    case nil: "nothing"
    case .yielded: "yielded"
    case .snoozed: "snoozed"
    case .interrupted: "interrupted"
    case .retried: "retried"
    case .dead: "dead"
    case .cancelled: "cancelled"
    case .lostSession: "lost session"
    case .brokenSession: "broken session"
    case .outOfMemory: "out of memory"
    }
  }

  @Test("by what the handler throws")
  func errors() {
    struct Unknown: Error {}
    #expect(name(JobYield(), hasMovedOn: true) == "yielded")
    #expect(name(JobSnooze(.seconds(1)), hasMovedOn: true) == "snoozed")
    // Says nothing of a job that crashes the server at its work: two crashes with this in between are in a row.
    #expect(name(JobYield()) == "interrupted")
    #expect(name(JobSnooze(.seconds(1))) == "interrupted")
    #expect(name(CancellationError()) == "interrupted")
    #expect(name(CancellationError(), stop: .stalled) == "retried")
    #expect(name(CancellationError(), stop: .timeLimit) == "retried")
    #expect(name(CancellationError(), attempt: 3, stop: .timeLimit) == "dead")
    #expect(name(CancellationError(), stop: .cancelled) == "cancelled")
    #expect(name(StageFailure(code: "x", message: "m"), stop: .cancelled) == "cancelled")
    #expect(name(UnknownKind(kind: "k"), attempt: 3) == "interrupted")
    #expect(name(LeaseLost(LeaseHolder(jobID: JobID(1), epoch: 1))) == "nothing")
    // Its own server process may have crashed under it; one that has moved on is not the cause.
    let silent = PostgresError(.connectionLost, operation: "checkpoint", message: "m")
    #expect(name(silent) == "lost session")
    #expect(name(silent, hasMovedOn: true) == "interrupted")
    #expect(name(silent, hasMovedOn: true, hasCrashedServer: true) == "lost session")
    // The server says that none of its processes crashed: the connection was lost on the way. Where the worker's own sessions stay, and
    // the job has not moved on, its statement may be why.
    #expect(name(silent, hasCrashedServer: false) == "broken session")
    #expect(name(silent, hasCrashedServer: false, hasLostOthers: true) == "interrupted")
    #expect(name(silent, hasMovedOn: true, hasCrashedServer: false) == "snoozed", "its losses are none in a row")
    #expect(name(silent, hasCrashedServer: true) == "lost session")
    // What the others hear when one server process has crashed.
    #expect(name(PostgresError(.connectionLost, operation: "x", message: "m", sqlState: "57P02")) == "interrupted")
    let other = PostgresError(.connectionLost, operation: "x", message: "m", sqlState: "57P02")
    #expect(name(other, hasCrashedServer: true) == "interrupted")
    // The session was ended because of what the handler did in it: that would come again without end.
    let idle = PostgresError(.connectionLost, operation: "checkpoint", message: "m", sqlState: "25P03")
    #expect(name(idle) == "retried")
    #expect(name(PostgresError(.statement, operation: "checkpoint", message: "m", sqlState: "40P01")) == "retried")
    #expect(name(StageFailure(code: "x", message: "m", isTransient: true)) == "retried")
    #expect(name(StageFailure(code: "x", message: "m", isTransient: true), attempt: 3) == "dead")
    #expect(name(StageFailure(code: "x", message: "m")) == "dead")
    #expect(name(Unknown()) == "retried")
  }

  private struct Shortage: Failure {
    var code: String { "memory_limit" }
    var message: String { "the SQL needs more than 90 MB of memory" }
    var hint: String? { "raise limits.memory" }
    var isTransient: Bool { false }
    var isOutOfMemory: Bool { true }
  }

  @Test(
    "one that ran out of memory is tried again, although the same attempt would fail again; the third is dead, with the command",
    arguments: [(0, 1, 8, false), (1, 2, 8, false), (2, 3, 8, true), (0, 8, 8, true)])
  func outOfMemory(kills: Int, attempt: Int, maximum: Int, isDead: Bool) {
    var claim = claim(attempt: attempt, of: maximum)
    claim.memoryKills = kills
    let end = AttemptExecutor.end(
      of: .failure(Shortage()), claim: claim, hasMovedOn: false, stop: nil, retry: RetryPolicy(), jitter: 0)
    switch end {
    case .outOfMemory(let delay, let failure):
      #expect(!isDead && delay > .zero)
      #expect(failure.contains("90 MB of memory; the next attempt runs alone with 1.5 times the memory"))
    case .dead(let failure):
      #expect(isDead)
      if kills > 0 { #expect(failure.contains("3 attempts") && failure.contains("sluice jobs retry 1")) }
    default: Issue.record("\(String(describing: end))")
    }
  }

  @Test("a handler that returns without completing its job is a dead job, not a lost one")
  func notCompleted() {
    let end = AttemptExecutor.end(
      of: .success(()), claim: claim(attempt: 1, of: 3), hasMovedOn: false, stop: nil, retry: RetryPolicy(),
      jitter: 0)
    guard case .dead(let failure) = end else {
      Issue.record("expected a dead job")
      return
    }
    #expect(failure.contains("not_completed"))
  }
}
