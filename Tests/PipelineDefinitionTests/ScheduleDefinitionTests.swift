import JobModel
import PipelineDefinition
import Testing

@Suite("The schedule of a definition")
struct ScheduleDefinitionTests {
  private static let file = "pipelines/airports.yaml"

  @Test("is read with its defaults")
  func defaults() throws {
    let text = Definitions.shortest + "schedule: {cron: \"15 21 * * MON-FRI\", timezone: Europe/Zurich}\n"
    let (pipeline, diagnostics) = Definitions.parse(text, file: Self.file)
    #expect(diagnostics == [])
    let rule = ScheduleRule(cron: try CronSchedule("15 21 * * MON-FRI"), timeZone: "Europe/Zurich")
    #expect(pipeline?.schedule == rule)
    #expect((rule.overlap, rule.catchUp) == (.skip, .latest))
    #expect(Definitions.parse(Definitions.shortest, file: Self.file).pipeline?.schedule == nil)
  }

  @Test(
    "is what an environment says in its place",
    arguments: [
      ("local", "0 1 * * *", ScheduleRule.Overlap.skip), ("dev", "none", .skip), ("prod", "0 2 * * *", .queue),
      ("staging", "0 1 * * *", .allow),
    ])
  func overlay(environment: String, cron: String, overlap: ScheduleRule.Overlap) {
    let text =
      Definitions.shortest + """
        schedule: {cron: "0 1 * * *", timezone: UTC}
        environments:
          dev: {schedule: none}
          prod: {schedule: {cron: "0 2 * * *", timezone: UTC, overlap: queue}}
          staging: {pipeline: {schedule: {overlap: allow}}}

        """
    let (pipeline, diagnostics) = Definitions.parse(text, file: Self.file, environment: environment)
    #expect(diagnostics == [])
    #expect(pipeline?.schedule?.cron.text ?? "none" == cron)
    #expect(pipeline?.schedule?.overlap ?? .skip == overlap)
  }

  @Test(
    "that is wrong is told at its place with the way out",
    arguments: [
      (
        "{cron: \"0 0 30 2 *\", timezone: UTC}",
        #"5:18: cron: "0 0 30 2 *" never comes: no month that it names has such a day"#
      ),
      (
        "{cron: \"@daily\", timezone: UTC}",
        #"5:18: cron: "@daily" is not five fields; write "0 0 * * *""#
      ),
      ("{cron: \"0 24 * * *\", timezone: UTC}", #"5:18: cron: "24" is not an hour; write 0 to 23"#),
      ("{cron: \"0 0 * * *\"}", #"5:1: "timezone" is missing in "schedule"; add timezone: Europe/Zurich"#),
      (
        "{cron: \"0 0 * * *\", timezone: CET}",
        #"5:41: timezone: "CET" is not a time zone; write UTC or Area/City, such as Europe/Zurich"#
      ),
      (
        "{cron: \"0 0 * * *\", timezone: UTC, overlap: cancel}",
        #"5:55: overlap: unknown value "cancel"; write skip, queue or allow"#
      ),
      ("{on_arrival: s.a}", #"5:12: "on_arrival" is not supported yet; use a time: cron and timezone"#),
      ("{every: 5m}", #"5:1: "schedule" does not say what kind of schedule it is; add cron"#),
    ])
  func wrong(schedule: String, told: String) {
    let (pipeline, diagnostics) = Definitions.parse(
      Definitions.shortest + "schedule: \(schedule)\n", file: Self.file)
    #expect(pipeline == nil)
    #expect(diagnostics.map(\.description) == ["\(Self.file):\(told)"])
  }
}
