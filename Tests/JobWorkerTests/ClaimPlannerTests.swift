import JobModel
import JobStore
import Testing

@testable import JobWorker

/// Time as a planner is told it.
struct Tick: InstantProtocol {
  var time: Duration = .zero
  func advanced(by duration: Duration) -> Tick { Tick(time: time + duration) }
  func duration(to other: Tick) -> Duration { other.time - time }
  static func < (left: Tick, right: Tick) -> Bool { left.time < right.time }
}

@Suite("Claim planner")
struct ClaimPlannerTests {
  private func lane(
    _ id: Int64, _ pipeline: String, class urgencyClass: Int = 0, weight: Double = 1, lowest: Int64 = 1
  ) -> ReadyLane {
    ReadyLane(id: id, pipeline: pipeline, stage: "s", urgencyClass: urgencyClass, weight: weight, lowest: lowest)
  }

  private func claim(_ job: Int64, _ lane: ReadyLane) -> Claim {
    Claim(
      jobID: JobID(job), runID: nil, releaseID: nil, epoch: 1, ticket: 1, attempt: 1, maximumAttempts: 3, kind: "k",
      label: "l", laneID: lane.id, pipeline: lane.pipeline, stage: lane.stage, payload: "{}", runAt: nil, mark: nil)
  }

  /// A planner whose first survey has found these.
  private func planner(_ lanes: [ReadyLane]) -> ClaimPlanner<Tick> {
    var planner = ClaimPlanner(now: Tick())
    _ = planner.next(free: 1, now: Tick())
    planner.surveyed(lanes, took: .milliseconds(1), poll: .milliseconds(200), now: Tick())
    return planner
  }

  private func asked(_ action: ClaimPlanner<Tick>.Action) -> ClaimRequest? {
    if case .claim(let request) = action { request } else { nil }
  }

  private func isSurvey(_ action: ClaimPlanner<Tick>.Action) -> Bool {
    if case .survey = action { true } else { false }
  }

  /// When it looks again by itself; nil where it does something at once, or nothing before an attempt ends.
  private func waits(_ action: ClaimPlanner<Tick>.Action) -> Duration? {
    if case .wait(let until) = action { until?.time } else { nil }
  }

  // MARK: - Order

  @Test("begins with a survey, and asks for nothing while no slot is free")
  func beginning() {
    var planner = ClaimPlanner(now: Tick())
    guard case .wait(nil) = planner.next(free: 0, now: Tick()) else {
      Issue.record("a worker without a free slot waits for the end of an attempt")
      return
    }
    #expect(isSurvey(planner.next(free: 1, now: Tick())))
  }

  @Test("the more urgent class is served alone until it has nothing left")
  func classes() throws {
    let (urgent, usual) = (lane(1, "a", class: -5), lane(2, "b", weight: 1000))
    var planner = planner([usual, urgent])
    let first = try #require(asked(planner.next(free: 100, now: Tick())))
    #expect(first.lanes.map(\.lane.id) == [1])
    planner.claimed(first, (1...Int64(first.each.rawValue)).map { claim($0, urgent) })
    let second = try #require(asked(planner.next(free: 50, now: Tick())))
    #expect(second.lanes.map(\.lane.id) == [1])
    planner.claimed(second, [])
    let third = try #require(asked(planner.next(free: 50, now: Tick())))
    #expect(third.lanes.map(\.lane.id) == [2])
  }

  @Test("within a class the earliest deadline is served first, then the later ones, then what has none")
  func deadlines() throws {
    let urgent = lane(4, "d", class: -1, lowest: 40)
    var (early, late) = (lane(1, "a", lowest: 30), lane(2, "b", lowest: 20))
    (early.deadline, late.deadline) = (1000, 2000)
    var planner = planner([lane(3, "c", lowest: 10), late, early, urgent])
    var served: [Int64] = []
    while let request = asked(planner.next(free: 5, now: Tick())) {
      served += request.lanes.map(\.lane.id)
      planner.claimed(request, [])
    }
    #expect(served == [4, 1, 2, 3])
  }

  @Test("pipelines with one deadline share by weight; one that waits for long gets every eighth claim, whatever is due")
  func deadlineShares() throws {
    var (first, second, patient) = (lane(1, "a"), lane(2, "b"), lane(3, "c"))
    (first.deadline, second.deadline) = (1000, 1000)
    var planner = planner([first, second, patient])
    let shared = try #require(asked(planner.next(free: 20, now: Tick())))
    #expect(Set(shared.lanes.map(\.lane.id)) == [1, 2])
    second.deadline = nil
    patient.waited = 300
    planner = self.planner([first, second, patient])
    var served: [Int64] = []
    for job in 1...16 {
      let request = try #require(asked(planner.next(free: 1, now: Tick())))
      let lane = try #require(request.lanes.first?.lane)
      served.append(lane.id)
      let one = claim(Int64(job), lane)
      planner.claimed(request, [one])
      planner.ended(one)
    }
    #expect(served == [1, 1, 1, 1, 1, 1, 1, 3, 1, 1, 1, 1, 1, 1, 1, 3])
  }

