import JobModel
import Testing

@testable import PipelineDefinition

@Suite("Deadlines in a definition")
struct DeadlineDefinitionTests {
  @Test("a deadline is of every run, and of no backfill")
  func parsed() {
    let text = Definitions.shortest + "deadline: {loaded_by: \"05:30\", timezone: Europe/Zurich}\n"
    let (pipeline, diagnostics) = Definitions.parse(text, file: "pipelines/airports.yaml")
    #expect(diagnostics == [])
    let rule = DeadlineRule(loadedBy: "05:30", timeZone: "Europe/Zurich")
    #expect(rule != nil)
    #expect(pipeline?.deadline == rule)
    #expect(pipeline?.runPlan.deadline == rule)
    #expect(pipeline?.backfillPlan([]).deadline == nil)
    #expect(Definitions.parse(Definitions.shortest, file: "pipelines/airports.yaml").pipeline?.deadline == nil)
  }

  @Test(
    "a mistake names its place and the form to write",
    arguments: [
      ("{loaded_by: \"25:30\", timezone: UTC}", "\"25:30\" is not a time of day"),
      ("{loaded_by: \"05:30\"}", "\"timezone\" is missing in \"deadline\""),
      ("{timezone: UTC}", "\"loaded_by\" is missing in \"deadline\""),
      ("{loaded_by: \"05:30\", timezone: CET}", "\"CET\" is not a time zone"),
      ("{loaded_by: \"05:30\", timezone: UTC, days: daily}", "unknown key \"days\""),
      ("{loaded_by: 05:30, timezone: UTC}", "05:30 without quotes"),
      ("\"05:30\"", "deadline"),
    ])
  func mistakes(value: String, says: String) {
    let (pipeline, diagnostics) = Definitions.parse(
      Definitions.shortest + "deadline: \(value)\n", file: "pipelines/airports.yaml")
    #expect(pipeline == nil)
    #expect(diagnostics.contains { $0.description.contains(says) }, "\(diagnostics)")
  }

  @Test("late is an event that people can be told")
  func late() {
    let text = Definitions.shortest + "notify:\n  - {when: [late], webhook: \"https://example.com\"}\n"
    let (pipeline, diagnostics) = Definitions.parse(text, file: "pipelines/airports.yaml")
    #expect(diagnostics == [])
    #expect(pipeline?.notify.first?.when == ["late"])
  }
}
