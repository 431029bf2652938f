/// The format of `pipelines/NAME.yaml`, described once: ``ShapeValidator``, the JSON Schema and the reference read it.
///
/// What each key means in full is in `docs/pipeline.md`.
package enum PipelineSchema {
  static let pipeline = ObjectShape([
    .required("pipeline", .text(.pipelineName), "The pipeline's name; the file is named like it", example: "orders"),
    .later(
      "was", .text(.pipelineName), "The name it had before; its cursors and ledgers move along",
      instead: "keep the name for now"),
    .key("owner", .text(.text), "Whom to ask", example: "data@acme.example"),
    .key(
      "schedule", schedule, "When runs start by themselves",
      example: "{cron: \"15 21 * * *\", timezone: Europe/Zurich}"),
    .key(
      "deadline", deadline, "When the data must be loaded", example: "{loaded_by: \"05:30\", timezone: Europe/Zurich}"),
    .key(
      "on_deploy", .oneOf("finish", "handover"),
      "Whether a running batch ends on its release or moves to the new one at the next checkpoint", default: "finish"),
    .key(
      "priority", .integer(0...1000), "Ahead of pipelines with a lower number; every backfill comes after every run",
      default: "0"),
    .key(
      "weight", .number(0.001...1000), "Its share of the workers, beside other pipelines of its priority", default: "1"),
    .key("limits", .object(limits), "How much of it happens at once"),
    .required("sources", .map(names: .name, source), "Where data comes from, by name", example: "{shop: {…}}"),
    .key("raw", .object(raw), "Where the bytes as received are kept", default: "the project's storage"),
    .key("curate", .map(names: .name, .object(dataset)), "The datasets that are made, by name", default: "raw only"),
    .key("load", .map(names: .name, target), "The databases that datasets are loaded into, by name"),
    .key("notify", .list(notification), "Who is told of what"),
    .key(
      "environments", .map(names: .environmentName, .object(overlay)), "What differs in an environment, by its name"),
    .later(
      "tests", .list(.object(definitionTest)), "Inputs with the rows they must give",
      instead: "remove them for now"),
  ])

  static let limits = ObjectShape([
    .key(
      "concurrency", .integer(1...1000), "At most so many of its jobs at a time, of all its runs together",
      default: "no limit", example: "4")
  ])

  static let schedule = Shape.variants(
    VariantShape(
      "schedule",
      [
        .init(
          "cron",
          ObjectShape([
            .required("cron", .text(.cron), "Minute, hour, day, month, weekday", example: "\"15 21 * * *\""),
            .required("timezone", .text(.timeZone), "The zone of the clock", example: "Europe/Zurich"),
            .key(
              "overlap", .oneOf("skip", "queue", "allow"), "What a time does that finds a run going", default: "skip"),
            .key(
              "catch_up", .oneOf("latest", "all", "none"), "For which of the times of an outage runs start after it",
              default: "latest"),
          ])),
        .init(
          "on",
          ObjectShape([
            .later(
              "on", .text(.text), "After a dataset's new snapshot", example: "dataset orders",
              instead: "use a time: cron and timezone")
          ])),
        .init(
          "on_arrival",
          ObjectShape([
            .later(
              "on_arrival", .text(.text), "When a stream has new files", example: "drops.stock",
              instead: "use a time: cron and timezone"),
            .key("every", .text(.duration), "How often to look", default: "1m"),
          ])),
      ]))

  static let deadline = Shape.object(
    ObjectShape([
      .required("loaded_by", .text(.clock), "Time of day", example: "\"05:30\""),
      .required("timezone", .text(.timeZone), "The zone of the clock", example: "Europe/Zurich"),
    ]))

  static let raw = ObjectShape([
    .key("to", .text(.location), "A directory", default: "the project's storage", example: "\"file:.sluice/raw\""),
    .later("keep", .text(.duration), "How long", example: "400d", instead: "remove it: nothing is deleted for now"),
  ])

  static let notification = Shape.variants(
    VariantShape(
      "notification",
      [
        notificationKind("webhook", .key("webhook", .text(.template(.environment)), "URL that gets the event as JSON")),
        notificationKind(
          "command",
          .key("command", .list(.text(.template(.environment))), "Program that gets the event as JSON on its input"),
          .key(
            "secrets", .list(.text(.secretName)), "Secrets that it gets in its environment, as SLUICE_SECRET_NAME",
            example: "[ops/pager]")),
        notificationKind(
          "sns", .later("sns", .text(.template(.environment)), "Topic", instead: "use webhook or command")),
        notificationKind(
          "email", .later("email", .text(.template(.environment)), "Address", instead: "use webhook or command")),
      ]))

  private static func notificationKind(_ name: String, _ channel: KeyShape...) -> VariantShape.Variant {
    let events: [Choice] = [
      Choice("failed"), Choice("recovered"), Choice("quarantined"), Choice("schema_drift"),
      Choice("late"),
    ]
    return .init(
      name,
      ObjectShape(
        [
          .required("when", .list(.choice(events)), "The events that are told", example: "[failed]")
        ] + channel + [
          .later("group", .text(.duration), "One message for what happens in this time", instead: "remove it for now")
        ]))
  }

  static let overlay = ObjectShape([
    .key("raw", .written([.text(.location), .object(raw)]), "In place of `raw.to`", example: "\"file:.sluice/raw\""),
    .later("sample", .object(sample), "Read a part of the data", instead: "remove it for now"),
    .key("schedule", .written([.oneOf("none"), schedule]), "In place of `schedule`"),
    .key(
      "load", .written([.choice([.later("preview", "remove it for now")]), .object(overlayLoad)]), "For all targets"),
    .key("notify", .oneOf("none"), "Nobody is told"),
    .key("pipeline", .map(names: .text, .anything), "Merged into the definition by key; lists are replaced"),
    .later("protected", .boolean, "Refuses what could destroy it", instead: "remove it for now"),
  ])

  static let sample = ObjectShape([
    .required("by", .text(.field), "The key whose hash chooses", example: "order_id"),
    .required("keep", .text(.share), "The part that is kept", example: "1%"),
    .key("max_rows", .integer(1...Int.max), "At most so many"),
  ])

  static let overlayLoad = ObjectShape([
    .key("schema_suffix", .text(.field), "Appended to every target schema", example: "_stg"),
    .later("window", .anything, "In place of the windows", instead: "remove it for now"),
    .later("throttle", .anything, "In place of the throttles", instead: "remove it for now"),
  ])

  static let definitionTest = ObjectShape([
    .required("name", .text(.text), "What is shown", example: "a late invoice wins"),
    .required("given", .text(.text), "Directory of inputs", example: "tests/late_invoice/"),
    .required("expect", .text(.text), "The rows that come out", example: "tests/late_invoice/expected.csv"),
  ])
}