  @Test("the urgent class comes first again as soon as it rings")
  func urgentAgain() throws {
    let (urgent, usual) = (lane(1, "a", class: -5), lane(2, "b"))
    var planner = planner([usual, urgent])
    let first = try #require(asked(planner.next(free: 1, now: Tick())))
    planner.claimed(first, [])
    #expect(asked(planner.next(free: 1, now: Tick()))?.lanes.map(\.lane.id) == [2])
    planner.rung([1], now: Tick())
    #expect(asked(planner.next(free: 1, now: Tick()))?.lanes.map(\.lane.id) == [1])
  }

  @Test("asks for as many of each lane as a plan is there for, never more than are free", arguments: 1...260)
  func batches(free: Int) throws {
    var planner = planner([lane(1, "a")])
    let request = try #require(asked(planner.next(free: free, now: Tick())))
    #expect(request.each == ClaimBatch.largest(within: free))
    #expect(request.each.rawValue <= free)
  }

  @Test("all lanes of a claim together ask for no more than are free", arguments: [1, 2, 3, 7, 10, 49, 100, 200, 500])
  func neverTooMany(free: Int) throws {
    for pipelines in [1, 2, 3, 10, 99, 300] {
      let lanes = (1...Int64(pipelines)).map { lane($0, "p\($0)", weight: 0.5 + Double($0 % 7), lowest: $0) }
      var planner = planner(lanes)
      let request = try #require(asked(planner.next(free: free, now: Tick())))
      #expect(request.lanes.count * request.each.rawValue <= free)
      #expect(Set(request.lanes.map(\.lane.id)).count == request.lanes.count)
    }
  }

  // MARK: - Shares

  /// A worker's slots and lanes that never run dry; attempts end in the order in which they began.
  private struct Worker {
    var planner: ClaimPlanner<Tick>
    let lanes: [Int64: ReadyLane]
    let slots: Int
    var running: [Claim] = []
    var done: [String: Int] = [:]
    var turns = 0
    private var next: Int64 = 1

    init(_ planner: ClaimPlanner<Tick>, _ lanes: [ReadyLane], slots: Int) {
      self.planner = planner
      self.lanes = Dictionary(uniqueKeysWithValues: lanes.map { ($0.id, $0) })
      self.slots = slots
    }

    mutating func fill(_ make: (Int64, ReadyLane) -> Claim) {
      while running.count < slots, case .claim(let request) = planner.next(free: slots - running.count, now: Tick()) {
        turns += 1
        var claims: [Claim] = []
        for (lane, _) in request.lanes {
          for _ in 0..<request.each.rawValue {
            claims.append(make(next, lane))
            next += 1
          }
        }
        planner.claimed(request, claims)
        running += claims
      }
    }

    mutating func end(_ count: Int) {
      for claim in running.prefix(count) {
        done[claim.pipeline, default: 0] += 1
        planner.ended(claim)
      }
      running.removeFirst(min(count, running.count))
    }
  }

  @Test("shares go by weight over many turns", arguments: [1, 3, 16], [4, 40, 200])
  func weights(ending: Int, slots: Int) {
    let lanes = [lane(1, "a", weight: 3), lane(2, "b", weight: 1), lane(3, "c", weight: 0.5)]
    var worker = Worker(planner(lanes), lanes, slots: slots)
    for _ in 0..<(20_000 / ending) {
      worker.fill(claim)
      worker.end(ending)
    }
    let all = Double(worker.done.values.reduce(0, +))
    for (pipeline, share) in [("a", 3 / 4.5), ("b", 1 / 4.5), ("c", 0.5 / 4.5)] {
      let measured = Double(worker.done[pipeline] ?? 0) / all
      // What is in hand is whole jobs, which tells most where they are few.
      #expect(abs(measured - share) < (slots < 10 ? 0.1 : 0.03), "\(pipeline): \(measured), not \(share)")
    }
  }

