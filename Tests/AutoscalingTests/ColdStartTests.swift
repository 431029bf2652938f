import Testing

@testable import Autoscaling

@Suite("A job that nothing is known of")
struct ColdStartTests {
  @Test("is not expected to need more than a job can take")
  func bound() {
    var settings = ScalingSettings()
    let usual = settings.coldStartBytes
    settings.boundColdStart(by: 4e9)
    #expect(settings.coldStartBytes == usual)
    settings.boundColdStart(by: .nan)
    #expect(settings.coldStartBytes == usual)
    settings.boundColdStart(by: 384e6)
    #expect(settings.coldStartBytes.high == 384e6)
    #expect(settings.coldStartBytes.mean == 192e6)
    settings.boundColdStart(by: 0)
    #expect(settings.coldStartBytes.mean > 0)
  }

  @Test("several have room at once where each is bounded")
  func room() {
    var settings = ScalingSettings()
    func starts() -> Int {
      let unknown = (0..<8).map {
        MemoryAdmission.Candidate(
          job: $0, seconds: settings.coldStartSeconds, memoryBytes: settings.coldStartBytes)
      }
      return MemoryAdmission(limitBytes: 1.8e9, settings: settings).admit(unknown, running: [], freeSlots: 8).starts
        .count
    }
    let before = starts()
    settings.boundColdStart(by: 384e6)
    #expect(before < 3 && starts() >= 4)
  }

  @Test(
    "the reason for a count that was needed lately agrees with it",
    arguments: [
      (0, "nothing to do"), (1, "1 worker was needed a short time ago"), (2, "2 workers were needed a short time ago"),
    ])
  func text(count: Int, text: String) {
    #expect(ScalingReason.recentlyNeeded(workers: count).description == text)
  }
}
