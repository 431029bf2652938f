import JobModel
import Launchers
import Testing

@testable import ControlPlane
@testable import JobStore

@Suite("What a pool does after each look at its workers")
struct PoolStateTests {
  private let start = ContinuousClock.now
  private let tick = Duration.milliseconds(200)

  private func release(_ id: Int64, _ state: ReleaseState = .current) -> JobStore.ReleaseRecord {
    JobStore.ReleaseRecord(
      id: id, contentHash: "h\(id)", state: state, engine: "1", formats: EngineFormats(), ramp: 0, looks: 0,
      failedStarts: 0, createdAt: "", changedAt: "", secondsInState: 1000)
  }

  private func worker(_ id: Int64, of release: Int64?, busy: Int = 0, draining: Bool = false) -> WorkerRecord {
    WorkerRecord(
      id: id, host: "h", pid: Int(id), engine: "1", slots: 2, busy: busy, startedAt: "", beatAt: "",
      draining: draining, servesOneRun: false, releaseID: release)
  }

  private func handle(_ id: Int64) -> WorkerHandle { WorkerHandle("w\(id)") }

  /// A look at `seconds` after the start, at which every worker that beats exists.
  private func look(
    at seconds: Double, _ workers: [WorkerRecord] = [], living: Set<WorkerHandle> = [],
    releases: [JobStore.ReleaseRecord]? = nil, served: Set<Int64> = [], isDrained: Bool = false
  ) -> PoolState.Look {
    let releases = releases ?? [release(7)]
    return PoolState.Look(
      now: start + .seconds(seconds), fleet: workers,
      handles: Dictionary(uniqueKeysWithValues: workers.map { ($0.id, handle($0.id)) }), living: living,
      releases: releases,
      needs: Dictionary(
        uniqueKeysWithValues: releases.map { ($0.id, JobStore.ReleaseNeed(isServed: served.contains($0.id))) }),
      isDrained: isDrained)
  }

  private func launches(_ steps: [PoolState.Step]) -> [Int64] {
    steps.compactMap { if case .launch(let release) = $0 { release } else { nil } }
  }

  @Test("workers that have been launched and beat not yet are counted")
  func counted() {
    var state = PoolState(aim: .host(2), tick: tick)
    #expect(launches(state.steps(after: look(at: 0))) == [7, 7])
    state.launched(handle(1), of: 7, at: start)
    state.launched(handle(2), of: 7, at: start)
    let both: Set = [handle(1), handle(2)]
    #expect(launches(state.steps(after: look(at: 1, living: both))).isEmpty)
    #expect(launches(state.steps(after: look(at: 2, [worker(1, of: 7)], living: both))).isEmpty, "one beats, one comes")
    #expect(launches(state.steps(after: look(at: 3, [worker(2, of: 7)], living: [handle(2)]))).isEmpty, "a pause")
    #expect(launches(state.steps(after: look(at: 9, [worker(2, of: 7)], living: [handle(2)]))) == [7])
  }

  @Test("each start that fails doubles the pause to the next one, up to 128 ticks; a proven worker ends that")
  func pauses() {
    var state = PoolState(aim: .host(1), tick: tick)
    var now = 0.0
    var id: Int64 = 0
    for pause in [0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 25.6] {
      #expect(launches(state.steps(after: look(at: now))) == [7])
      id += 1
      state.launched(handle(id), of: 7, at: start + .seconds(now))
      let steps = state.steps(after: look(at: now + 0.1))
      #expect(steps.contains(.noteStart(release: 7, failed: true)))
      #expect(steps.contains(.tell(.failing("a worker ended before it registered", times: Int(id)))))
      #expect(launches(state.steps(after: look(at: now + 0.1 + pause - 0.01))).isEmpty)
      now += 0.11 + pause
    }
    id += 1
    #expect(launches(state.steps(after: look(at: now))) == [7])
    state.launched(handle(id), of: 7, at: start + .seconds(now))
    _ = state.steps(after: look(at: now + 1, [worker(id, of: 7)], living: [handle(id)]))
    let proven = state.steps(after: look(at: now + 7, [worker(id, of: 7)], living: [handle(id)]))
    #expect(proven == [.noteStart(release: 7, failed: false), .tell(.working)])
    #expect(state.starting.isEmpty)
  }

  @Test("one that does not register in time is told to go, and counts as a start that failed")
  func silent() {
    var state = PoolState(aim: .host(1), tick: tick)
    state.launched(handle(1), of: 7, at: start)
    #expect(state.steps(after: look(at: 19, living: [handle(1)])).isEmpty)
    let steps = state.steps(after: look(at: 21, living: [handle(1)]))
    #expect(steps.starts(with: [.drain(handle(1)), .noteStart(release: 7, failed: true)]))
  }

