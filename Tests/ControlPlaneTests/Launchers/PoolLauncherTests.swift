import JobModel
import JobStore
import Launchers
import Testing

@testable import ControlPlane
@testable import JobStore

@Suite("What a pool makes of a launcher that is slow, refuses, or loses answers")
struct PoolLauncherTests {
  private let start = ContinuousClock.now
  private let patience = 600.0

  private func state(isShared: Bool = true) -> PoolState {
    PoolState(aim: .scaled, tick: .milliseconds(200), patience: .seconds(patience), isShared: isShared)
  }

  private func launch(_ word: String, of release: Int64 = 7) -> Launch {
    Launch(owner: "sluice-test", release: release, draw: word)
  }

  private func handle(_ word: String) -> WorkerHandle { WorkerHandle(launch(word).id) }

  private func worker(_ id: Int64, _ word: String, busy: Int = 0) -> WorkerRecord {
    WorkerRecord(
      id: id, host: "far", pid: 1, engine: "1", slots: 2, busy: busy, startedAt: "", beatAt: "", draining: false,
      servesOneRun: false, releaseID: 7, launch: launch(word).id)
  }

  private func look(
    at seconds: Double, wanted: Int, _ workers: [WorkerRecord] = [], listed: [String]? = nil, at begun: Double = 0,
    stops: Set<Int64> = [], leads: Bool = true, living: Set<WorkerHandle>? = nil, in state: PoolState
  ) -> PoolState.Look {
    let current = JobStore.ReleaseRecord(
      id: 7, contentHash: "h", state: .current, engine: "1", formats: EngineFormats(), ramp: 0, looks: 0,
      failedStarts: 0, createdAt: "", changedAt: "", secondsInState: 1000)
    var look = PoolState.Look(
      now: start + .seconds(seconds), fleet: workers,
      handles: Dictionary(
        uniqueKeysWithValues: workers.compactMap { each in each.launch.map { (each.id, WorkerHandle($0)) } }),
      living: living ?? state.starting, releases: [current], needs: [:], isDrained: false)
    look.allotment = ScalingBoard.Allotment(
      epoch: 1, counts: [7: wanted], stops: stops, launchesUntil: leads ? start + .seconds(seconds + 10) : nil)
    look.listing = listed.map { words in
      PoolState.Listing(
        begunAt: start + .seconds(begun), workers: words.map { ListedWorker(handle($0), launch: launch($0)) })
    }
    return look
  }

  private func launches(_ steps: [PoolState.Step]) -> Int { steps.count { $0 == .launch(release: 7) } }
  private func stopped(_ steps: [PoolState.Step]) -> [WorkerHandle] {
    steps.compactMap { if case .drain(let worker) = $0 { worker } else { nil } }
  }

  @Test("starts under way count as coming, and there are eight of them at most")
  func underWay() {
    var state = state()
    #expect(launches(state.steps(after: look(at: 0, wanted: 20, in: state))) == 8)
    for number in 1...8 { state.ask(launch("a\(number)"), at: start) }
    #expect(state.coming.count == 8)
    #expect(state.troubles.isEmpty)
    #expect(launches(state.steps(after: look(at: 60, wanted: 20, in: state))) == 0)
    #expect(state.troubles == [7: "its launcher has not answered for 10 s"])
    state.launched(handle("a1"), of: 7, at: start + .seconds(61), as: launch("a1"))
    #expect(state.coming.count == 8, "it has not registered")
    #expect(launches(state.steps(after: look(at: 62, wanted: 20, in: state))) == 1)
  }

  @Test("of starts that were asked for together one refusal counts, and one start shows whether that is over")
  func refused() {
    var state = state()
    for number in 1...3 { state.ask(launch("a\(number)"), at: start) }
    for number in 1...3 {
      let steps = state.launchFailed(
        launch("a\(number)"), because: "no room", doubt: .refused, at: start + .seconds(number))
      #expect(steps.isEmpty, "the release is not to blame")
    }
    #expect(state.troubles == [7: "no room"])
    #expect(launches(state.steps(after: look(at: 1.3, wanted: 3, in: state))) == 0, "a pause")
    #expect(launches(state.steps(after: look(at: 2, wanted: 3, in: state))) == 1)
    state.ask(launch("b"), at: start + .seconds(4))
    #expect(launches(state.steps(after: look(at: 5, wanted: 3, in: state))) == 0)
    _ = state.launchFailed(launch("b"), because: "no room", doubt: .refused, at: start + .seconds(6))
    #expect(state.troubles == [7: "no room, 2 times in a row"])
    #expect(state.troubles(wanted: [7: 1]) == state.troubles)
    #expect(state.troubles(wanted: [7: 0]).isEmpty && state.troubles(wanted: [:]).isEmpty, "none is to be started")
    // A local start that fails says something of the release.
    state.ask(launch("c"), at: start + .seconds(8))
    let steps = state.launchFailed(launch("c"), because: "no engine", doubt: .none, at: start + .seconds(9))
    #expect(steps == [.noteStart(release: 7, failed: true)])
  }

