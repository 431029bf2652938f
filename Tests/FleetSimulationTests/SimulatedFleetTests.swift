import FleetSimulation
import Testing

/// The truth on traces that are small enough for paper.
@Suite struct SimulatedFleetTests {
  /// Wants what a table of times says; looks every second.
  private struct Scripted: FleetPolicy {
    var steps: [(at: Double, decision: FleetDecision)]
    let interval = 1.0
    var seen: [FleetView] = []

    mutating func decide(_ view: FleetView) -> FleetDecision {
      guard let next = steps.first, next.at <= view.now else { return .hold }
      steps.removeFirst()
      return next.decision
    }
  }

  private func trace(
    seconds: Double = 100, start: Double = 10, memory: Double = 64, checkpoint: Double = 0, grace: Double = 5,
    slots: Int = 1, _ jobs: [ScalingTrace.Job], _ events: [ScalingTrace.Event] = []
  ) -> ScalingTrace {
    ScalingTrace(
      header: .init(
        trace: "paper", seconds: seconds, startSeconds: start, memoryGB: memory, checkpointSeconds: checkpoint,
        graceSeconds: grace, maxWorkers: 10, slots: slots), jobs: jobs, events: events)
  }

  private func job(
    at: Double, seconds: Double, memory: Double = 1, deadline: Double? = nil
  ) -> ScalingTrace.Job {
    .init(at: at, kind: "k", seconds: seconds, memoryGB: memory, deadline: deadline)
  }

  private func run(_ trace: ScalingTrace, _ steps: [(at: Double, decision: FleetDecision)]) -> FleetScore {
    SimulatedFleet.run(trace, policy: Scripted(steps: steps))
  }

  @Test("a worker claims when it has started, and costs from its start")
  func start() {
    // One worker from 0; ready at 10. Jobs of 20 and 30 s: 10…30, 30…60. The trace lasts 100 s.
    let score = run(
      trace([job(at: 0, seconds: 20, deadline: 29), job(at: 0, seconds: 30, deadline: 61)]), [(0, .count(1, .youngest))]
    )
    #expect(score.misses == 1)
    #expect(score.lateSeconds == 1)
    #expect(score.workerSeconds == 100)
    #expect(score.peakWorkers == 1)
    #expect(score.unfinished == 0)
  }

  @Test("the earliest deadline is claimed first, then the earliest arrival")
  func order() {
    // Ready at 10. The third job is due first: 10…20, then the second until 30, then the first until 40.
    let jobs = [
      job(at: 0, seconds: 10), job(at: 0, seconds: 10, deadline: 30), job(at: 1, seconds: 10, deadline: 20),
    ]
    let score = run(trace(jobs), [(0, .count(1, .youngest))])
    #expect(score.misses == 0)
  }

  @Test("a worker has as many jobs at a time as slots")
  func slots() {
    let jobs = [job(at: 0, seconds: 20, deadline: 30), job(at: 0, seconds: 20, deadline: 30)]
    #expect(run(trace(slots: 2, jobs), [(0, .count(1, .youngest))]).misses == 0)
    #expect(run(trace(slots: 1, jobs), [(0, .count(1, .youngest))]).misses == 1)
  }

  @Test("the simulation continues after the trace until the work is done")
  func continues() {
    // 10…160: the worker costs 160 s although the trace has 100.
    let score = run(trace([job(at: 0, seconds: 150, deadline: 150)]), [(0, .count(1, .youngest))])
    #expect(score.misses == 1)
    #expect(score.lateSeconds == 10)
    #expect(score.workerSeconds == 160)
  }

  @Test("work that no worker takes is missed, and the simulation ends")
  func never() {
    let score = run(trace([job(at: 0, seconds: 1, deadline: 50), job(at: 0, seconds: 1)]), [])
    #expect(score.misses == 2)
    #expect(score.unfinished == 2)
    #expect(score.workerSeconds == 0)
    // A day after the trace's 100 s.
    #expect(score.lateSeconds == 86_450)
  }

  @Test("a busy worker that a platform ends is killed after the grace, and its job begins again")
  func killed() {
    // Ready at 10; ended at 20 and killed at 25; a new one from 30, ready at 40, runs 40…90.
    let score = run(
      trace([job(at: 0, seconds: 50, deadline: 90)]),
      [(0, .count(1, .youngest)), (20, .count(0, .youngest)), (30, .count(1, .youngest))])
    #expect(score.runningKilled == 1)
    #expect(score.misses == 0)
    #expect(score.workerSeconds == 25 + 70)
    #expect(score.directionChanges == 2)
  }

  @Test("a job that comes to a checkpoint within the grace yields there, and keeps what it did")
  func yields() {
    // Ready at 10, checkpoints at 22, 34, …; ended at 20, yields at 22. From 40: 38 s are left, until 78.
    let steps: [(at: Double, decision: FleetDecision)] = [
      (0, .count(1, .youngest)), (20, .count(0, .youngest)), (30, .count(1, .youngest)),
    ]
    let score = run(trace(checkpoint: 12, [job(at: 0, seconds: 50, deadline: 78)]), steps)
    #expect(score.runningKilled == 0)
    #expect(score.misses == 0)
    #expect(score.workerSeconds == 22 + 70)
    #expect(run(trace(checkpoint: 12, [job(at: 0, seconds: 50, deadline: 77)]), steps).misses == 1)
  }

