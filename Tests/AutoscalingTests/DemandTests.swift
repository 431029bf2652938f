import Testing

@testable import Autoscaling

@Suite("What the work asks for")
struct DemandTests {
  private let policy = ScalingPolicy()

  @Test("nothing to do and nothing running is no worker")
  func empty() {
    let decision = policy.decide(ScalingWorld.inputs())
    #expect(decision.total == 0)
    #expect(decision.wanted.isEmpty)
    #expect(decision.reasons == [.idle])
    #expect(decision.limit == nil)
  }

  @Test("the first job brings the first worker, however much time there is", arguments: [nil, 100.0, 14_400, -50])
  func first(slack: Double?) {
    var inputs = ScalingWorld.inputs()
    inputs.lanes = [ScalingWorld.lane(1, within: slack)]
    #expect(policy.decide(inputs).total == 1)
  }

  @Test("a deadline asks for the slots that do its work in the time that is left after a start")
  func deadline() {
    var inputs = ScalingWorld.inputs()
    inputs.lanes = [ScalingWorld.lane(100, within: 1_075)]
    // 6,000 s of work × 1.2 in 1,075 − 45 − 30 s.
    let decision = policy.decide(inputs)
    #expect(decision.total == 8)
    #expect(decision.reasons.first == .deadlines(workers: 8, inSeconds: 1_075))
  }

  @Test("an earlier deadline that asks for more decides, and one that asks for less does not")
  func tightest() {
    var inputs = ScalingWorld.inputs()
    inputs.lanes = [ScalingWorld.lane(100, within: 1_075), ScalingWorld.lane(20, within: 20_000, release: "r1")]
    #expect(policy.decide(inputs).total == 8)
    inputs.lanes = [ScalingWorld.lane(100, within: 1_075), ScalingWorld.lane(60, within: 375)]
    // 3,600 s × 1.2 in 300 s.
    #expect(policy.decide(inputs).total == 15)
  }

  @Test("workers that run or start count with the seconds that they will have")
  func existing() {
    var inputs = ScalingWorld.inputs()
    inputs.lanes = [ScalingWorld.lane(100, within: 1_075)]
    ScalingWorld.busy(7, in: &inputs, of: 1)
    // Seven workers have 1,075 s each, not 1,030: no eighth is needed.
    #expect(policy.decide(inputs).total == 7)
  }

  @Test("running jobs that are not due themselves take their slots from those that are")
  func occupied() {
    var inputs = ScalingWorld.inputs()
    inputs.lanes = [ScalingWorld.lane(10, within: 400)]
    ScalingWorld.busy(3, in: &inputs, of: 10_000)
    // 720 s in 325 s of new workers, next to three that are occupied for hours.
    #expect(policy.decide(inputs).total == 6)
  }

  @Test("there are never more workers than jobs that can run", arguments: [1, 3, 17])
  func runnable(jobs: Int) {
    var inputs = ScalingWorld.inputs()
    inputs.lanes = [ScalingWorld.lane(jobs, of: 3_000, within: 3_100)]
    #expect(policy.decide(inputs).total == jobs)
  }

  @Test("a lane's limit of concurrency and blocked jobs ask for no worker")
  func concurrency() {
    var inputs = ScalingWorld.inputs()
    var lane = ScalingWorld.lane(50, of: 3_000, within: 3_100)
    lane.maxRunning = 5
    lane.running = 2
    lane.waiting = lane.queued
    inputs.lanes = [lane]
    #expect(policy.decide(inputs).total == 3)
    inputs.lanes[0].queued = []
    #expect(policy.decide(inputs).total == 0)
  }

  @Test("slots of one worker share its work", arguments: [(1, 8), (2, 4), (3, 3)])
  func slots(slots: Int, workers: Int) {
    var inputs = ScalingWorld.inputs(slots: slots)
    inputs.lanes = [ScalingWorld.lane(100, within: 1_075)]
    #expect(policy.decide(inputs).total == workers)
  }

  @Test("a backlog without deadlines is gone in 15 minutes, and two thirds of its arrivals have workers at once")
  func backlog() {
    var inputs = ScalingWorld.inputs()
    inputs.lanes = [ScalingWorld.lane(150)]
    #expect(policy.decide(inputs).total == 10)
    inputs.lanes[0].arrivals = Arrivals(jobs5Minutes: 20, jobs30Minutes: 120, meanSeconds: 60)
    // Two thirds of 4 s of work a second.
    #expect(policy.decide(inputs).total == 13)
  }

  @Test("arrivals that will be due count before they are there")
  func arrivals() {
    var inputs = ScalingWorld.inputs()
    inputs.lanes = [ScalingWorld.lane(40, within: 240)]
    let without = policy.decide(inputs).total
    inputs.lanes[0].arrivals = Arrivals(
      jobs5Minutes: 300, jobs30Minutes: 1_800, meanSeconds: 60, slackSecondsP10: 150)
    #expect(policy.decide(inputs).total > without)
  }

  @Test("a spike of five minutes is not expected to continue")
  func spike() {
    var inputs = ScalingWorld.inputs()
    inputs.lanes = [ScalingWorld.lane(300, within: 1_500)]
    let without = policy.decide(inputs).total
    inputs.lanes[0].arrivals = Arrivals(
      jobs5Minutes: 300, jobs30Minutes: 300, meanSeconds: 60, slackSecondsP10: 1_500)
    // 300 jobs in 5 minutes would be 60 workers.
    #expect(policy.decide(inputs).total < without + 12)
  }

  @Test("the work of each release needs workers of that release")
  func releases() {
    var inputs = ScalingWorld.inputs()
    inputs.lanes = [
      ScalingWorld.lane(100, within: 1_075, release: "b"), ScalingWorld.lane(150, release: "a"),
    ]
    let decision = policy.decide(inputs)
    #expect(decision.wanted == [ReleaseCount(release: "a", workers: 10), ReleaseCount(release: "b", workers: 8)])
  }
}