  @Test("one that ends soon after it registered could not work; one that was told to go could")
  func soonGone() {
    var state = PoolState(aim: .host(1), tick: tick)
    state.launched(handle(1), of: 7, at: start)
    _ = state.steps(after: look(at: 1, [worker(1, of: 7)], living: [handle(1)]))
    var told = state
    #expect(state.steps(after: look(at: 2)).contains(.noteStart(release: 7, failed: true)))
    _ = told.steps(after: look(at: 2, [worker(1, of: 7, draining: true)], living: [handle(1)]))
    #expect(told.steps(after: look(at: 3)) == [.launch(release: 7)])
  }

  @Test("a launcher's refusal pauses its release and no other")
  func refused() {
    var state = PoolState(aim: .host(1), tick: tick)
    let releases = [release(6, .draining), release(7)]
    #expect(launches(state.steps(after: look(at: 0, releases: releases, served: [6]))) == [6, 7])
    let steps = state.launchFailed(of: 7, because: "no room", at: start)
    #expect(steps == [.noteStart(release: 7, failed: true)])
    let next = state.steps(after: look(at: 0.2, releases: releases, served: [6]))
    #expect(next == [.tell(.failing("no room", times: 1)), .launch(release: 6)])
  }

  @Test("on a host that is to be empty idle workers go, busy ones stay until they have finished, and none is started")
  func empty() {
    var state = PoolState(aim: .host(2), tick: tick)
    state.launched(handle(3), of: 7, at: start)
    let workers = [worker(1, of: 7, busy: 1), worker(2, of: 7)]
    let steps = state.steps(after: look(at: 1, workers, living: [handle(3)], isDrained: true))
    #expect(steps.filter { if case .drain = $0 { true } else { false } } == [.drain(handle(2))])
    #expect(launches(steps).isEmpty)
    #expect(state.starting.isEmpty)
  }

  @Test("the last one of a release is started when no pool has served it for five seconds")
  func lonely() {
    var state = PoolState(aim: .lastOnes, tick: tick)
    let releases = [release(6, .draining), release(7)]
    #expect(launches(state.steps(after: look(at: 0, releases: releases, served: [6]))).isEmpty)
    #expect(launches(state.steps(after: look(at: 4, releases: releases, served: [6]))).isEmpty)
    #expect(launches(state.steps(after: look(at: 6, releases: releases, served: [6]))) == [6])
    var other = look(at: 7, [worker(1, of: 6)], releases: releases, served: [6])
    other.handles = [:]
    #expect(launches(state.steps(after: other)).isEmpty, "somebody else's worker serves it")
    #expect(launches(state.steps(after: look(at: 8, releases: releases, served: [6]))).isEmpty, "counted from new")
  }

  /// A look of a pool that follows a decision.
  private func scaled(
    at seconds: Double, _ counts: [Int64: Int], _ workers: [WorkerRecord] = [], stops: Set<Int64> = [],
    drains: Set<Int64> = [], launchesFor left: Double? = 10, living: Set<WorkerHandle> = []
  ) -> PoolState.Look {
    var look = look(at: seconds, workers, living: living)
    look.allotment = ScalingBoard.Allotment(
      epoch: 1, counts: counts, stops: stops, drains: drains,
      launchesUntil: left.map { start + .seconds(seconds + $0) })
    return look
  }

  private func drained(_ steps: [PoolState.Step]) -> [WorkerHandle] {
    steps.compactMap { if case .drain(let worker) = $0 { worker } else { nil } }
  }

  @Test("a pool that follows a decision starts what is missing, and nothing before the first decision")
  func followed() {
    var state = PoolState(aim: .scaled, tick: tick)
    #expect(state.steps(after: look(at: 0)).isEmpty)
    #expect(state.steps(after: scaled(at: 1, [:])) == [.tell(.notNeeded)])
    #expect(launches(state.steps(after: scaled(at: 2, [7: 2]))) == [7, 7])
    state.launched(handle(1), of: 7, at: start + .seconds(2))
    #expect(state.coming == [ScalingBoard.Coming(release: 7, since: start + .seconds(2))])
    #expect(launches(state.steps(after: scaled(at: 3, [7: 2], living: [handle(1)]))) == [7])
    let registered = state.steps(after: scaled(at: 4, [7: 1], [worker(1, of: 7)], living: [handle(1)]))
    #expect(registered == [.measured(.seconds(2)), .tell(.working)])
    #expect(state.coming.isEmpty)
  }

