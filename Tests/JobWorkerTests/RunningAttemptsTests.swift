import JobModel
import JobStore
import Logging
import Postgres
import Synchronization
import Testing

@testable import JobWorker

@Suite("Running attempts")
struct RunningAttemptsTests {
  /// Talks to nobody: no attempt here writes.
  private func attempt(job: Int64, epoch: Int64, timeLimit: Duration? = nil) throws -> JobAttempt {
    let pool = PostgresPool(try PostgresSettings("postgresql://nobody@/x?host=/nowhere"), maximum: 1)
    let claim = Claim(
      jobID: JobID(job), runID: nil, releaseID: nil, epoch: epoch, ticket: 1, attempt: 1, maximumAttempts: 3, kind: "k",
      label: "l", laneID: 1, pipeline: "p", stage: "s", payload: "{}", timeLimit: timeLimit, runAt: nil, mark: nil)
    return JobAttempt(
      claim: claim, store: JobStore(database: pool), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
  }

  /// Ends when it is cancelled, and says so.
  private func untilCancelled(_ cancelled: WakeUp) -> @Sendable () async -> Void {
    {
      while !Task.isCancelled { await Task.yield() }
      cancelled.set()
    }
  }

  @Test("an attempt takes its slot as it starts, and is known by its epoch")
  func slots() async throws {
    let running = RunningAttempts(slots: 2)
    let first = try attempt(job: 7, epoch: 3)
    running.start(first, now: .now) {}
    #expect(running.freeSlots == 1)
    let stranger = LeaseHolder(jobID: JobID(8), epoch: 1)
    #expect(running.unknown(among: [first.claim.holder, stranger]) == [stranger])
    #expect(running.unknown(among: [LeaseHolder(jobID: JobID(7), epoch: 2)]).count == 1)
  }

  @Test("two attempts of one job are kept apart: the end of the older leaves the newer in hand")
  func twoEpochs() throws {
    let running = RunningAttempts(slots: 2)
    let (old, new) = (try attempt(job: 7, epoch: 1), try attempt(job: 7, epoch: 2))
    running.start(old, now: .now) {}
    running.start(new, now: .now) {}
    running.end(old)
    #expect(running.unknown(among: [new.claim.holder]).isEmpty)
    running.drain()
    #expect(new.shouldYield)
  }

  @Test("an attempt that begins after all were cancelled is cancelled as it begins")
  func lateClaim() async throws {
    let running = RunningAttempts(slots: 2)
    let cancelled = WakeUp()
    running.cancelAll()
    running.start(try attempt(job: 1, epoch: 1), now: .now, untilCancelled(cancelled))
    await cancelled.wait()
  }

  @Test(
    "an attempt that stands still is stopped as stalled, one that runs too long by its limit, a cancelled one as that")
  func stops() async throws {
    let start = ContinuousClock.now
    let running = RunningAttempts(slots: 3)
    let stalled = try attempt(job: 1, epoch: 1)
    let limited = try attempt(job: 2, epoch: 1, timeLimit: .seconds(5))
    let unwanted = try attempt(job: 3, epoch: 1)
    let ends = [WakeUp(), WakeUp(), WakeUp()]
    for (attempt, end) in zip([stalled, limited, unwanted], ends) {
      running.start(attempt, now: start, untilCancelled(end))
    }
    running.cancelJobs([unwanted.claim.holder, LeaseHolder(jobID: JobID(2), epoch: 9)])
    await ends[2].wait()
    #expect(running.stop(of: unwanted) == .cancelled)
    limited.progress(JobProgress(bytes: 1))
    _ = running.review(now: start + .seconds(4), stall: .seconds(10))
    #expect(running.stop(of: limited) == nil)
    limited.progress(JobProgress(bytes: 2))
    _ = running.review(now: start + .seconds(11), stall: .seconds(10))
    await ends[0].wait()
    await ends[1].wait()
    #expect(running.stop(of: stalled) == .stalled)
    #expect(running.stop(of: limited) == .timeLimit)
  }
}
