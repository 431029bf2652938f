import JobModel
import JobStore
import Postgres
import TestSupport
import Testing

@Suite("Claims by memory")
struct MemoryTurnTests {
  private static func worker(_ queue: QueueFixture, host: String, slots: Int = 2) async throws -> Int64 {
    try await queue.store.registerWorker(
      JobStore.WorkerBirth(release: 0, host: host, pid: 1, engine: "test", slots: slots), lease: .seconds(3600),
      on: queue.session)
  }

  private static func claim(_ queue: QueueFixture, _ worker: Int64, turn: Int64?) async throws -> [Claim] {
    let lanes = try await queue.store.survey().filter(\.hasWork).map { ($0, $0.lowest) }
    guard !lanes.isEmpty else { return [] }
    var request = ClaimRequest(lanes: lanes, each: .one)
    request.memoryTurn = turn
    return try await queue.store.claim(request, worker: worker)
  }

  @Test("of two workers of a host that know the same turn one claims; another host has turns of its own")
  func turns() async throws {
    try await QueueFixture.with { queue in
      try await queue.enqueue(jobs: 9)
      let (one, two) = (try await Self.worker(queue, host: "a"), try await Self.worker(queue, host: "a"))
      let other = try await Self.worker(queue, host: "b")
      var turns: [Int64] = []
      for worker in [one, two, other] { turns.append(try await queue.store.memoryLook(worker: worker, jobs: []).turn) }
      #expect(turns == [0, 0, 0])
      #expect(try await Self.claim(queue, one, turn: 0).count == 1)
      #expect(try await Self.claim(queue, two, turn: 0).isEmpty, "the first has claimed since")
      #expect(try await Self.claim(queue, other, turn: 0).count == 1)
      #expect(try await Self.claim(queue, one, turn: 1).count == 1, "its own claims are counted by itself")
      let look = try await queue.store.memoryLook(worker: two, jobs: [])
      #expect(look.turn == 2 && look.held.count == 2 && look.workers == 2 && look.slots == 4)
      #expect(try await Self.claim(queue, two, turn: 2).count == 1)
      #expect(try await Self.claim(queue, two, turn: nil).count == 1, "without a limit of memory no turn is needed")
    }
  }

