import JobModel
import JobStore
import Testing

@testable import JobWorker

@Suite("When a worker takes a job that must run alone")
struct SuspectTurnsTests {
  private func lane(_ id: Int64, suspect: Int64? = nil, class urgencyClass: Int = 0, lowest: Int64 = .max) -> ReadyLane
  {
    ReadyLane(
      id: id, pipeline: "p\(id)", stage: "s", urgencyClass: urgencyClass, lowest: lowest,
      suspect: suspect.map { JobID($0) })
  }

  private func claim(_ job: Int64, _ lane: ReadyLane) -> Claim {
    Claim(
      jobID: JobID(job), runID: nil, releaseID: nil, epoch: 1, ticket: 1, attempt: 1, maximumAttempts: 3, kind: "k",
      label: "l", laneID: lane.id, pipeline: lane.pipeline, stage: lane.stage, payload: "{}", runAt: nil, mark: nil)
  }

  private func at(_ seconds: Double) -> Tick { Tick(time: .seconds(seconds)) }

  private func told(_ action: ClaimPlanner<Tick>.Action) -> String {
    switch action {
    case .survey: "survey"
    case .claim(let request): request.alone.map { "alone \($0)" } ?? "claim \(request.lanes.map(\.lane.id))"
    case .wait(let until): until.map { "wait \($0.time)" } ?? "wait"
    }
  }

  /// What it does, where it surveys whenever it wants to; what it waits for is granted or not.
  private func next(
    _ planner: inout ClaimPlanner<Tick>, _ lanes: [ReadyLane], free: Int, at seconds: Double,
    grants: (JobID) -> Bool = { _ in true }
  ) -> String {
    let action = planner.next(free: free, now: at(seconds))
    guard case .survey(let job) = action else { return told(action) }
    planner.surveyed(
      lanes, waitingFor: job.flatMap { grants($0) ? $0 : nil }, took: .milliseconds(1), poll: .milliseconds(200),
      now: at(seconds))
    return told(planner.next(free: free, now: at(seconds)))
  }

  @Test("an idle worker takes one, and nothing else until it has ended")
  func idle() {
    var planner = ClaimPlanner(now: at(0))
    let lanes = [lane(1, suspect: 7, lowest: 8), lane(2, lowest: 1)]
    let action = next(&planner, lanes, free: 4, at: 0)
    #expect(action == "alone 7")
    planner.claimed(ClaimRequest(alone: lanes[0])!, [claim(7, lanes[0])])
    let others = [lane(1, lowest: 8), lane(2, lowest: 1)]
    for second in 1...100 {
      let action = next(&planner, others, free: 3, at: Double(second))
      #expect(action == "wait")
    }
    planner.ended(claim(7, lanes[0]))
    let after = next(&planner, others, free: 4, at: 101)
    #expect(after.hasPrefix("claim"))
  }

  @Test(
    "a busy worker takes others for a while, then none, for longer each time, and never more than half of the time none"
  )
  func busy() {
    var planner = ClaimPlanner(now: at(0))
    let long = lane(2, lowest: 1)
    _ = next(&planner, [long], free: 4, at: 0)
    planner.claimed(ClaimRequest(lanes: [(long, 1)], each: .one), [claim(1, long)])
    // One that is done at once each time it is claimed, next to one that goes on.
    var (took, held) = (0, 0)
    var longest = 0
    var inRow = 0
    for tenth in 0..<3000 {
      let action = next(&planner, [lane(1, suspect: 7), long], free: 3, at: Double(tenth) / 10)
      if action.hasPrefix("claim") {
        planner.claimed(ClaimRequest(lanes: [(long, 1)], each: .one), [claim(2, long)])
        planner.ended(claim(2, long))
        took += 1
        inRow = 0
      } else {
        held += 1
        inRow += 1
        longest = max(longest, inRow)
      }
    }
    #expect(took >= held, "took \(took), held \(held)")
    #expect(longest >= 300, "it holds for \(longest) tenths of a second at most: a long job never ends in that time")
    planner.ended(claim(1, long))
    let action = next(&planner, [lane(1, suspect: 7)], free: 4, at: 301)
    #expect(action == "alone 7")
  }

