import JobModel
import Testing

@Suite("A number that is out of all range")
struct HostileNumberTests {
  static let numbers = [
    "9223372036854775807", "-9223372036854775808", "99999999999999999999", "nan", "-nan", "inf", "1e400", "-1",
    "0x1p99", "",
    "\u{0661}", "1\u{301}", "+", "-",
  ]

  @Test("is refused by every parser", arguments: numbers)
  func refused(number: String) {
    for text in [
      "\(number) 0 * * *", "*/\(number) 0 * * *", "0-\(number) 0 * * *", "0 0 \(number) * *", "0 0 * * \(number)",
    ] {
      #expect(throws: CronProblem.self, "\(text)") { try CronSchedule(text) }
    }
    for text in [
      "\(number)-01-01T00:00", "2024-\(number)-01T00:00", "2024-01-01T\(number):00", "2024-01-01T00:\(number)",
    ] {
      #expect(CivilTime(text) == nil, "\(text)")
    }
    #expect(throws: StageFailure.self) { try LeaseTiming.configured(["SLUICE_LEASE": number]) }
    #expect(throws: StageFailure.self) { try LeaseTiming.configured(["SLUICE_STALL": number]) }
    if number != "9223372036854775807" { #expect(CheckpointFormat("ingest.http/\(number)") == nil) }
  }
}
