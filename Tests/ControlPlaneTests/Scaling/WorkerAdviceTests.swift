import Autoscaling
import JobModel
import Logging
import Postgres
import TestSupport
import Testing

@testable import ControlPlane
@testable import JobStore

@Suite("What workers are told by the process that decides")
struct WorkerAdviceTests {
  private static let megabyte = 1_000_000.0

  private func learned(_ predictor: inout Predictor, _ pipeline: String, megabytes: Double, seconds: Double = 10) {
    for _ in 0..<8 {
      var job = Autoscaling.FinishedJob(kind: "curate", release: "1", seconds: seconds)
      job.pipeline = pipeline
      job.peakBytes = megabytes * Self.megabyte
      predictor.learn(job)
    }
  }

  @Test("what jobs need, by pipeline and by kind, when it has changed, and never more often than every five seconds")
  func estimates() throws {
    var (book, predictor) = (EstimateBook(), Predictor())
    learned(&predictor, "heavy", megabytes: 900)
    let first = book.due(predictor, at: 100)
    #expect(Set(first.map(\.pipeline)) == ["", "heavy"])
    #expect(first.allSatisfy { $0.kind == "curate" && $0.expected.bytesMean == 900 * Self.megabyte })
    // Of more jobs the width is narrower.
    for _ in 0..<5 { learned(&predictor, "light", megabytes: 50) }
    #expect(book.due(predictor, at: 104).isEmpty)
    let second = book.due(predictor, at: 105)
    #expect(Set(second.map(\.pipeline)) == ["", "light"])
    learned(&predictor, "light", megabytes: 50)
    #expect(book.due(predictor, at: 110).allSatisfy { $0.pipeline.isEmpty }, "that of one pipeline is the same")
    book.forget()
    #expect(Set(book.due(predictor, at: 111).map(\.pipeline)) == ["", "heavy", "light"])
  }

  @Test("and by the size of the input, where it is known")
  func sizes() {
    var (book, predictor) = (EstimateBook(), Predictor())
    for (input, megabytes) in [(1000.0, 20.0), (5e9, 900)] {
      for _ in 0..<8 {
        var job = Autoscaling.FinishedJob(kind: "curate", release: "1", seconds: 10)
        (job.pipeline, job.inputBytes, job.peakBytes) = ("p", input, megabytes * Self.megabyte)
        predictor.learn(job)
      }
    }
    let due = book.due(predictor, at: 0).filter { $0.pipeline == "p" }.sorted { $0.size ?? -1 < $1.size ?? -1 }
    #expect(due.map(\.size) == [nil, 9, 32])
    #expect(due.map { $0.expected.bytesMean / Self.megabyte } == [460, 20, 900])
  }

  @Test("what ran out of memory needs half more than was expected, where anything was known")
  func shortages() throws {
    var state = ScalingState(limits: ScalingLimits(), stages: ["curate"])
    func look(at seconds: Double, _ status: String, _ memory: Double?, _ code: String?) throws -> Double {
      var look = ScalingMeasurement(
        moment: JobStore.ScalingMoment(seconds: seconds, at: "", settled: "", connections: 200, newestJob: 0))
      look.finished = (1...8).map { number in
        JobStore.FinishedAttempt(
          job: Int64(seconds) + number, kind: "curate", status: status, seconds: 10, memory: memory, pipeline: "p",
          code: code)
      }
      _ = try state.decide(look)
      return state.predictor.predict(kind: "curate", release: "0", pipeline: "p").memoryBytes.mean
    }
    let unknown = ScalingSettings().coldStartBytes.mean
    #expect(try look(at: 1000, "retried", nil, "memory_limit") == unknown)
    #expect(try look(at: 2000, "done", 100 * Self.megabyte, nil) == 100 * Self.megabyte)
    #expect(try look(at: 3000, "retried", nil, "other") == 100 * Self.megabyte)
    #expect(try look(at: 4000, "retried", nil, "memory_limit") > 120 * Self.megabyte)
  }