  @Test("a million jobs of one pipeline do not delay another's: it has the next slot that is free")
  func crowd() throws {
    let crowd = lane(1, "crowd")
    var worker = Worker(planner([crowd, lane(2, "other", lowest: 999_999)]), [crowd], slots: 20)
    let empty = try #require(asked(worker.planner.next(free: 1, now: Tick())))
    worker.planner.claimed(empty, [])
    _ = asked(worker.planner.next(free: 1, now: Tick())).map { worker.planner.claimed($0, []) }
    worker.planner.rung([1], now: Tick())
    worker.fill(claim)
    #expect(worker.running.count == 20 && worker.running.allSatisfy { $0.pipeline == "crowd" })

    worker.planner.rung([2], now: Tick())
    worker.end(1)
    #expect(asked(worker.planner.next(free: 1, now: Tick()))?.lanes.map(\.lane.pipeline) == ["other"])
    // And of several, by far the larger part until both have the same.
    worker.end(9)
    let request = try #require(asked(worker.planner.next(free: 10, now: Tick())))
    #expect(request.lanes.map(\.lane.pipeline) == ["other"] && request.each == .ten)
  }

  @Test("what one pipeline does not need goes to the others")
  func workConserving() throws {
    let lanes = [lane(1, "a", weight: 100), lane(2, "b")]
    var planner = planner(lanes)
    while let request = asked(planner.next(free: 50, now: Tick())), request.lanes.contains(where: { $0.lane.id == 1 }) {
      planner.claimed(request, request.lanes.filter { $0.lane.id == 2 }.map { claim(1, $0.lane) })
    }
    let request = try #require(asked(planner.next(free: 50, now: Tick())))
    #expect(request.lanes.map(\.lane.id) == [2] && request.each == .fifty)
  }

  @Test("the lanes of one pipeline share its part, the oldest first")
  func lanesOfOnePipeline() throws {
    let lanes = [lane(1, "a", lowest: 500), lane(2, "a", lowest: 7), lane(3, "b", lowest: 900)]
    var planner = planner(lanes)
    let request = try #require(asked(planner.next(free: 2, now: Tick())))
    #expect(request.lanes.map(\.lane.id).sorted() == [2, 3])
    #expect(request.lanes.map(\.from).sorted() == [7, 900])
  }

  @Test("300 lanes and fewer slots: all free slots are filled in one claim, and each lane has its turn")
  func manyLanes() throws {
    let lanes = (1...300).map { lane(Int64($0), "p\($0)", lowest: Int64($0)) }
    var worker = Worker(planner(lanes), lanes, slots: 100)
    worker.fill(claim)
    #expect(worker.turns == 1)
    #expect(worker.running.count == 100)
    for _ in 0..<60 {
      worker.end(50)
      worker.fill(claim)
    }
    #expect(worker.turns == 61)
    worker.end(100)
    #expect(worker.done.count == 300)
    #expect((worker.done.values.max() ?? 0) - (worker.done.values.min() ?? 0) <= 2)
  }

  // MARK: - Watermarks

  @Test("a claim begins at the lowest job of the one before, and a survey sets it back")
  func watermark() throws {
    let only = lane(1, "a", lowest: 10)
    var planner = planner([only])
    let first = try #require(asked(planner.next(free: 10, now: Tick())))
    #expect(first.lanes.map(\.from) == [10])
    planner.claimed(first, (20...29).reversed().map { claim($0, only) })
    let second = try #require(asked(planner.next(free: 10, now: Tick())))
    #expect(second.lanes.map(\.from) == [20])
    planner.claimed(second, [])
    let later = Tick(time: .seconds(1))
    #expect(isSurvey(planner.next(free: 10, now: later)))
    planner.surveyed([lane(1, "a", lowest: 3)], took: .milliseconds(1), poll: .milliseconds(200), now: later)
    #expect(asked(planner.next(free: 10, now: later))?.lanes.map(\.from) == [3])
  }

  @Test("a claim that brings fewer than asked closes the lane until it rings or a survey finds it")
  func closing() throws {
    let only = lane(1, "a")
    var planner = planner([only])
    let first = try #require(asked(planner.next(free: 10, now: Tick())))
    planner.claimed(first, [claim(1, only)])
    #expect(waits(planner.next(free: 9, now: Tick())) == .milliseconds(25))
    planner.rung([1], now: Tick())
    #expect(asked(planner.next(free: 9, now: Tick())) != nil)
  }