  @Test("a worker whose jobs are longer than every hold takes no others in the end, and is free when they have ended")
  func longJobs() {
    var planner = ClaimPlanner(now: at(0))
    let (one, long) = (lane(1, suspect: 7), lane(2, lowest: 1))
    _ = next(&planner, [long], free: 4, at: 0)
    // Each is as long as an hour, and begins in the next moment in which others may.
    var inHand: [(claim: Claim, endsAt: Int)] = []
    var aloneAt: Int?
    for second in 0..<20_000 where aloneAt == nil {
      for ended in inHand where ended.endsAt <= second { planner.ended(ended.claim) }
      inHand.removeAll { $0.endsAt <= second }
      let free = 4 - inHand.count
      guard free > 0 else { continue }
      let action = next(&planner, [one, long], free: free, at: Double(second))
      if action == "alone 7" { aloneAt = second }
      guard action.hasPrefix("claim") else { continue }
      let new = claim(Int64(100 + second), long)
      planner.claimed(ClaimRequest(lanes: [(long, 1)], each: .one), [new])
      inHand.append((new, second + 3600))
    }
    #expect(aloneAt != nil, "it starves")
    // Another worker has taken it.
    var other = ClaimPlanner(now: at(0))
    other.claimed(ClaimRequest(lanes: [(long, 1)], each: .one), [claim(1, long)])
    for second in 0..<6000 { _ = next(&other, [one, long], free: 3, at: Double(second)) }
    let held = next(&other, [one, long], free: 3, at: 6001)
    #expect(held.hasPrefix("wait"))
    let after = next(&other, [long], free: 3, at: 6002)
    #expect(after == "claim [2]")
  }

  @Test("of several workers one at a time keeps slots free for a job, and another one once it is gone")
  func oneAtATime() {
    let (one, long) = (lane(1, suspect: 7), lane(2, lowest: 1))
    var planners = (0..<3).map { _ in
      var planner = ClaimPlanner(now: at(0))
      planner.claimed(ClaimRequest(lanes: [(long, 1)], each: .one), [claim(1, long)])
      return planner
    }
    // As `suspect_wait.sql` has it.
    var holder: (worker: Int, at: Double)?
    var held = [0, 0, 0]
    for tenth in 0..<6000 {
      let second = Double(tenth) / 10
      var waits = 0
      // The first one ends on its way.
      for worker in planners.indices where worker > 0 || second < 300 {
        let action = next(&planners[worker], [one, long], free: 3, at: second) { _ in
          if let other = holder, other.worker != worker, other.at > second - 5 { return false }
          holder = (worker, second)
          return true
        }
        if action.hasPrefix("wait") {
          waits += 1
          held[worker] += 1
        } else {
          planners[worker].claimed(ClaimRequest(lanes: [(long, 1)], each: .one), [claim(2, long)])
          planners[worker].ended(claim(2, long))
        }
      }
      #expect(waits <= 1, "at \(second) s")
    }
    #expect(held[0] > 0 && held[1] + held[2] > 0, "\(held)")
  }

  @Test("after one has ended, others come first for as long as it took")
  func turns() {
    var planner = ClaimPlanner(now: at(0))
    let (one, long) = (lane(1, suspect: 7), lane(2, lowest: 1))
    _ = next(&planner, [one], free: 4, at: 0)
    planner.claimed(ClaimRequest(alone: one)!, [claim(7, one)])
    planner.ended(claim(7, one))
    let other = lane(1, suspect: 9)
    let first = next(&planner, [other, long], free: 4, at: 30)
    #expect(first == "claim [2]")
    planner.claimed(ClaimRequest(lanes: [(long, 1)], each: .one), [claim(1, long)])
    planner.ended(claim(1, long))
    let still = next(&planner, [other, long], free: 4, at: 59)
    #expect(still == "claim [2]")
    planner.claimed(ClaimRequest(lanes: [(long, 1)], each: .one), [])
    let then = next(&planner, [other, long], free: 4, at: 61)
    #expect(then == "alone 9")
  }

  @Test("more urgent work comes first, and nothing else is waited for where there is none")
  func urgency() {
    var planner = ClaimPlanner(now: at(0))
    let (one, urgent) = (lane(1, suspect: 7, class: 5), lane(2, class: 0, lowest: 1))
    let first = next(&planner, [one, urgent], free: 4, at: 0)
    #expect(first == "claim [2]")
    planner.claimed(ClaimRequest(lanes: [(urgent, 1)], each: .one), [])
    let second = next(&planner, [one], free: 4, at: 3)
    #expect(second == "alone 7")
    planner.claimed(ClaimRequest(alone: one)!, [])
    let third = next(&planner, [], free: 4, at: 3.1)
    #expect(third.hasPrefix("wait"))
  }
}
