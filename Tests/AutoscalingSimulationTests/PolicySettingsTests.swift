import FleetSimulation
import JobModel
import Testing

@testable import AutoscalingSimulation

@Suite struct PolicySettingsTests {
  @Test("a setting is taken by the policies that have it")
  func set() {
    var settings = PolicySettings.defaults(of: .keda)
    #expect(settings.set("max=28", for: .keda) == nil)
    #expect(settings.set("target=2.5", for: .keda) == nil)
    #expect(settings.set("metric=queued", for: .keda) == nil)
    #expect(settings.max == 28)
    #expect(settings.target == 2.5)
    #expect(settings.metric == .queued)
  }

  @Test(
    "a setting that the policy does not have, or a value that is none, is refused",
    arguments: [
      "max", "max=", "max=-1", "max=1e3", "max=999999999999999999999", "target=nan", "target=inf", "target=0",
      "strategy=accurate", "nonsense=1", "=", "", "min=9", "metric=cpu",
    ])
  func refused(text: String) {
    var settings = PolicySettings.defaults(of: .keda)
    settings.max = 8
    #expect(settings.set(text, for: .keda) != nil)
  }

  @Test("every setting of every policy is listed as it is set", arguments: PolicyName.allCases)
  func listed(policy: PolicyName) {
    var settings = PolicySettings.defaults(of: policy)
    settings.max = 17
    var again = PolicySettings()
    for (key, value) in settings.list(for: policy) {
      #expect(again.set("\(key.rawValue)=\(value)", for: policy) == nil)
    }
    #expect(again.list(for: policy).map(\.value) == settings.list(for: policy).map(\.value))
  }

  @Test("a run with a setting that is none says so")
  func run() throws {
    let trace = TraceShape.spikes.trace(seed: 1, scale: 0.01)
    let error = try #require(throws: PolicySettingError.self) {
      try SimulatedRun(trace, policy: .hpa, given: ["speed=3"])
    }
    #expect(error.message.contains("target=…"))
    #expect(error.code == "usage")
  }
}
