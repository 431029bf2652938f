import Testing

@testable import Autoscaling

@Suite("Late deadlines")
struct LateWarningTests {
  private let policy = ScalingPolicy()

  @Test("a deadline that can be met is not announced")
  func met() {
    var inputs = ScalingWorld.inputs()
    inputs.lanes = [ScalingWorld.lane(100, within: 1_075)]
    #expect(policy.decide(inputs).warnings.isEmpty)
  }

  @Test("a deadline that the maximum does not meet is announced before, with the slots that it would take")
  func maximum() throws {
    var inputs = ScalingWorld.inputs(max: 4)
    inputs.lanes = [ScalingWorld.lane(100, within: 1_075)]
    let warning = try #require(policy.decide(inputs).warnings.first)
    // Four new workers have 4,120 s for 6,000 s of work.
    #expect(warning.moreSlots == 2)
    #expect(warning.moreBytes == nil)
    #expect(warning.jobs == 32)
    #expect(abs(warning.lateSeconds - 470) < 1)
    #expect(warning.description == "curate/curate: 32 jobs will be late by 8 min; needs 2 more slots")
  }

  @Test("where memory is what is short, the warning says how much")
  func memory() throws {
    var inputs = ScalingWorld.inputs(memory: 11e9)
    inputs.lanes = [ScalingWorld.lane(100, within: 1_075, memory: 2e9)]
    let warning = try #require(policy.decide(inputs).warnings.first)
    #expect(warning.moreSlots == 1)
    #expect(warning.moreBytes == 2e9)
    #expect(warning.description.hasSuffix("needs 1 more slot and 2 GB more memory"))
  }

  @Test("a job that takes longer than is left is announced, and nothing helps")
  func single() throws {
    var inputs = ScalingWorld.inputs()
    inputs.lanes = [ScalingWorld.lane(1, of: 2_000, within: 1_000)]
    let warning = try #require(policy.decide(inputs).warnings.first)
    #expect(warning.moreSlots == nil && warning.moreBytes == nil)
    #expect(warning.lateSeconds == 1_045)
    #expect(warning.description.contains("more workers do not help"))
  }

  @Test("jobs whose deadline has passed count from it, and no job is said to be too long")
  func passed() throws {
    var inputs = ScalingWorld.inputs(max: 2, start: 5)
    ScalingWorld.busy(2, in: &inputs, of: 1)
    inputs.lanes = [ScalingWorld.lane(30, of: 1, within: -100)]
    let warning = try #require(policy.decide(inputs).warnings.first)
    #expect(warning.obstacle == .passed && warning.jobs == 30)
    #expect((115...118).contains(warning.lateSeconds), "\(warning.lateSeconds)")
    #expect(warning.description.hasSuffix("late by 115 s; the time for them has passed"), "\(warning)")
  }

  @Test("many short jobs shortly before their deadline are late together; less than a worker's start is left")
  func shortly() throws {
    var inputs = ScalingWorld.inputs(max: 2, start: 5)
    ScalingWorld.busy(2, in: &inputs, of: 1)
    inputs.lanes = [ScalingWorld.lane(42, of: 1, within: 3)]
    let warning = try #require(policy.decide(inputs).warnings.first)
    #expect(warning.obstacle == .start && warning.lateSeconds > 15)
    #expect(warning.description.hasSuffix("a worker that starts now comes too late to help"), "\(warning)")
  }

  @Test("what is late by less than five seconds is not announced")
  func little() {
    var inputs = ScalingWorld.inputs(max: 2, start: 5)
    ScalingWorld.busy(2, in: &inputs, of: 0.1)
    inputs.lanes = [ScalingWorld.lane(4, of: 0.3, within: 0.1)]
    #expect(policy.decide(inputs).warnings.isEmpty)
  }

  @Test("jobs of one kind are one line, whatever their deadlines")
  func merged() throws {
    var inputs = ScalingWorld.inputs(max: 1)
    inputs.lanes = [ScalingWorld.lane(100, within: 1_000), ScalingWorld.lane(100, within: 2_000)]
    let warning = try #require(policy.decide(inputs).warnings.first)
    #expect(policy.decide(inputs).warnings.count == 1)
    #expect(warning.deadline == 11_000)
    #expect(warning.moreSlots ?? 0 >= 5)
    #expect(warning.jobs > 100)
  }

  @Test("the earliest deadlines are announced, and not all of a thousand")
  func bounded() {
    var inputs = ScalingWorld.inputs(max: 1)
    inputs.lanes = (0..<1_000).map { ScalingWorld.lane(10, within: 100 + Double($0), kind: "k\($0)") }
    let warnings = policy.decide(inputs).warnings
    #expect(warnings.count == LateWarnings.maxWarnings)
    #expect(warnings.map(\.deadline) == warnings.map(\.deadline).sorted())
  }
}
