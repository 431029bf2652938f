import Testing

@testable import JobWorker

@Suite("Whom the reaper may revoke")
struct RevocationRuleTests {
  private let start = ContinuousClock.now

  /// Looks every second; the database's clock keeps step, but for `jump` at the last look.
  private func look(
    _ rule: inout RevocationRule<ContinuousClock.Instant>, seconds: ClosedRange<Int>, missing: [Int64] = [],
    jump: Duration = .zero
  ) -> RevocationRule<ContinuousClock.Instant>.Decision? {
    var decision: RevocationRule<ContinuousClock.Instant>.Decision?
    for second in seconds {
      let lead = second == seconds.upperBound ? jump : .zero
      decision = rule.looked(
        at: start + .seconds(second), databaseTime: .seconds(second) + lead, missing: missing)
    }
    return decision
  }

  @Test("nobody, until the reaper has watched for longer than a lease")
  func watches() {
    var rule = RevocationRule<ContinuousClock.Instant>(lease: .seconds(15))
    #expect(look(&rule, seconds: 0...15, missing: [7]) == .init(mayRevoke: false, overdue: []))
    #expect(look(&rule, seconds: 16...16, missing: [7]) == .init(mayRevoke: true, overdue: [7]))
  }

  @Test("a worker without a session only after a second, counted from when it was missed first")
  func grace() {
    var rule = RevocationRule<ContinuousClock.Instant>(lease: .seconds(15))
    _ = look(&rule, seconds: 0...20)
    #expect(look(&rule, seconds: 21...21, missing: [7])?.overdue == [])
    #expect(look(&rule, seconds: 22...22, missing: [7])?.overdue == [7])
    rule.settled(7)
    #expect(look(&rule, seconds: 23...23, missing: [7])?.overdue == [])
    #expect(look(&rule, seconds: 24...24)?.overdue == [])
    #expect(look(&rule, seconds: 25...25, missing: [7])?.overdue == [])
  }

  @Test("a new session and a jump of the database's clock, either way, begin the watch anew")
  func anew() {
    for jump in [Duration.seconds(6), .seconds(-6)] {
      var rule = RevocationRule<ContinuousClock.Instant>(lease: .seconds(15))
      #expect(look(&rule, seconds: 0...20, missing: [7])?.mayRevoke == true)
      #expect(look(&rule, seconds: 21...21, missing: [7], jump: jump)?.mayRevoke == false)
    }
    var rule = RevocationRule<ContinuousClock.Instant>(lease: .seconds(15))
    _ = look(&rule, seconds: 0...20, missing: [7])
    rule.connected()
    #expect(look(&rule, seconds: 21...36, missing: [7])?.mayRevoke == false)
    #expect(look(&rule, seconds: 37...37, missing: [7])?.overdue == [7])
  }

  @Test("a small drift of the database's clock changes nothing")
  func drift() {
    var rule = RevocationRule<ContinuousClock.Instant>(lease: .seconds(15))
    _ = look(&rule, seconds: 0...20)
    #expect(look(&rule, seconds: 21...21, jump: .seconds(2))?.mayRevoke == true)
  }

  @Test("a pause of the reaper between two looks is no jump")
  func pause() {
    var rule = RevocationRule<ContinuousClock.Instant>(lease: .seconds(15))
    _ = look(&rule, seconds: 0...20, missing: [7])
    #expect(look(&rule, seconds: 60...60, missing: [7])?.overdue == [7])
  }
}
