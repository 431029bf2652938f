import FleetSimulation
import Testing

@testable import AutoscalingSimulation

@Suite struct PeerFormulaTests {
  @Test(
    "replicas are the current ones times the ratio, rounded up, and stay within a tolerance of a tenth",
    arguments: [
      (4, 2.0, 8), (4, 0.5, 2), (3, 1.5, 5), (10, 1.1, 10), (10, 1.11, 12), (10, 0.9, 10), (10, 0.89, 9), (1, 0, 0),
    ])
  func replicas(current: Int, ratio: Double, desired: Int) {
    #expect(ReplicaRule.desired(current: current, ratio: ratio) == desired)
  }

  @Test("a scale-up adds at most four or the double in one round")
  func upSpeed() {
    var rule = ReplicaRule(stabilization: 300)
    #expect(rule.settle(desired: 50, current: 1, min: 1, max: 60, now: 0) == 5)
    #expect(rule.settle(desired: 50, current: 5, min: 1, max: 60, now: 15) == 10)
    #expect(rule.settle(desired: 50, current: 10, min: 1, max: 15, now: 30) == 15)
  }

  @Test("a scale-down goes to the most that was wanted within the window")
  func downSpeed() {
    var rule = ReplicaRule(stabilization: 300)
    #expect(rule.settle(desired: 8, current: 8, min: 1, max: 60, now: 0) == 8)
    #expect(rule.settle(desired: 2, current: 8, min: 1, max: 60, now: 15) == 8)
    #expect(rule.settle(desired: 3, current: 8, min: 1, max: 60, now: 301) == 3)
  }

  /// The table of KEDA's documentation, and the strategies next to it.
  @Test(
    "a scaled job starts as many as its strategy says",
    arguments: [
      ("default", 10, 1.0, 0, 0, 3, 3), ("default", 10, 2, 0, 0, 3, 3), ("default", 10, 1, 1, 0, 3, 2),
      ("default", 10, 1, 0, 0, 100, 10), ("default", 4, 5, 0, 0, 3, 1), ("default", 2, 1, 5, 0, 100, 0),
      ("accurate", 10, 1, 5, 2, 12, 7), ("accurate", 3, 1, 5, 2, 100, 1), ("accurate", 0, 1, 5, 2, 100, 0),
      ("eager", 10, 1, 5, 2, 12, 5), ("eager", 3, 1, 5, 2, 100, 3),
    ])
  func scaledJob(
    strategy: String, length: Int, target: Double, unfinished: Int, pending: Int, most: Int, starts: Int
  ) throws {
    let strategy = try #require(PolicySettings.Strategy(rawValue: strategy))
    #expect(
      ScaledJobPolicy.starts(
        strategy: strategy, length: length, target: target, unfinished: unfinished, pending: pending, min: 0, max: most)
        == starts)
  }

  @Test("a scaled object starts from zero with one, and ends the last after the cooldown")
  func scaledObject() {
    var settings = PolicySettings.defaults(of: .keda)
    settings.stabilization = 0
    settings.target = 2
    var policy = ScaledObjectPolicy(settings)
    var view = FleetView()
    view.limits.maxWorkers = 60
    #expect(policy.decide(view) == .count(0, .youngest))
    (view.now, view.measuredAt, view.queued) = (15, 15, 9)
    #expect(policy.decide(view) == .count(1, .youngest))
    (view.now, view.measuredAt, view.starting) = (30, 30, 1)
    #expect(policy.decide(view) == .count(5, .youngest))
    (view.now, view.measuredAt, view.queued, view.starting, view.ready) = (45, 45, 0, 0, 1)
    #expect(policy.decide(view) == .count(1, .youngest))
    (view.now, view.measuredAt) = (330, 330)
    #expect(policy.decide(view) == .count(0, .youngest))
  }

  @Test("peers hold while there are no measurements", arguments: PolicyName.peers)
  func gap(policy: PolicyName) {
    var view = FleetView()
    view.limits.maxWorkers = 60
    (view.now, view.measuredAt, view.queued, view.ready) = (60, 0, 100, 3)
    let settings = PolicySettings.defaults(of: policy)
    var hpa = UtilisationPolicy(settings)
    var keda = ScaledObjectPolicy(settings)
    var scaledJob = ScaledJobPolicy(settings)
    var latency = LatencyPolicy(settings)
    var ds2 = TrueRatePolicy(settings)
    switch policy {
    case .sluice: break
    case .hpa: #expect(hpa.decide(view) == .hold)
    case .keda: #expect(keda.decide(view) == .hold)
    case .scaledjob: #expect(scaledJob.decide(view) == .hold)
    case .latency: #expect(latency.decide(view) == .hold)
    case .ds2: #expect(ds2.decide(view) == .hold)
    }
  }

  @Test(
    "the latency target gives a worker for what it works off in time",
    arguments: [(10, 60.0, 300.0, 1, 2), (10, 60, 60, 1, 10), (10, 60, 60, 4, 3), (0, 60, 60, 1, 0)])
  func latency(jobs: Int, seconds: Double, latency: Double, slots: Int, desired: Int) {
    #expect(LatencyPolicy.desired(jobs: jobs, seconds: seconds, latency: latency, slots: slots) == desired)
  }

  @Test(
    "DS2 divides the arrivals by the true rate of a worker",
    arguments: [(0.5, 0.02, 1.0, 25), (0.5, 0.02, 1.25, 32), (0, 0.02, 1, 0), (1, 0, 1, 0)])
  func trueRate(arrivals: Double, rate: Double, headroom: Double, desired: Int) {
    #expect(TrueRatePolicy.desired(arrivals: arrivals, rate: rate, headroom: headroom) == desired)
  }
}