  @Test("a start whose answer was lost is settled by the worker that registers, or by the next list")
  func lost() {
    var found = state()
    found.ask(launch("a"), at: start)
    #expect(found.launchFailed(launch("a"), because: "no answer", doubt: .unknown, at: start + .seconds(60)).isEmpty)
    #expect(found.coming.count == 1)
    #expect(found.isInDoubt)
    #expect(found.troubles == [7: "no answer"])
    // A list from before says nothing of it.
    #expect(launches(found.steps(after: look(at: 61, wanted: 1, listed: [], at: 59, in: found))) == 0)
    var (missing, listed) = (found, found)

    let registered = found.steps(after: look(at: 62, wanted: 1, [worker(1, "a")], in: found))
    #expect(registered.contains(.measured(.seconds(62))))
    #expect(launches(registered) == 0)
    #expect(found.coming.isEmpty)
    #expect(found.troubles.isEmpty)

    #expect(launches(listed.steps(after: look(at: 62, wanted: 1, listed: ["a"], at: 61, in: listed))) == 0)
    #expect(listed.starting == [handle("a")])
    // Its answer after all changes nothing.
    listed.launched(handle("a"), of: 7, at: start + .seconds(63), as: launch("a"))
    #expect(listed.coming.count == 1)

    let steps = missing.steps(after: look(at: 62, wanted: 1, listed: [], at: 61, in: missing))
    #expect(!steps.contains(.noteStart(release: 7, failed: true)))
    #expect(missing.troubles == [7: "no answer"])
    #expect(missing.coming.isEmpty)
  }

  @Test("where no list comes either, a lost start is given up in the end")
  func givenUp() {
    var state = state()
    state.ask(launch("a"), at: start)
    _ = state.launchFailed(launch("a"), because: "no answer", doubt: .unknown, at: start + .seconds(60))
    state.listed(trouble: "no list")
    #expect(state.allTroubles == [7: "no answer", ScalingReport.launcher: "no list"])
    _ = state.steps(after: look(at: patience - 1, wanted: 1, in: state))
    #expect(state.coming.count == 1)
    _ = state.steps(after: look(at: patience + 1, wanted: 1, in: state))
    #expect(state.coming.isEmpty)
    #expect(state.allTroubles[7] == "no answer")
    state.listed(trouble: nil)
    #expect(state.allTroubles[ScalingReport.launcher] == nil)
  }

  @Test("a worker that ended before it registered is known by a list that began after its start")
  func dying() {
    var state = state()
    state.ask(launch("a"), at: start)
    state.launched(handle("a"), of: 7, at: start + .seconds(5), as: launch("a"))
    let nothing = state.steps(after: look(at: 6, wanted: 1, listed: [], at: 4, in: state))
    #expect(nothing == [.tell(.notNeeded)], "an older list; and sluice up does not wait for other machines")
    let steps = state.steps(after: look(at: 9, wanted: 1, listed: [], at: 8, in: state))
    #expect(steps.contains(.noteStart(release: 7, failed: true)))
    #expect(state.troubles == [7: "a worker ended before it registered"])
  }

  @Test("a worker that registers no more right after it did could not work")
  func soonGone() {
    var state = state()
    state.ask(launch("a"), at: start)
    state.launched(handle("a"), of: 7, at: start + .seconds(1), as: launch("a"))
    _ = state.steps(after: look(at: 2, wanted: 1, [worker(1, "a")], in: state))
    let steps = state.steps(after: look(at: 3, wanted: 1, in: state))
    #expect(steps.contains(.noteStart(release: 7, failed: true)))
  }

  @Test("what an earlier control started is adopted; what never registers is stopped, and again while it is listed")
  func adopted() {
    var state = state()
    let first = state.steps(after: look(at: 0, wanted: 2, [worker(1, "a")], listed: ["a", "b"], in: state))
    #expect(launches(first) == 0, "one works and one comes")
    #expect(state.coming == [ScalingBoard.Coming(release: 7, since: start)])
    let steps = state.steps(
      after: look(at: patience + 1, wanted: 2, [worker(1, "a")], listed: ["a", "b"], at: patience, in: state))
    #expect(stopped(steps) == [handle("b")])
    #expect(state.troubles == [7: "a worker did not register within 600 s"])
    func again(_ seconds: Double) -> [WorkerHandle] {
      stopped(
        state.steps(
          after: look(
            at: patience + seconds, wanted: 1, [worker(1, "a")], listed: ["a", "b"], at: patience + seconds, in: state))
      )
    }
    #expect(again(20).isEmpty)
    #expect(state.coming.isEmpty, "it is not expected any more")
    #expect(again(32) == [handle("b")])
    #expect(again(40).isEmpty)
    #expect(again(63) == [handle("b")])
  }

