import Autoscaling
import JobModel
import Testing

@testable import ControlPlane
@testable import JobStore

@Suite("What is decided after each look at the queue")
struct ScalingStateTests {
  private let ingest = JobStore.LaneKind(lane: 1, engine: 7, pipeline: "p", stage: "ingest", kind: "ingest")

  func state(min: Int = 0, max: Int = 8, memory: Double? = nil, history: String? = nil) -> ScalingState {
    ScalingState(
      limits: ScalingLimits(minWorkers: min, maxWorkers: max, memoryBytes: memory, slotsPerWorker: 2),
      stages: ["ingest", "curate", "load"], history: history)
  }

  func release(_ id: Int64, _ state: ReleaseState = .current, seconds: Double = 1000) -> JobStore.ReleaseRecord {
    JobStore.ReleaseRecord(
      id: id, contentHash: "h\(id)", state: state, engine: "1", formats: EngineFormats(), ramp: 0, looks: 0,
      failedStarts: 0, createdAt: "", changedAt: "", secondsInState: seconds)
  }

  func worker(_ id: Int64, of release: Int64? = 7, busy: Int = 0) -> WorkerRecord {
    WorkerRecord(
      id: id, host: "h", pid: Int(id), engine: "1", slots: 2, busy: busy, startedAt: "", beatAt: "", draining: false,
      servesOneRun: false, releaseID: release)
  }

  func look(
    at seconds: Double, _ depths: [JobStore.LaneDepth] = [], workers: [WorkerRecord] = [],
    releases: [JobStore.ReleaseRecord]? = nil
  ) -> ScalingMeasurement {
    var look = ScalingMeasurement(
      moment: JobStore.ScalingMoment(seconds: seconds, at: "", settled: "", connections: 200, newestJob: 0))
    look.lanes = depths
    look.workers = workers
    look.releases = releases ?? [release(7)]
    return look
  }

  func depth(_ ready: Int, engine: Int64 = 7, stage: String = "ingest") -> JobStore.LaneDepth {
    JobStore.LaneDepth(
      lane: JobStore.LaneKind(lane: engine * 10, engine: engine, pipeline: "p", stage: stage, kind: stage), ready: ready
    )
  }

  @Test("nothing to do is no worker, the first job is one, and many are more, up to the maximum")
  func up() throws {
    var state = state()
    let idle = try state.decide(look(at: 1000))
    #expect(idle.counts.isEmpty)
    #expect(idle.isQuiet)
    let first = try state.decide(look(at: 1002, [depth(1)]))
    #expect(first.counts == [7: 1])
    #expect(!first.isQuiet)
    #expect(try state.decide(look(at: 1004, [depth(5000)])).counts == [7: 8])
    var warm = self.state(min: 2)
    #expect(try warm.decide(look(at: 1000)).counts == [7: 2])
  }

  @Test("before anything was deployed workers are of no release, and then those of none get no worker")
  func noRelease() throws {
    var before = state()
    #expect(try before.decide(look(at: 1000, [depth(3, engine: 0)], releases: [])).counts == [0: 1])
    var after = state()
    #expect(try after.decide(look(at: 1000, [depth(3, engine: 0)])).counts.isEmpty)
  }

  @Test("jobs of stages that the workers do not serve ask for none")
  func foreignStages() throws {
    var state = state()
    #expect(try state.decide(look(at: 1000, [depth(1000, stage: "mail")])).counts.isEmpty)
  }