  @Test("a process that begins to decide starts from them, until enough jobs have finished under it")
  func remembered() {
    var predictor = Predictor()
    predictor.remember(
      kind: "curate", pipeline: "heavy", seconds: Estimate(mean: 100), memoryBytes: Estimate(mean: 9))
    predictor.remember(kind: "curate", pipeline: nil, seconds: Estimate(mean: 50), memoryBytes: Estimate(mean: 5))
    let heavy = predictor.predict(kind: "curate", release: "1", pipeline: "heavy")
    #expect(heavy.memoryBytes.mean == 9 && heavy.seconds.mean == 100 && heavy.basis == .earlier)
    #expect(predictor.predict(kind: "curate", release: "1").memoryBytes.mean == 5)
    #expect(predictor.predict(kind: "load", release: "1").basis == .coldStart)
    learned(&predictor, "heavy", megabytes: 2)
    let now = predictor.predict(kind: "curate", release: "1", pipeline: "heavy")
    #expect(now.memoryBytes.mean == 2 * Self.megabyte && now.basis == .pipeline)
  }

  @Test(
    "an attempt that is asked to yield is asked as long as it runs, for two minutes at most, and its successor is not")
  func yields() {
    var requests = YieldRequests()
    func attempt(_ job: Int64, epoch: Int64 = 1) -> JobStore.RunningAttempt {
      JobStore.RunningAttempt(job: job, epoch: epoch, worker: 1, kind: "k", seconds: 1)
    }
    let holder = LeaseHolder(jobID: JobID(1), epoch: 1)
    #expect(requests.ask([1, 7], running: [attempt(1), attempt(2)], at: 0) == [holder])
    #expect(requests.ask([], running: [attempt(1), attempt(2)], at: 119) == [holder])
    #expect(requests.ask([], running: [attempt(1), attempt(2)], at: 121) == [])
    #expect(requests.ask([1], running: [attempt(1)], at: 130) == [holder])
    #expect(requests.ask([], running: [attempt(1, epoch: 2)], at: 131) == [])
  }

  @Test("under memory pressure they are told so, a job is asked to yield, and the next process finds what was learned")
  func service() async throws {
    try await TestDatabase.withDatabase { database in
      let store = JobStore(database: database.pool)
      let session = try await PostgresConnection.connect(database.settings)
      let worker = try await store.registerWorker(
        JobStore.WorkerBirth(release: 0, host: "h", pid: 1, engine: "test", slots: 4), lease: .seconds(3600),
        on: session)
      func service(_ holder: String, pressure: Double) -> ScalingService {
        ScalingService(
          store: store, limits: ScalingLimits(maxWorkers: 4, slotsPerWorker: 4), stages: ["mail"],
          board: ScalingBoard(), holder: holder, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
          memory: { HostMemory(limitBytes: 8e9, usedBytes: 1e9, pressure: pressure) })
      }
      // What has ended by now is learned from at the first look.
      for _ in 0..<8 { try await database.pool.query("select sluice.enqueue('mail')", []) }
      for claim in try await store.claim(worker: worker, limit: 8) {
        _ = try await store.finish([FinishedJob(claim.holder, detail: #"{"peak_memory": 700000000}"#)], in: session)
      }
      try await session.execute("update sluice.outcome set finished_at = finished_at - interval '1 minute'")
      for _ in 0..<3 { try await database.pool.query("select sluice.enqueue('mail')", []) }
      let running = try await store.claim(worker: worker, limit: 2)
      #expect(running.count == 2)

      var turn: ScalingService.Turn?
      try await service("one", pressure: 0.5).decide(&turn)
      let look = try await store.memoryLook(worker: worker, jobs: [])
      #expect(look.heaviestBytes == 0, "nothing is claimed while anything runs")
      #expect(look.held.compactMap(\.expected?.bytesMean) == [7e8, 7e8])
      let asked = try await store.askedLeases(ofWorker: worker, release: 0).handedOver
      #expect(asked.count == 1 && asked.isSubset(of: Set(running.map(\.holder))))

      try await store.leaveScaling(as: "one")
      var next: ScalingService.Turn?
      try await service("two", pressure: 0).decide(&next)
      #expect(try await store.memoryLook(worker: worker, jobs: []).heaviestBytes == nil)
      #expect(try await store.askedLeases(ofWorker: worker, release: 0).handedOver.isEmpty)
      #expect(next?.state.predictor.predict(kind: "mail", release: "0").memoryBytes.mean == 7e8)
      await session.close()
    }
  }
}
