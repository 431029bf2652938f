import ControlPlane
import Foundation
import JobModel
import Testing

@testable import sluice

@Suite("Words of the commands about workers and times")
struct ScaleWordsTests {
  @Test(
    "a time has units down to seconds",
    arguments: [("90s", 90.0), ("10m", 600), ("1.5h", 5400), ("1d", 86_400), ("1h30m", 5400), ("2d12h", 216_000)])
  func times(text: String, seconds: Double) throws {
    #expect(try DeployCommand.duration(text, option: "--for") == .seconds(seconds))
  }

  @Test(
    "what is no time is refused",
    arguments: ["", "5", "h", "-5m", "1h30", "1w", "0s", "1e9h", "9999999d", "1h-30m", "nanh"])
  func noTimes(text: String) {
    let error = #expect(throws: StageFailure.self) { try DeployCommand.duration(text, option: "--for") }
    #expect(error?.hint?.contains("1h30m") == true)
  }

  @Test("a reason is one line")
  func reason() {
    #expect(ScaleCommand.line(" a\n large\u{1b}[31m \u{202e}backfill\t") == "a large [31m backfill")
    #expect(ScaleCommand.line(" \n ") == "")
  }

  @Test("the expected end of a run is short in a table")
  func range() throws {
    let text =
      #"{"early": "2026-03-02 04:20:00+00", "mean": "2026-03-02 04:30:00+00", "late": "2026-03-02 05:10:00+00"}"#
    var expected = try JSONDecoder().decode(StatusReport.Expected.self, from: Data(text.utf8))
    #expect(expected.range == "2026-03-02 04:20:00 to 05:10:00+00")
    (expected.late, expected.lateSeconds, expected.needs) = ("2026-03-03 05:10:00+00", 720, "needs 3 more slots")
    #expect(expected.range == "2026-03-02 04:20:00 to 2026-03-03 05:10:00+00; 12 min late")
  }
}
