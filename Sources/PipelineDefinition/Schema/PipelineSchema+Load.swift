extension PipelineSchema {
  static let target = Shape.variants(
    VariantShape(
      "target",
      [
        targetKind("postgres", .key("postgres", .object(connection), "A PostgreSQL database")),
        targetKind("mariadb", laterTarget("mariadb", "A MariaDB database")),
        targetKind("mysql", laterTarget("mysql", "A MySQL database")),
        targetKind("sqlite", laterTarget("sqlite", "A SQLite file")),
      ]))

  static let connection = ObjectShape([
    .required("url", .text(.template(.environment)), "How to connect", example: "\"secret:warehouse/loader\"")
  ])

  private static func laterTarget(_ name: String, _ summary: String) -> KeyShape {
    .later(name, .object(connection), summary, instead: "use postgres")
  }

  private static func targetKind(_ name: String, _ kind: KeyShape) -> VariantShape.Variant {
    .init(
      name,
      ObjectShape([
        kind,
        .later("window", window, "When loading is allowed", instead: "remove it: loads start at once"),
        .key("limits", .object(targetLimits), "How much of it happens at once"),
        .later("throttle", .object(throttle), "What the target bears", instead: "remove it for now"),
        .later(
          "together", .list(.text(.table)), "Tables that are loaded in one transaction", instead: "remove it for now"),
        .required(
          "tables", .map(names: .table, .object(table)), "The tables that are loaded, by name",
          example: "{public.orders: {from: orders, mode: replace}}"),
      ]))
  }

  static let targetLimits = ObjectShape([
    .key(
      "concurrency", .integer(1...1000),
      "At most so many loads into this database at a time, of all pipelines together",
      default: "one of each pipeline and target", example: "2")
  ])

  static let table = ObjectShape([
    .required("from", .name, "The dataset", example: "orders"),
    .required(
      "mode",
      .choice([
        Choice("append"), Choice("replace"), Choice("merge"), .later("replace_partition", ""), .later("scd2", ""),
      ]), "How rows get in", example: "merge"),
    .key("key", .names, "merge: what identifies a row", example: "[order_id]"),
    .key(
      "deletes", .written([.oneOf("soft", "hard"), .object(deletes)]),
      "merge: what happens to rows that are gone from a full read", default: "they stay"),
    .key(
      "apply", .oneOf("once", "per_chunk"), "append: all rows of a snapshot in one transaction, or chunk by chunk",
      default: "once"),
    .later(
      "verify",
      .object(
        ObjectShape([
          .key("rows", .boolean, "Compare the number of rows"),
          .key("checksum", .names, "Compare a checksum of these columns"),
        ])), "What is compared after the load", instead: "remove it for now"),
  ])

  static let deletes = ObjectShape([
    .required("kind", .oneOf("soft", "hard"), "Marked or removed", example: "soft"),
    .key("stop_over", .text(.share), "The part of the rows over which nothing is deleted", default: "no limit"),
  ])

  static let window = Shape.variants(
    VariantShape(
      "window",
      [
        .init(
          "from",
          ObjectShape([
            .key("days", .scalar, "On which days", default: "daily"),
            .required("from", .text(.clock), "When it opens", example: "\"23:00\""),
            .required("until", .text(.clock), "When it closes", example: "\"05:00\""),
            .required("timezone", .text(.timeZone), "The zone of the clock", example: "Europe/Zurich"),
            .key("at_end", .oneOf("pause", "finish"), "What a load does then", default: "pause"),
          ])),
        .init(
          "quiet", ObjectShape([.required("quiet", .oneOf("auto"), "When the target is least used", example: "auto")])),
      ]))

  static let throttle = ObjectShape([
    .key("streams", .integer(1...100), "COPY streams at a time"),
    .key("commit_p95", .text(.duration), "Of the target's commits", example: "250ms"),
    .key("active_sessions", .integer(1...Int.max), "Others' sessions"),
    .key("replica_lag", .text(.duration), "Of the slowest replica", example: "30s"),
  ])
}
