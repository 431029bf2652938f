import Testing

@testable import Benchmarks

@Suite("Why a measured program failed")
struct ProgramComplaintTests {
  private static let progress = "ingest   drops.rows  done\ncurate   csv_rows  [········]  FAILED\n"

  @Test(
    "is the reason in a verb's JSON, else the last line that was said",
    arguments: [
      (
        #"{"run": 1, "state": "failed", "error": {"code": "memory_limit", "message": "it needs more", "hint": "raise it"}}"#,
        "memory_limit: it needs more; raise it"
      ),
      (#"{"error": {"code": "usage", "message": "no such pipeline"}}"#, "usage: no such pipeline"),
      (#"{"run": 1, "state": "running", "error": null}"#, "curate   csv_rows  [········]  FAILED"),
      ("tps = ", "curate   csv_rows  [········]  FAILED"),
    ])
  func reason(output: String, told: String) {
    #expect(ProgramComplaint.text(output: output, errors: Self.progress) == told)
  }

  @Test("is told as well where nothing was said")
  func silence() { #expect(ProgramComplaint.text(output: "", errors: "") == "it said nothing") }
}