  @Test(
    "who waited for a permit stands below the watermark: it is set back, also while a claim or a survey is under way")
  func passedOn() throws {
    let only = lane(1, "a", lowest: 10)
    var planner = planner([only])
    let first = try #require(asked(planner.next(free: 1, now: Tick())))
    planner.claimed(first, [claim(50, only)])
    planner.passedOn([1: JobID(12), 9: JobID(1)])
    let second = try #require(asked(planner.next(free: 1, now: Tick())))
    #expect(second.lanes.map(\.from) == [12])
    planner.passedOn([1: JobID(11)])
    planner.claimed(second, [claim(12, only)])
    #expect(asked(planner.next(free: 1, now: Tick()))?.lanes.map(\.from) == [11])
    let later = Tick(time: .seconds(1))
    #expect(isSurvey(planner.next(free: 1, now: later)))
    planner.passedOn([1: JobID(7)])
    planner.surveyed([lane(1, "a", lowest: 60)], took: .zero, poll: .milliseconds(200), now: later)
    #expect(asked(planner.next(free: 1, now: later))?.lanes.map(\.from) == [7])
  }

  // MARK: - Rings

  @Test("a ring while a claim is under way is not lost: the claim's snapshot may be older")
  func ringDuringClaim() throws {
    let only = lane(1, "a")
    var planner = planner([only])
    let first = try #require(asked(planner.next(free: 10, now: Tick())))
    planner.rung([1], now: Tick())
    planner.claimed(first, [])
    let again = try #require(asked(planner.next(free: 10, now: Tick())))
    planner.claimed(again, [])
    #expect(asked(planner.next(free: 10, now: Tick())) == nil)
  }

  @Test("a ring while a survey is under way is not lost, of a known lane or of a new one")
  func ringDuringSurvey() throws {
    var planner = planner([lane(1, "a")])
    let first = try #require(asked(planner.next(free: 1, now: Tick())))
    planner.claimed(first, [])
    let later = Tick(time: .seconds(1))
    #expect(isSurvey(planner.next(free: 1, now: later)))
    planner.rung([1, 2], now: later)
    planner.surveyed([], took: .milliseconds(1), poll: .milliseconds(200), now: later)
    let known = try #require(asked(planner.next(free: 1, now: later)))
    #expect(known.lanes.map(\.lane.id) == [1])
    planner.claimed(known, [])
    planner.rung([1], now: later)
    // The new one has to be surveyed for, and that not before the shortest gap.
    let soon = later.advanced(by: .milliseconds(25))
    #expect(isSurvey(planner.next(free: 1, now: soon)))
  }

  @Test("an unknown lane that rings while nothing is under way is surveyed for at once")
  func newLane() {
    var planner = planner([])
    let idle = Tick(time: .milliseconds(100))
    #expect(waits(planner.next(free: 1, now: idle)) == .milliseconds(200))
    planner.rung([9], now: idle)
    #expect(isSurvey(planner.next(free: 1, now: idle)))
  }

  // MARK: - Pace

  @Test(
    "surveys take at most a twentieth of the time, and come every 25 ms to 2 s",
    arguments: [(0, 25), (1, 25), (10, 200), (60, 1200), (500, 2000)])
  func pace(took: Int, gap: Int) {
    var planner = ClaimPlanner(now: Tick())
    _ = planner.next(free: 1, now: Tick())
    planner.surveyed([lane(1, "a")], took: .milliseconds(took), poll: .milliseconds(200), now: Tick())
    while let request = asked(planner.next(free: 1, now: Tick())) { planner.claimed(request, []) }
    #expect(waits(planner.next(free: 1, now: Tick())) == .milliseconds(gap))
    #expect(isSurvey(planner.next(free: 1, now: Tick(time: .milliseconds(gap)))))
  }

  @Test("where nothing is to be done the poll is the gap")
  func idle() {
    var planner = planner([])
    #expect(waits(planner.next(free: 1, now: Tick())) == .milliseconds(200))
  }

  @Test("lanes that other workers serve may ring as they like: the pace is kept")
  func foreignRings() {
    var planner = ClaimPlanner(now: Tick())
    var surveys = 0
    for step in 0..<10_000 {
      let now = Tick(time: .microseconds(100) * step)
      planner.rung([77], now: now)
      if isSurvey(planner.next(free: 1, now: now)) {
        surveys += 1
        planner.rung([77], now: now)
        planner.surveyed([], took: .milliseconds(1), poll: .milliseconds(200), now: now)
      }
    }
    #expect(surveys <= 41, "a second has room for 40 of them")
    #expect(surveys >= 39)
  }

  @Test("after a lost connection everything is looked at anew")
  func forget() {
    var planner = planner([])
    planner.forget(now: Tick(time: .milliseconds(1)))
    #expect(isSurvey(planner.next(free: 1, now: Tick(time: .milliseconds(1)))))
  }
}