  @Test("a decision whose lease has run out, and one of another process, start no worker and let go all the same")
  func unled() {
    var state = PoolState(aim: .scaled, tick: tick)
    let workers = [worker(1, of: 7), worker(2, of: 7, busy: 1)]
    #expect(launches(state.steps(after: scaled(at: 0, [7: 4], workers, launchesFor: -1))).isEmpty)
    let steps = state.steps(after: scaled(at: 1, [7: 1], workers, stops: [1], launchesFor: nil))
    #expect(launches(steps).isEmpty)
    #expect(drained(steps) == [handle(1)])
  }

  @Test(
    "only what the decision names goes, once: an idle worker that found a job stays, a busy one finishes when it is named"
  )
  func dismissed() {
    var state = PoolState(aim: .scaled, tick: tick)
    let workers = [worker(1, of: 7, busy: 1), worker(2, of: 7), worker(3, of: 7, busy: 1), worker(4, of: 7)]
    let steps = state.steps(after: scaled(at: 0, [7: 1], workers, stops: [1, 2], drains: [3]))
    #expect(drained(steps) == [handle(2), handle(3)])
    #expect(drained(state.steps(after: scaled(at: 1, [7: 1], workers, stops: [1, 2], drains: [3]))).isEmpty)
  }

  @Test("what goes is marked in the database, and never more go than are too many, whatever a decision names")
  func bounded() {
    var state = PoolState(aim: .scaled, tick: tick)
    let workers = (1...5).map { worker($0, of: 7, busy: 2) }
    let first = state.steps(after: scaled(at: 0, [7: 3], workers, drains: [1, 2]))
    #expect(drained(first) == [handle(1), handle(2)])
    #expect(first.contains(.askToDrain(worker: 1, handle(1))))
    #expect(first.contains(.askToDrain(worker: 2, handle(2))))
    // The decision was made before the workers were seen to drain.
    #expect(drained(state.steps(after: scaled(at: 1, [7: 3], workers, drains: [4, 5]))).isEmpty)
    let draining = (1...5).map { worker($0, of: 7, busy: 2, draining: $0 < 3) }
    #expect(drained(state.steps(after: scaled(at: 2, [7: 3], draining, stops: [3], drains: [4, 5]))).isEmpty)
    let fewer = state.steps(after: scaled(at: 3, [7: 2], draining, drains: [4, 5]))
    #expect(drained(fewer) == [handle(4)])
    #expect(launches(fewer).isEmpty)
  }

  @Test("workers of other hosts count, a release that comes has a worker at once, and an empty host gets none")
  func elsewhere() {
    var state = PoolState(aim: .scaled, tick: tick)
    var look = scaled(at: 0, [7: 3], [worker(1, of: 7), worker(2, of: 7)])
    look.handles = [1: handle(1)]
    look.elsewhere = [2]
    #expect(launches(state.steps(after: look)) == [7])
    look.releases = [release(7), release(8, .canary)]
    #expect(launches(state.steps(after: look)) == [7, 8])
    look.isDrained = true
    let steps = state.steps(after: look)
    #expect(launches(steps).isEmpty)
    #expect(drained(steps) == [handle(1)])
  }

  @Test("a release that begins to have something to do rings, once")
  func rings() {
    var state = PoolState(aim: .scaled, tick: tick)
    func rings(at seconds: Double, _ served: Set<Int64>) -> Bool {
      state.steps(after: look(at: seconds, releases: [release(6, .draining), release(7)], served: served)).contains(
        .ring)
    }
    #expect(!rings(at: 0, []))
    #expect(rings(at: 1, [7]))
    #expect(!rings(at: 2, [7]))
    #expect(rings(at: 3, [6, 7]))
    #expect(!rings(at: 4, [6]))
    #expect(rings(at: 5, [6, 7]))
  }

  @Test("why starts fail is known until one succeeds")
  func troubles() {
    var state = PoolState(aim: .scaled, tick: tick)
    _ = state.launchFailed(of: 7, because: "no room", at: start)
    #expect(state.troubles == [7: "no room"])
    _ = state.launchFailed(of: 7, because: "no room", at: start)
    #expect(state.troubles == [7: "no room, 2 times in a row"])
    #expect(launches(state.steps(after: scaled(at: 0.1, [7: 1]))).isEmpty, "a pause")
    state.launched(handle(1), of: 7, at: start + .seconds(2))
    _ = state.steps(after: scaled(at: 3, [7: 1], [worker(1, of: 7)], living: [handle(1)]))
    _ = state.steps(after: scaled(at: 9, [7: 1], [worker(1, of: 7)], living: [handle(1)]))
    #expect(state.troubles.isEmpty)
  }
}