  @Test("a job that ends within the grace ends")
  func grace() {
    let score = run(
      trace([job(at: 0, seconds: 14, deadline: 24)]), [(0, .count(1, .youngest)), (20, .count(0, .youngest))])
    #expect(score.runningKilled == 0)
    #expect(score.misses == 0)
    #expect(score.workerSeconds == 24)
  }

  @Test("a named drain has no limit and kills nothing")
  func drain() {
    // Worker 0 runs 10…60 and is to drain at 20: it ends with its job, as there are no checkpoints.
    let score = run(
      trace([job(at: 0, seconds: 50)]),
      [(0, .count(1, .youngest)), (20, .count(0, .named(stops: [], drains: [0], yields: [])))])
    #expect(score.runningKilled == 0)
    #expect(score.workerSeconds == 60)
  }

  @Test("a named stop of a busy worker does nothing")
  func stop() {
    let score = run(
      trace([job(at: 0, seconds: 50)]),
      [(0, .count(1, .youngest)), (20, .count(0, .named(stops: [0], drains: [], yields: [])))])
    #expect(score.runningKilled == 0)
    #expect(score.workerSeconds == 100)
  }

  @Test("the largest job is killed when memory is exhausted, and begins again after a wait")
  func memory() {
    // Two workers, ready at 10: 6 + 5 GB of 10. The larger is killed at 10 and again at 20, and runs 40…60.
    let score = run(
      trace(memory: 10, [job(at: 0, seconds: 21, memory: 5), job(at: 0, seconds: 20, memory: 6, deadline: 60)]),
      [(0, .count(2, .youngest))])
    #expect(score.memoryKills == 2)
    #expect(score.misses == 0)
    #expect(score.workerSeconds == 200)
  }

  @Test("a job that alone needs more than there is is dead after three attempts")
  func tooLarge() {
    let score = run(trace(memory: 10, [job(at: 0, seconds: 20, memory: 11)]), [(0, .count(1, .youngest))])
    #expect(score.memoryKills == 3)
    #expect(score.unfinished == 1)
    #expect(score.misses == 1)
  }

  @Test("a worker for one job ends with it, and one without a job ends at once")
  func oneJob() {
    // Two start at 0 and are ready at 10: one runs until 30, the other ends.
    let score = run(trace([job(at: 0, seconds: 20)]), [(0, .start(2))])
    #expect(score.workerSeconds == 10 + 30)
    #expect(score.peakWorkers == 2)
  }

  @Test("a crash costs what came after the checkpoint, and the count is kept up")
  func crash() {
    // Ready at 10, checkpoint at 20, crash at 25. The next is ready at 35: 40 s are left, until 75.
    let jobs = [job(at: 0, seconds: 50, deadline: 75)]
    let crashed = trace(checkpoint: 10, jobs, [.init(at: 25, kind: .crash)])
    let score = run(crashed, [(0, .count(1, .youngest))])
    #expect(score.misses == 0)
    #expect(score.runningKilled == 0)
    #expect(score.workerSeconds == 25 + 75)
  }

  @Test("a deploy replaces workers at their checkpoints")
  func deploy() {
    // Ready at 10, deploy at 25: the old one yields at 30, the new one is ready at 35: 30 s are left, until 65.
    let jobs = [job(at: 0, seconds: 50, deadline: 65)]
    let score = run(
      trace(checkpoint: 10, jobs, [.init(at: 25, kind: .deploy)]), [(0, .count(1, .youngest))])
    #expect(score.misses == 0)
    #expect(score.workerSeconds == 30 + 75)
    #expect(score.peakWorkers == 2)
  }

  @Test("the launcher has no more workers at a time than the header says, draining ones included")
  func launcherLimit() {
    // One at most. Deploy at 25: the old one yields at 30 and only then the new one starts, ready at 40: 30 s are left, until 70.
    var limited = trace(checkpoint: 10, [job(at: 0, seconds: 50, deadline: 70)], [.init(at: 25, kind: .deploy)])
    limited.header.maxWorkers = 1
    let score = run(limited, [(0, .count(7, .youngest))])
    #expect(score.peakWorkers == 1)
    #expect(score.misses == 0)
    #expect(score.workerSeconds == 100)
  }

  @Test("in a gap a policy sees what was measured before it")
  func gap() {
    final class Seen { var views: [FleetView] = [] }
    struct Watching: FleetPolicy {
      let interval = 10.0
      let seen: Seen
      mutating func decide(_ view: FleetView) -> FleetDecision {
        seen.views.append(view)
        return .hold
      }
    }
    let seen = Seen()
    let jobs = [job(at: 5, seconds: 1), job(at: 15, seconds: 1), job(at: 35, seconds: 1)]
    _ = SimulatedFleet.run(
      trace(seconds: 50, jobs, [.init(at: 12, kind: .metricsGap, seconds: 20)]), policy: Watching(seen: seen))
    let views = seen.views.prefix(5)
    #expect(views.map(\.now) == [0, 10, 20, 30, 40])
    #expect(views.map(\.measuredAt) == [0, 10, 10, 10, 40])
    #expect(views.map(\.queued) == [0, 1, 1, 1, 3])
    #expect(views.map(\.arrived.count) == [0, 1, 0, 0, 2])
  }
}