  @Test("that come at the same time wait for each other's turn, and the second gets nothing", .timeLimit(.minutes(1)))
  func race() async throws {
    try await QueueFixture.with { queue in
      try await queue.enqueue(jobs: 4)
      let (one, two) = (try await Self.worker(queue, host: "a"), try await Self.worker(queue, host: "a"))
      for worker in [one, two] { _ = try await queue.store.memoryLook(worker: worker, jobs: []) }
      let first = try await PostgresConnection.connect(queue.settings)
      try await first.execute("begin; update sluice.memory_host set turn = turn + 1, worker_id = \(one)")
      async let late = Self.claim(queue, two, turn: 0)
      try await eventually("the second waits for the first") {
        try await queue.store.database.query(
          "select count(*) as waiting from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        ).only.int("waiting") == 1
      }
      try await first.execute("commit")
      #expect(try await late.isEmpty)
      await first.close()
    }
  }

  @Test("know what jobs of their pipeline need, else those of their kind, and how often a job ran out of memory")
  func needs() async throws {
    try await QueueFixture.with { queue in
      let worker = try await Self.worker(queue, host: "a")
      try await queue.enqueue(jobs: 3)
      let lane = try #require(try await queue.store.survey().first)
      let jobs = [(lane: lane.id, job: JobID(lane.lowest))]
      #expect(try await queue.store.memoryLook(worker: worker, jobs: jobs).ready.map(\.expected) == [nil])
      let lead = try #require(try await queue.store.leadScaling(as: "control", lease: .seconds(3600)))
      func keep(_ pipeline: String, _ bytes: Double) async throws {
        let expected = JobStore.ExpectedNeed(secondsMean: 3, secondsDeviation: 1, bytesMean: bytes, bytesDeviation: 2)
        try await queue.store.keep(
          [JobStore.NeedEstimate(kind: "test", pipeline: pipeline, expected: expected)], as: "control",
          epoch: lead.epoch, retention: .seconds(3600))
      }
      try await keep("", 100)
      #expect(try await queue.store.memoryLook(worker: worker, jobs: jobs).ready.map(\.expected?.bytesMean) == [100])
      try await keep("p", 700)
      try await keep("p", 800)
      let claim = try #require(try await Self.claim(queue, worker, turn: nil).first)
      let end = JobStore.AttemptEnd.outOfMemory(after: .zero, failure: "{\"code\": \"memory_limit\"}")
      try await queue.store.endAttempt(claim.holder, as: end)
      _ = try await queue.store.promoteDue(on: queue.session, now: "2100-01-01T00:00:00Z")
      let again = try #require(try await queue.store.survey().first?.suspect)
      _ = try await Self.claim(queue, worker, turn: nil)
      let look = try await queue.store.memoryLook(worker: worker, jobs: [(lane.id, again)])
      #expect(look.ready.map(\.expected?.bytesMean) == [800] && look.ready.map(\.memoryKills) == [1])
      #expect(look.held.map(\.expected?.bytesMean) == [800] && look.held.map(\.memoryKills) == [0])
      #expect(try await queue.store.needEstimates(limit: 9).count == 2)
    }
  }

  @Test(
    "know the size of the input from what the jobs before it have read", arguments: [(1000.0, 7), (1024, 9), (2047, 9)])
  func sizes(read: Double, bytes: Double) async throws {
    try await QueueFixture.with { queue in
      let worker = try await Self.worker(queue, host: "a")
      try await queue.enqueue(jobs: 2, after: [1: [0]])
      let lead = try #require(try await queue.store.leadScaling(as: "control", lease: .seconds(3600)))
      func estimate(_ size: Int?, _ bytes: Double) -> JobStore.NeedEstimate {
        JobStore.NeedEstimate(
          kind: "test", pipeline: "p", size: size,
          expected: JobStore.ExpectedNeed(secondsMean: 1, secondsDeviation: 0, bytesMean: bytes, bytesDeviation: 0))
      }
      try await queue.store.keep(
        [estimate(nil, 7), estimate(10, 9)], as: "control", epoch: lead.epoch, retention: .seconds(3600))
      let first = try #require(try await queue.claimOne(worker))
      try await queue.store.writeProgress([(first.holder, "{\"bytes\":\(Int(read))}")])
      #expect(try await queue.complete(first.holder))
      let lane = try #require(try await queue.store.survey().first)
      let look = try await queue.store.memoryLook(worker: worker, jobs: [(lane.id, JobID(lane.lowest))])
      #expect(look.ready.map(\.expected?.bytesMean) == [bytes])
      #expect(Set(try await queue.store.needEstimates(limit: 9).map(\.size)) == [nil, 10])
    }
  }

  @Test("tell the other workers of the host what room is kept for, as long as they say so and it waits")
  func waiting() async throws {
    try await QueueFixture.with { queue in
      let (one, two) = (try await Self.worker(queue, host: "a"), try await Self.worker(queue, host: "a"))
      try await queue.enqueue(jobs: 1)
      let job = JobID(try #require(try await queue.store.survey().first).lowest)
      func look(_ worker: Int64, at second: Int, waitingFor job: JobID? = nil) async throws -> JobStore.MemoryLook {
        try await queue.store.memoryLook(
          worker: worker, jobs: [], waitingFor: job, now: "2030-01-01T00:00:\(second < 10 ? "0" : "")\(second)Z")
      }
      // Their beats are of now.
      try await queue.session.execute("update sluice.beat set expires_at = '2100-01-01'")
      _ = try await look(one, at: 0)
      _ = try await look(one, at: 0, waitingFor: job)
      let seen = try await look(two, at: 5)
      #expect(seen.waiting?.job == job && seen.waitingSeconds == 5)
      _ = try await look(two, at: 8, waitingFor: job)
      #expect(try await look(one, at: 17).waitingSeconds == 17, "for the same job the time counts on")
      let silent = try await look(one, at: 30)
      #expect(silent.waitingSeconds == 30 && silent.waitingAge == 22)
      #expect(try await queue.store.memoryWaits().map { "\($0.host) \($0.pipeline) \($0.label)" } == ["a p j0"])
      _ = try #require(try await queue.claimOne(two))
      #expect(try await queue.store.memoryWaits().isEmpty)
      #expect(try await look(one, at: 33).waiting == nil, "it runs")
    }
  }

  @Test("hear of memory pressure while the process lives that decides, and its victims are asked for their jobs")
  func pressure() async throws {
    try await QueueFixture.with { queue in
      let worker = try await queue.worker()
      try await queue.enqueue(jobs: 2)
      let claim = try #require(try await queue.claimOne(worker))
      let lead = try #require(try await queue.store.leadScaling(as: "control", lease: .seconds(3600)))
      let rule = JobStore.PressureRule(heaviestBytes: 5, yields: [claim.holder])
      #expect(try await !queue.store.keep(rule, as: "control", epoch: lead.epoch + 1))
      #expect(try await queue.store.askedLeases(ofWorker: worker, release: 0).handedOver.isEmpty)
      #expect(try await queue.store.keep(rule, as: "control", epoch: lead.epoch))
      #expect(try await queue.store.memoryLook(worker: worker, jobs: []).heaviestBytes == 5)
      #expect(try await queue.store.askedLeases(ofWorker: worker, release: 0).handedOver == [claim.holder])
      try await queue.store.endAttempt(claim.holder, as: .yielded)
      let next = try #require(try await queue.claimOne(worker))
      #expect(next.jobID == claim.jobID)
      #expect(try await queue.store.askedLeases(ofWorker: worker, release: 0).handedOver.isEmpty, "another attempt")
      try await queue.store.leaveScaling(as: "control")
      #expect(try await queue.store.memoryLook(worker: worker, jobs: []).heaviestBytes == nil)
    }
  }
}