  @Test("a release with jobs left, a canary and one that comes keep a worker")
  func pinned() throws {
    var state = state()
    let releases = [
      release(4, .draining), release(5, .draining), release(6, .canary), release(7), release(8, .staged, seconds: 3),
      release(9, .staged),
    ]
    #expect(
      try state.decide(look(at: 1000, [depth(2, engine: 4)], releases: releases)).counts == [4: 1, 6: 1, 8: 1])
  }

  @Test("a maximum below what the releases need is told with the way out")
  func tooFew() throws {
    var state = state(max: 1)
    let releases = [release(4, .draining), release(5, .draining), release(7)]
    let outcome = try state.decide(look(at: 1000, [depth(2, engine: 4), depth(2, engine: 5)], releases: releases))
    #expect(outcome.decision.total == 1)
    #expect(outcome.record?.limitedBy?.contains("raise scaling.max") == true)
  }

  @Test("pipelines without limits are one load; each limit holds for its own pipeline")
  func limits() throws {
    func depth(_ lane: Int64, _ pipeline: String, _ ready: Int, limit: Int? = nil) -> JobStore.LaneDepth {
      JobStore.LaneDepth(
        lane: JobStore.LaneKind(lane: lane, engine: 7, pipeline: pipeline, stage: "ingest", kind: "ingest"),
        ready: ready, maxRunning: limit)
    }
    var free = state()
    let together = try free.decide(look(at: 1000, [depth(1, "a", 30), depth(2, "b", 70), depth(3, "c", 20)]))
    #expect(together.counts == [7: 4], "120 minutes of work in 15 are eight slots")
    let report = try ScalingReport(json: together.record?.inputs ?? "")
    #expect(report.stages.map(\.queued) == [120])
    var limited = state()
    let held = [depth(1, "a", 5000, limit: 1), depth(2, "b", 5000, limit: 2), depth(3, "c", 1)]
    #expect(try limited.decide(look(at: 1000, held)).counts == [7: 2], "one of a, two of b and one of c can run")
    var busy = look(at: 1002, held, workers: [worker(1, busy: 2)])
    busy.running = ["a", "b"].enumerated().map { number, pipeline in
      JobStore.RunningAttempt(
        job: Int64(number), worker: 1, engine: 7, pipeline: pipeline, kind: "ingest", seconds: 1)
    }
    #expect(try limited.decide(busy).counts == [7: 2], "two run, and one more of b and one of c can")
  }

  /// A run with so many ready ingests and a blocked load, each of which has always taken 100 s.
  private func due(
    _ jobs: Int, in seconds: Double, pending: Int? = nil, root: Int64 = 1
  ) -> (run: JobStore.OpenRunRecord, history: StepHistory) {
    var history = StepHistory()
    for kind in ["ingest", "load"] {
      for _ in 0..<20 { history.add(kind: kind, label: "a", seconds: 100, bytes: nil) }
    }
    var run = JobStore.OpenRunRecord(
      root: root, pipeline: "p", runs: [root, root + 1], pending: pending ?? jobs + 1, deadline: "",
      deadlineSeconds: 1000 + seconds, nowSeconds: 1000)
    run.jobs = (0..<jobs).map { number in
      JobStore.OpenJobRecord(
        run: root, job: Int64(number), lane: 70, engine: 7, stage: "ingest", urgencyClass: 0, kind: "ingest",
        label: "a", place: .ready, seconds: 0)
    }
    run.jobs.append(
      JobStore.OpenJobRecord(
        run: root + 1, job: 1000, lane: 71, engine: 7, stage: "load", urgencyClass: 0, kind: "load", label: "a",
        place: .blocked, seconds: 0))
    return (run, history)
  }

  @Test("a deadline drives the count: a near one more workers than none, a far one fewer")
  func deadlines() throws {
    func count(_ jobs: Int, dueIn seconds: Double?) throws -> Int {
      var state = state(max: 50)
      var look = look(at: 1000, [depth(jobs)])
      if let seconds {
        let (run, history) = due(jobs, in: seconds)
        (look.due, look.histories) = ([run], ["p": history])
      }
      return try state.decide(look).decision.total
    }
    let (near, none, far) = (
      try count(100, dueIn: 1500), try count(100, dueIn: nil), try count(100, dueIn: 8 * 3600)
    )
    // 10,000 s of work in 1,500 s, of which the load takes the last 100: 9 slots at least, of two a worker.
    #expect((5...8).contains(near), "\(near)")
    #expect(far == 1, "the work fits into eight hours, and an hour of the worker is an hour")
    #expect(near > none && none > far, "\(near), \(none), \(far)")
  }

  @Test("what is left of a run is due before the stages behind it, and what is not looked at counts too")
  func dueJobs() throws {
    let (run, history) = due(3, in: 1000, pending: 14)
    let jobs = DueJobs([run], histories: ["p": history]) { _ in Estimate(exactly: 1) }
    #expect(jobs.deadlines == ["p": 2000])
    #expect(jobs.steps.map(\.deadline) == [1900, 2000])
    #expect(jobs.steps.map(\.jobs) == [13, 1])
    #expect(jobs.steps.map(\.isReady) == [true, false])
    let unknown = DueJobs([run], histories: [:]) { _ in Estimate(exactly: 5) }
    #expect(unknown.steps.map(\.deadline) == [1995, 2000])
  }

  @Test(
    "a deadline that the maximum does not reach is a warning of the decision; jobs without a deadline stay a backlog")
  func lateByMaximum() throws {
    var state = state(max: 1)
    var look = look(at: 1000, [depth(150)], workers: [worker(1)])
    let (run, history) = due(100, in: 1500)
    (look.due, look.histories) = ([run], ["p": history])
    let outcome = try state.decide(look)
    let warning = try #require(outcome.decision.warnings.first)
    #expect(warning.deadline == 2400)
    #expect(warning.moreSlots ?? 0 > 4)
    let report = try ScalingReport(json: outcome.record?.inputs ?? "")
    #expect(report.stages.map(\.queued).max() == 150)
    #expect(outcome.decision.reasons.contains { "\($0)".contains("deadlines need") && "\($0)".contains("is in ") })
  }

  @Test("an idle worker is stopped when it has been idle for long; a busy one never is")
  func down() throws {
    var state = state()
    var busy = look(at: 1000, workers: [worker(1, busy: 1), worker(2)])
    busy.running = [JobStore.RunningAttempt(job: 1, worker: 1, engine: 7, kind: "ingest", seconds: 10)]
    _ = try state.decide(busy)
    busy.moment.seconds = 1100
    let outcome = try state.decide(busy)
    #expect(outcome.decision.stops == [2])
    #expect(outcome.decision.drains.isEmpty)
    #expect(outcome.counts == [7: 1])
  }

  @Test("workers that come are counted")
  func coming() throws {
    var state = state()
    var look = look(at: 1000, [depth(1)])
    look.coming = [(7, 1)]
    let outcome = try state.decide(look)
    #expect(outcome.counts == [7: 1])
    #expect(outcome.record.map { $0.stops.isEmpty } == true, "one that comes has no number that a pool knows")
  }

  @Test("memory is what the definition says, and never more than other programs leave")
  func memory() throws {
    var look = look(at: 1000, [depth(1)])
    look.memory = HostMemory(limitBytes: 10e9, usedBytes: 4e9, pressure: 0)
    func limit(_ memory: Double?) throws -> Double? {
      var state = state(memory: memory)
      return try ScalingReport(json: state.decide(look).record?.inputs ?? "").memoryLimit
    }
    #expect(try limit(nil) == 6e9)
    #expect(try limit(2e9) == 2e9)
    #expect(try limit(9e9) == 6e9)
    look.memory.usedBytes = 10e9
    #expect(try limit(nil) == 0x1p29, "one job has room")
    var full = state()
    full.limits.workerBytes = 100e6
    #expect(try full.decide(look).counts == [7: 1])
  }

  @Test("a number that a person set holds, and is told with its reason")
  func override() throws {
    var state = state()
    var look = look(at: 1000)
    look.override = JobStore.ScalingOverrideRecord(
      id: 1, workers: 3, reason: "a large backfill", author: "me", createdAt: "", expiresAt: "", expiresSeconds: 2000,
      secondsLeft: 1000)
    let outcome = try state.decide(look)
    #expect(outcome.counts == [7: 3])
    #expect(outcome.record?.reasons.first?.contains("a large backfill") == true)
    look.moment.seconds = 2001
    #expect(try state.decide(look).decision.reasons.allSatisfy { !"\($0)".contains("backfill") })
  }

  @Test("measurements that are old hold the count")
  func stale() throws {
    var state = state()
    _ = try state.decide(look(at: 1000, [depth(5000)]))
    var old = look(at: 1002)
    old.ageSeconds = 100
    let outcome = try state.decide(old)
    #expect(outcome.counts == [7: 8])
    #expect(outcome.decision.stops.isEmpty)
  }

  @Test("a decision is stored when it changes, every 15 seconds while there is work, and once a minute")
  func stored() throws {
    var state = state()
    #expect(try state.decide(look(at: 1000)).record != nil)
    #expect(try state.decide(look(at: 1059)).record == nil)
    #expect(try state.decide(look(at: 1060)).record != nil)
    #expect(try state.decide(look(at: 1064, [depth(1)])).record != nil)
    #expect(try state.decide(look(at: 1078, [depth(1)])).record == nil)
    #expect(try state.decide(look(at: 1079, [depth(1)])).record != nil)
    var troubled = look(at: 1081, [depth(1)])
    troubled.troubles = [7: "no room"]
    let record = try #require(try state.decide(troubled).record)
    #expect(try ScalingReport(json: record.inputs).troubles == ["no worker of release 7 could be started: no room"])
  }

  @Test("another process continues from what the one before left; what it cannot read it leaves out")
  func history() throws {
    var first = state()
    let record = try #require(try first.decide(look(at: 1000, [depth(5000)])).record)
    var old = look(at: 1002)
    old.ageSeconds = 100
    var second = state(history: record.history)
    #expect(try second.decide(old).counts == [7: 8])
    var third = state(history: "[1]")
    #expect(try third.decide(look(at: 1000)).counts.isEmpty)
  }

  @Test("what is stored says what was queued, running, arriving and predicted, for each stage")
  func report() throws {
    var state = state()
    var look = look(at: 1000, [JobStore.LaneDepth(lane: ingest, ready: 12)], workers: [worker(1, busy: 1)])
    look.arrivals = [JobStore.LaneArrivals(lane: ingest, jobs: 13)]
    look.running = [JobStore.RunningAttempt(job: 1, worker: 1, engine: 7, kind: "ingest", seconds: 1)]
    let record = try #require(try state.decide(look).record)
    let report = try ScalingReport(json: record.inputs)
    let stage = try #require(report.stages.first)
    #expect(report.stages.count == 1)
    #expect((stage.release, stage.stage, stage.queued, stage.running) == ("7", "ingest", 12, 1))
    #expect(stage.arrived5Minutes == 13)
    #expect(stage.predictedSeconds == 60)
    #expect(stage.basis == "coldStart")
    #expect(report.releases.map(\.wanted) == [record.total])
    #expect(try report.json == record.inputs)
  }
}
