import JobModel
import JobStore
import Postgres
import TestSupport
import Testing

@Suite("Dependencies")
struct DependencyTests {
  @Test("a dependent becomes ready when the last of its upstreams is done, and the run ends with the last job")
  func fanInAndOut() async throws {
    try await QueueFixture.with { queue in
      let run = try await queue.enqueue(jobs: 6, after: [3: [0, 1, 2], 4: [3], 5: [3]]).runID
      let worker = try await queue.worker()
      for label in ["j0", "j1", "j2"] {
        let claim = try #require(try await queue.claimOne(worker))
        #expect(claim.label == label)
        #expect(try await queue.complete(claim.holder))
      }
      let middle = try #require(try await queue.claimOne(worker))
      #expect(middle.label == "j3")
      #expect(try await queue.claimOne(worker) == nil)
      #expect(try await queue.complete(middle.holder))
      let last = try await queue.store.claim(worker: worker, limit: 10)
      #expect(last.map(\.label) == ["j4", "j5"])
      #expect(try await queue.store.run(run).first?.state == .running)
      let ended = try await queue.store.complete(last.map(\.holder), in: queue.session)
      #expect(ended.ended.count == 2)
      #expect(try await queue.store.run(run).first?.state == .succeeded)
    }
  }

  @Test("300 upstreams that end at once from eight sessions release their dependent exactly once")
  func concurrentFanIn() async throws {
    try await QueueFixture.with { queue in
      let upstreams = 300
      let run = try await queue.enqueue(
        jobs: upstreams + 2,
        after: [
          upstreams: Array(0..<upstreams), upstreams + 1: Array(0..<upstreams),
        ]
      ).runID
      let worker = try await queue.worker()
      var claims: [Claim] = []
      while claims.count < upstreams { claims += try await queue.store.claim(worker: worker, limit: 50) }
      await withTaskGroup(of: Int.self) { group in
        for part in 0..<8 {
          let mine = claims.enumerated().filter { $0.offset % 8 == part }.map(\.element.holder)
          group.addTask {
            var ended = 0
            for holder in mine {
              do {
                ended += try await queue.store.database.transaction {
                  try await queue.store.complete([holder], in: $0).ended.count
                }
              } catch { Issue.record(error) }
            }
            return ended
          }
        }
        #expect(await group.reduce(0, +) == upstreams)
      }
      let released = try await queue.store.claim(worker: worker, limit: 10)
      #expect(released.map(\.label).sorted() == ["j300", "j301"])
      #expect(try await queue.store.complete(released.map(\.holder), in: queue.session).ended.count == 2)
      #expect(try await queue.store.run(run).first?.state == .succeeded)
    }
  }

  @Test("two workers never claim the same job")
  func disjoint() async throws {
    try await QueueFixture.with { queue in
      try await queue.enqueue(jobs: 400)
      let workers = [try await queue.worker(), try await queue.worker(), try await queue.worker()]
      let claimed = await withTaskGroup(of: [JobID].self) { group in
        for worker in workers {
          group.addTask {
            var mine: [JobID] = []
            while let claims = try? await queue.store.claim(worker: worker, limit: 10), !claims.isEmpty {
              mine += claims.map(\.jobID)
            }
            return mine
          }
        }
        return await group.reduce(into: []) { $0 += $1 }
      }
      #expect(claimed.count == 400)
      #expect(Set(claimed).count == 400)
    }
  }

  @Test("a run with two dead jobs stays failed until the second is taken up as well")
  func partialRetry() async throws {
    try await QueueFixture.with { queue in
      let run = try await queue.enqueue(jobs: 2).runID
      let worker = try await queue.worker()
      let claims = try await queue.store.claim(worker: worker, limit: 2)
      for claim in claims { try await queue.store.endAttempt(claim.holder, as: .dead(failure: "{}")) }
      #expect(try await queue.store.retry(job: claims[0].jobID))
      #expect(try await queue.store.run(run).first?.state == .failed)
      #expect(try await queue.complete(try #require(try await queue.claimOne(worker)).holder))
      #expect(try await queue.store.run(run).first?.state == .failed)
      #expect(try await queue.store.retry(run: run) == 1)
      #expect(try await queue.store.run(run).first?.state == .running)
      #expect(try await queue.complete(try #require(try await queue.claimOne(worker)).holder))
      #expect(try await queue.store.run(run).first?.state == .succeeded)
    }
  }

  @Test("claims that begin many runs at once from many sessions never deadlock")
  func concurrentBeginnings() async throws {
    try await QueueFixture.with { queue in
      for _ in 0..<40 { try await queue.enqueue(jobs: 5) }
      let workers = [try await queue.worker(), try await queue.worker(), try await queue.worker()]
      let claimed = await withTaskGroup(of: Int.self) { group in
        for worker in workers + workers {
          group.addTask {
            var count = 0
            do {
              while case let claims = try await queue.store.claim(worker: worker, limit: 7), !claims.isEmpty {
                count += claims.count
              }
            } catch { Issue.record(error) }
            return count
          }
        }
        return await group.reduce(0, +)
      }
      #expect(claimed == 200)
    }
  }

  @Test(
    "a death fails the run, keeps its dependents waiting, and tells the outbox in the same transaction; a retry goes on"
  )
  func death() async throws {
    try await QueueFixture.with { queue in
      let run = try await queue.enqueue(jobs: 2, after: [1: [0]]).runID
      let worker = try await queue.worker()
      let claim = try #require(try await queue.claimOne(worker))
      try await queue.store.endAttempt(claim.holder, as: .dead(failure: #"{"code":"x"}"#))
      #expect(try await queue.store.run(run).first?.state == .failed)
      #expect(try await queue.store.jobs(run: run).map(\.state) == [.blocked, .dead])
      #expect(try await queue.store.outbox(ofRun: run).map(\.kind) == ["failed"])

      #expect(try await queue.store.retry(run: run) == 1)
      let again = try #require(try await queue.claimOne(worker))
      #expect(again.epoch == claim.epoch + 1)
      #expect(again.attempt == 1)
      #expect(try await queue.complete(again.holder))
      let dependent = try #require(try await queue.claimOne(worker))
      #expect(try await queue.complete(dependent.holder))
      #expect(try await queue.store.run(run).first?.state == .succeeded)
    }
  }
}
