import JobStore
import Testing

@testable import sluice

@Suite("What follows from a look at the environments that are served")
struct ServingStateTests {
  private let start = ContinuousClock.now
  private let ready = QueueDemand(isReady: true)

  private func seen(_ name: String, writes: String = "1", isServed: Bool = false) -> ServingState.Seen {
    ServingState.Seen(name: name, token: "t-\(name)", database: "d-\(name)", writes: writes, isServed: isServed)
  }

  @Test(
    "one is asked at first, and then only when something was written, a verb said so, a job is due, or its process ended"
  )
  func asks() {
    var state = ServingState(most: 2)
    #expect(state.looked([seen("a")], running: [], at: start).map(\.name) == ["a"])
    #expect(state.looked([seen("a")], running: [], at: start).map(\.name) == ["a"], "it was not asked")
    state.asked("t-a", QueueDemand(dueSeconds: 60), at: start)
    #expect(state.starts(at: start) == [] && !state.isBusy)
    #expect(state.looked([seen("a")], running: [], at: start + .seconds(59)) == [])
    #expect(state.looked([seen("a")], running: [], at: start + .seconds(60)).map(\.name) == ["a"])
    state.asked("t-a", QueueDemand(), at: start)
    #expect(state.looked([seen("a")], running: [], at: start) == [])
    state.woken("a")
    #expect(state.looked([seen("a")], running: [], at: start).map(\.name) == ["a"])
    state.asked("t-a", QueueDemand(), at: start)
    #expect(state.looked([seen("a", writes: "2")], running: [], at: start).map(\.name) == ["a"])
    state.asked("t-a", ready, at: start)
    #expect(state.starts(at: start).map(\.name) == ["a"])
    #expect(state.looked([seen("a", writes: "3")], running: ["a"], at: start) == [])
    #expect(state.starts(at: start) == [] && state.isBusy)
    #expect(state.looked([seen("a", writes: "3")], running: [], at: start).map(\.name) == ["a"])
  }

  @Test("one that others serve gets no process, and what runs without one is looked at again")
  func served() {
    var state = ServingState(most: 2)
    #expect(state.looked([seen("a", isServed: true), seen("b")], running: [], at: start).map(\.name) == ["b"])
    state.asked("t-b", QueueDemand(isRunning: true), at: start)
    #expect(state.starts(at: start) == [] && !state.isBusy)
    let later = start + ServingState.recheck
    #expect(state.looked([seen("a"), seen("b")], running: [], at: later).map(\.name) == ["a", "b"])
    state.asked("t-b", QueueDemand(isRunning: true, isLost: true), at: later)
    #expect(state.starts(at: later).map(\.name) == ["b"])
  }

  @Test("no more have a process than are allowed at a time, and those that wait longest are next")
  func room() {
    var state = ServingState(most: 2)
    let all = ["c", "b", "a"].map { seen($0) }
    _ = state.looked(all, running: [], at: start)
    for (second, name) in ["c", "b", "a"].enumerated() {
      state.asked("t-\(name)", ready, at: start + .seconds(second))
    }
    #expect(state.starts(at: start).map(\.name) == ["c", "b"])
    #expect(state.waiting == 1)
    _ = state.looked(all, running: ["c", "b"], at: start)
    #expect(state.starts(at: start) == [])
    _ = state.looked(all, running: ["b"], at: start)
    #expect(state.starts(at: start).map(\.name) == ["a"])
  }

  @Test(
    "the process of one that fails is started after a pause that doubles; a good end forgets it; another of the name is new"
  )
  func failures() {
    var state = ServingState(most: 2)
    for pause in [2, 4, 8] {
      _ = state.looked([seen("a")], running: [], at: start)
      state.asked("t-a", ready, at: start)
      state.ended("a", well: false, at: start)
      #expect(state.starts(at: start + .seconds(pause - 1)) == [])
    }
    #expect(state.starts(at: start + .seconds(8)).map(\.name) == ["a"])
    state.ended("a", well: true, at: start)
    _ = state.looked([seen("a")], running: [], at: start)
    state.asked("t-a", ready, at: start)
    state.ended("a", well: false, at: start)
    #expect(state.starts(at: start + .seconds(2)).map(\.name) == ["a"])
    var other = seen("a")
    other.token = "t-other"
    #expect(state.looked([other], running: [], at: start).map(\.token) == ["t-other"])
    #expect(state.environments.keys.sorted() == ["t-other"])
  }
}