  @Test("what is left of a worker that an earlier control saw register and end is not counted, and is stopped")
  func ended() {
    var state = state()
    func look(_ seconds: Double) -> PoolState.Look {
      var look = self.look(
        at: seconds, wanted: 3, [worker(1, "a")], listed: ["a", "b", "c"], at: seconds, in: state)
      look.listing?.registered = [launch("a").id, launch("b").id]
      return look
    }
    #expect(launches(state.steps(after: look(0))) == 1, "one works, one comes, one has ended")
    #expect(state.starting == [handle("c")])
    #expect(stopped(state.steps(after: look(29))).isEmpty)
    #expect(stopped(state.steps(after: look(31))) == [handle("b")])
  }

  @Test("a worker that goes is asked through the database; what is left of it is stopped")
  func leaves() {
    var state = state()
    let workers = [worker(1, "a"), worker(2, "b", busy: 1)]
    let steps = state.steps(
      after: look(at: 0, wanted: 1, workers, listed: ["a", "b"], stops: [1, 2], in: state))
    #expect(steps.contains(.askToDrain(worker: 1, handle("a"))))
    #expect(stopped(steps).isEmpty, "the launcher ends none that works")
    state.notStopped(handle("a"), because: "no way there", at: start + .seconds(1))
    #expect(state.allTroubles == [ScalingReport.launcher: "no way there"])
    state.stopped()
    #expect(state.allTroubles.isEmpty)
    func asks(_ seconds: Double) -> Bool {
      state.steps(after: look(at: seconds, wanted: 1, workers, listed: ["a", "b"], stops: [1], in: state))
        .contains(.askToDrain(worker: 1, handle("a")))
    }
    #expect(!asks(2), "a pause")
    #expect(asks(12))
    // Its machine is still there.
    _ = state.steps(after: look(at: 20, wanted: 1, [worker(2, "b")], listed: ["a", "b"], at: 19, in: state))
    #expect(state.coming.isEmpty, "it does not come again")
    let last = state.steps(after: look(at: 51, wanted: 1, [worker(2, "b")], listed: ["a", "b"], at: 50, in: state))
    #expect(stopped(last) == [handle("a")])
  }

  @Test("of several pools that reach the same workers only the one of the process that decides does something")
  func follows() {
    var state = state()
    let workers = [worker(1, "a"), worker(2, "b")]
    let steps = state.steps(
      after: look(at: 0, wanted: 4, workers, listed: ["a", "b", "c"], stops: [1], leads: false, in: state))
    #expect(steps == [.tell(.notNeeded)])
    #expect(launches(state.steps(after: look(at: 1, wanted: 4, workers, in: state))) == 2)
    state.ask(launch("d"), at: start + .seconds(1))
    _ = state.steps(after: look(at: 2, wanted: 4, workers, leads: false, in: state))
    #expect(state.coming.isEmpty, "the other one finds it in its list")
  }

  @Test("a process that begins to decide starts none before it knows those that exist, for 30 s")
  func ignorant() {
    var state = state()
    func look(_ seconds: Double) -> PoolState.Look {
      var look = self.look(at: seconds, wanted: 2, in: state)
      look.awaitsListSince = start
      return look
    }
    #expect(launches(state.steps(after: look(0))) == 0)
    #expect(launches(state.steps(after: look(29))) == 0)
    #expect(state.allTroubles.isEmpty)
    var blind = state
    #expect(launches(blind.steps(after: look(30))) == 2)
    #expect(blind.allTroubles[ScalingReport.launcher]?.contains("has not listed its workers for 30 s") == true)
    blind.listed(trouble: "no way there")
    #expect(blind.allTroubles == [ScalingReport.launcher: "no way there"])

    #expect(launches(state.steps(after: self.look(at: 29, wanted: 2, listed: ["a"], at: 28, in: state))) == 1)
    #expect(state.allTroubles.isEmpty)
  }

  @Test("a process of this machine that an earlier control started and that never registers is stopped")
  func orphan() {
    var state = state(isShared: false)
    let orphan = WorkerHandle("4711")
    func look(_ seconds: Double) -> PoolState.Look {
      var look = self.look(at: seconds, wanted: 1, in: state)
      look.listing = PoolState.Listing(begunAt: start + .seconds(seconds), workers: [ListedWorker(orphan)])
      return look
    }
    #expect(launches(state.steps(after: look(0))) == 1, "it is not counted on")
    #expect(stopped(state.steps(after: look(29))).isEmpty)
    #expect(stopped(state.steps(after: look(31))) == [orphan])
  }
}
